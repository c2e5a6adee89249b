"""Douban, in the .mat format of Monti et al."""

from __future__ import annotations

from pathlib import Path

from glocalk.data.download import Download
from glocalk.data.monti import read_monti
from glocalk.data.source import Checksum, FileSet, Source
from glocalk.data.splits import Split
from glocalk.settings import Settings

_FILE = "training_test_dataset.mat"
_RAW = "https://raw.githubusercontent.com"
_SIZE = 2_778_554  # bytes
DOUBAN = FileSet(
    title="Douban",
    folder="douban",
    address=f"https://github.com/fmonti/mgcnn (Data/douban/{_FILE})",
    files={_FILE: Checksum("1f4476321cbfe0f606e7e35d0695ca15447a1b0b2c811df130109b6cb9a067ae")},
    places=(
        Download(
            name="fmonti/mgcnn on GitHub",
            address=f"{_RAW}/fmonti/mgcnn/master/Data/douban/{_FILE}",
            limit=_SIZE,
        ),
        Download(
            name="muhanzhang/IGMC on GitHub",
            address=f"{_RAW}/muhanzhang/IGMC/master/raw_data/douban/{_FILE}",
            limit=_SIZE,
        ),
    ),
    licence="none stated, for research",
)


class DoubanSettings(Settings):
    """Douban has no options."""


class Douban(Source):
    """Douban, the subset and the split of Monti et al.

    | users | items | ratings | density | training / test |
    |---|---|---|---|---|
    | 3,000 | 3,000 | 136,891 | .0152 | 123,202 / 13,689 |

    The public copies state no licence: for research use, not redistributed here.

    Source: Monti et al. 2017; `fmonti/mgcnn`.
    """

    Config = DoubanSettings

    def __init__(self, config: DoubanSettings) -> None:
        self.config = config

    @classmethod
    def file_sets(cls) -> tuple[FileSet, ...]:
        return (DOUBAN,)

    def split(self, data_dir: Path) -> Split:
        return read_monti(DOUBAN.locate(data_dir, _FILE), scale=(1.0, 5.0))
