"""Douban, Flixster and YahooMusic: the subsets and the splits of Monti et al., NeurIPS 2017.

The public copies of the files state no license: they are for research use and not redistributed
here.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from glocalk.data.datasets.monti import read_monti
from glocalk.data.divided import DividedSetConfig
from glocalk.data.fetch.checksum import Checksum
from glocalk.data.fetch.download import Download
from glocalk.data.fetch.files import FileSet
from glocalk.data.sources import Source
from glocalk.data.splits import Split

_FILE = "training_test_dataset.mat"
_RAW = "https://raw.githubusercontent.com"


def _file_set(title: str, folder: str, sha256: str, size: int, first: bool = False) -> FileSet:
    """A set whose file is in the repository of IGMC, and `first` in that of Monti et al."""
    repositories = {"muhanzhang/IGMC": f"raw_data/{folder}/{_FILE}"}
    if first:
        repositories = {"fmonti/mgcnn": f"Data/{folder}/{_FILE}", **repositories}
    repository, path = next(iter(repositories.items()))
    return FileSet(
        title=title,
        folder=folder,
        address=f"https://github.com/{repository} ({path})",
        files={_FILE: Checksum(sha256)},
        places=tuple(
            Download(f"{name} on GitHub", f"{_RAW}/{name}/master/{path}", size)
            for name, path in repositories.items()
        ),
        license="none stated, for research",
    )


DOUBAN = _file_set(
    "Douban",
    "douban",
    "1f4476321cbfe0f606e7e35d0695ca15447a1b0b2c811df130109b6cb9a067ae",
    2_778_554,
    first=True,
)
FLIXSTER = _file_set(
    "Flixster",
    "flixster",
    "8b07e0387edfe7ffdccead2826bb3844ddbd9e6a8ccba264ce81a3b59b273197",
    2_776_221,
)
YAHOO_MUSIC = _file_set(
    "YahooMusic",
    "yahoo_music",
    "56a80de836537544d0d6ba36fc59937dfe87f738ac5e2a701cc8226faf4f31ec",
    1_900_885,
)


class MontiSetConfig(DividedSetConfig):
    """The data set has no options but those of other splits."""


class _MontiSet(Source):
    """One of the sets, with the graphs that its file contains."""

    Config = MontiSetConfig
    files: ClassVar[FileSet]
    scale: ClassVar[tuple[float, float]]

    def __init__(self, config: MontiSetConfig) -> None:
        self.config = config

    @classmethod
    def file_sets(cls) -> tuple[FileSet, ...]:
        return (cls.files,)

    def split(self, data_dir: Path) -> Split:
        own = read_monti(self.files.locate(data_dir, _FILE), scale=self.scale)
        return self.config.divided(own)


class Douban(_MontiSet):
    """Douban: the subset and the split of Monti et al.

    | users | items | ratings | density | training / test |
    |---|---|---|---|---|
    | 3,000 | 3,000 | 136,891 | .0152 | 123,202 / 13,689 |

    Side information: the users' social graph, 0/1 and symmetric; most users have no edge.

    Source: Monti et al. 2017; `fmonti/mgcnn`.
    """

    files = DOUBAN
    scale = (1.0, 5.0)


class Flixster(_MontiSet):
    """Flixster: the subset and the split of Monti et al.

    | users | items | ratings | density | training / test |
    |---|---|---|---|---|
    | 3,000 | 3,000 | 26,173 | .0029 | 23,556 / 2,617 |

    Ratings are in half stars, .5 to 5. Side information: graphs of users and of items, nearest
    neighbors, 0/1 and symmetric.

    Source: Monti et al. 2017; `muhanzhang/IGMC`.
    """

    files = FLIXSTER
    scale = (0.5, 5.0)


class YahooMusic(_MontiSet):
    """YahooMusic: the subset and the split of Monti et al.

    | users | items | ratings | density | training / test |
    |---|---|---|---|---|
    | 3,000 | 3,000 | 5,335 | .0006 | 4,802 / 533 |

    Ratings are whole numbers from 1 to 100. Side information: a graph of the items (tracks),
    nearest neighbors, 0/1 and symmetric.

    Source: Monti et al. 2017; `muhanzhang/IGMC`.
    """

    files = YAHOO_MUSIC
    scale = (1.0, 100.0)
