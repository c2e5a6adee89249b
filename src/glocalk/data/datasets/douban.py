"""Douban, in the format of Monti et al."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from glocalk.config import BaseConfig
from glocalk.data.datasets.monti import read_graphs, read_monti
from glocalk.data.fetch.checksum import Checksum
from glocalk.data.fetch.download import Download
from glocalk.data.fetch.files import FileSet
from glocalk.data.side.information import Need, SideInformation
from glocalk.data.sources import Source
from glocalk.data.splits import Split

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
    license="none stated, for research",
)


class DoubanConfig(BaseConfig):
    """Douban has no options."""


class Douban(Source):
    """Douban: the subset and the split of Monti et al.

    | users | items | ratings | density | training / test |
    |---|---|---|---|---|
    | 3,000 | 3,000 | 136,891 | .0152 | 123,202 / 13,689 |

    The public copies state no license: it is for research use and not redistributed here.

    Source: Monti et al. 2017; `fmonti/mgcnn`.
    """

    Config = DoubanConfig

    def __init__(self, config: DoubanConfig) -> None:
        self.config = config

    @classmethod
    def file_sets(cls) -> tuple[FileSet, ...]:
        return (DOUBAN,)

    def split(self, data_dir: Path) -> Split:
        return read_monti(DOUBAN.locate(data_dir, _FILE), scale=(1.0, 5.0))

    def side_information(
        self,
        data_dir: Path,
        split: Split,  # noqa: ARG002
        needs: Collection[Need],
    ) -> SideInformation:
        """The social graph of the users, W_users: 0/1 and symmetric."""
        return read_graphs(DOUBAN.locate(data_dir, _FILE), needs)
