"""MovieLens 100K and 1M.

(c) GroupLens, for research use: the READMEs forbid commercial use and redistribution without
permission, and ask users to cite Harper and Konstan, "The MovieLens Datasets: History and
Context", ACM TiiS 5(4), 2015.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from glocalk.config import ADDED
from glocalk.data.datasets.movielens_rows import read_rows
from glocalk.data.datasets.movielens_side import (
    ML_1M_ITEMS,
    ML_1M_USERS,
    ML_100K_GRAPHS,
    ML_100K_ITEMS,
    ML_100K_USERS,
    ml_1m_items,
    ml_1m_users,
    ml_100k_graph,
    ml_100k_items,
    ml_100k_users,
)
from glocalk.data.divided import DividedSetConfig
from glocalk.data.divisions import RatingOrder
from glocalk.data.fetch.checksum import Checksum
from glocalk.data.fetch.download import Download
from glocalk.data.fetch.files import FileSet
from glocalk.data.fetch.package_index import PackageIndex
from glocalk.data.ids import Ids
from glocalk.data.rating_matrix import Indices
from glocalk.data.side.dates import RatingDates
from glocalk.data.side.information import Need, SideInformation
from glocalk.data.sources import Source, divide
from glocalk.data.splits import Split

SCALE = (1.0, 5.0)
_LICENSE = "research only, no redistribution"


def content_sha256(path: Path) -> str:
    """SHA-256 over `user TAB item TAB rating NEWLINE`, in file order.

    It is the same for the official `ratings.dat` and for copies without timestamps.
    """
    rows = (line.split(b"::")[:3] for line in path.read_bytes().splitlines())
    return hashlib.sha256(b"".join(b"\t".join(row) + b"\n" for row in rows)).hexdigest()


def rebuild_u_data(inter: bytes) -> bytes:
    """`u.data`, byte for byte, from RecBole's `ml-100k.inter`.

    Args:
        inter: a header, and the 100,000 ratings in the order of `u.data`.

    Returns:
        `user TAB item TAB rating TAB timestamp`, without a header.

    Raises:
        ValueError: these are not ratings.
    """
    ratings = pd.read_csv(io.BytesIO(inter), sep="\t").astype(np.int64)  # 3 or 3.0
    return ratings.to_csv(sep="\t", header=False, index=False, lineterminator="\n").encode()


_ADDRESS = "https://files.grouplens.org/datasets/movielens"
ML_100K = FileSet(
    title="MovieLens 100K",
    folder="ml-100k",
    address=f"{_ADDRESS}/ml-100k.zip",
    files={"u.data": Checksum("06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490")},
    places=(
        Download(
            name="GroupLens",
            address=f"{_ADDRESS}/ml-100k.zip",
            limit=20_000_000,  # bytes; the archive has about 5 million
            member="ml-100k/u.data",
            member_limit=1_979_173,  # exactly
        ),
        # The wheel of RecBole (`RUCAIBox/RecBole`), for machines that do not reach GroupLens.
        PackageIndex(
            file="u.data",
            requirement=(
                "recbole==1.2.1 --hash=sha256:"
                "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
            ),
            member="recbole/dataset_example/ml-100k/ml-100k.inter",
            convert=rebuild_u_data,
        ),
    ),
    license=_LICENSE,
)
ML_1M = FileSet(
    title="MovieLens 1M",
    folder="ml-1m",
    address=f"{_ADDRESS}/ml-1m.zip",
    files={
        "ratings.dat": Checksum(
            "f0a15e409815044ff81bc0510bc092339b44716271008f12f1bda10cb93bfdeb", content_sha256
        )
    },
    places=(
        Download(
            name="GroupLens",
            address=f"{_ADDRESS}/ml-1m.zip",
            limit=20_000_000,  # bytes; the archive has about 6 million
            member="ml-1m/ratings.dat",
            member_limit=32_000_000,  # 1,000,209 rows of at most 27 bytes, with some margin
        ),
    ),
    license=_LICENSE,
)


class MovieLens100KConfig(DividedSetConfig):
    """Options of MovieLens 100K."""

    own_folds: ClassVar[int | None] = 5

    fold: int = Field(
        default=1,
        ge=0,
        description="official fold, u1 to u5, the paper uses u1; with folds and split_seed, one of "
        "those drawn",
    )
    split_seed: Annotated[int | None, ADDED] = Field(
        default=None,
        ge=0,
        description="seed of a random 90:10 split, which takes the place of the fold, or of random "
        "folds",
    )

    @model_validator(mode="after")
    def _are_official_or_drawn(self) -> Self:
        if self.folds not in (None, self.own_folds) and self.split_seed is None:
            raise ValueError(
                f"{self.folds} folds are drawn with data.split_seed=0: the official ones are five"
            )
        return self

    @property
    def _has_draw(self) -> bool:
        return self.split != "time"

    @property
    def divides(self) -> bool:
        """Whether the options ask for another split than an official or a 90:10 one."""
        drawn = self.folds is not None and self.split_seed is not None
        return drawn or self.split is not None


class MovieLens100K(Source):
    """MovieLens 100K, split into training and test ratings by one of its official folds u1 … u5.

    | users | items | ratings | density | training / test |
    |---|---|---|---|---|
    | 943 | 1,682 | 100,000 | .0630 | 80,000 / 20,000 |

    With `split_seed`, a random tenth of the ratings are the test ratings instead, as in papers that
    do not use the folds. Without it, `folds=5` are the official folds.

    All folds are rebuilt from `u.data` by the rule of the official script `mku.sh`: the test set
    of fold i is the i-th fifth of the rows, in file order. One verified file thus yields all five.

    Source: https://grouplens.org/datasets/movielens/100k/ and its README.
    """

    Config = MovieLens100KConfig

    def __init__(self, config: MovieLens100KConfig) -> None:
        self.config = config

    @classmethod
    def file_sets(cls) -> tuple[FileSet, ...]:
        return (ML_100K,)

    def split(self, data_dir: Path) -> Split:
        users, items, ratings, seconds = read_rows(ML_100K.locate(data_dir, "u.data"), "\t")
        name, test = f"u{self.config.fold}", np.arange(100_000) // 20_000 == self.config.fold - 1
        if self.config.split_seed is not None:
            name = f"90:10 seed {self.config.split_seed}"
            order = np.random.default_rng(self.config.split_seed).permutation(len(ratings))
            test = np.isin(np.arange(len(ratings)), order[: len(ratings) // 10])
        triples, shape = (users - 1, items - 1, ratings), (943, 1682)
        ids = Ids(np.arange(1, shape[0] + 1), np.arange(1, shape[1] + 1))
        parts: dict[Need, Any] = {
            "user attributes": lambda: ml_100k_users(data_dir, ids),
            "item attributes": lambda: ml_100k_items(data_dir, ids),
            "user graph": lambda: ml_100k_graph(data_dir, "W_users"),
            "item graph": lambda: ml_100k_graph(data_dir, "W_movies"),
            **_dates(users - 1, items - 1, seconds, shape[1]),
        }
        own = divide(name, triples, test, shape, SCALE, ids, side=SideInformation(parts))
        in_time = _order(users - 1, items - 1, seconds, shape[1]) if self.config.split else None
        return self.config.divided(own, in_time)

    @classmethod
    def side_file_sets(cls) -> Mapping[Need, FileSet]:
        return {
            "user attributes": ML_100K_USERS,
            "item attributes": ML_100K_ITEMS,
            "user graph": ML_100K_GRAPHS,
            "item graph": ML_100K_GRAPHS,
        }


class MovieLens1MConfig(DividedSetConfig):
    """Options of MovieLens 1M."""

    split_seed: int = Field(
        default=1234,
        ge=0,
        lt=2**32,
        description="seed of the random split, for which the official code uses 1234, or of folds",
    )

    @property
    def _has_draw(self) -> bool:
        return self.split != "time"


class MovieLens1M(Source):
    """MovieLens 1M, split 90:10 at random in the same way as in the official code of GLocal-K.

    | users | items | ratings | density | training / test |
    |---|---|---|---|---|
    | 6,040 | 3,706 | 1,000,209 | .0447 | 900,189 / 100,020 |

    Users and items are numbered in ascending order of their ids over all ratings. NumPy's legacy
    generator shuffles the rows of the file; the first ⌊.1 n⌋ of them are the test ratings.

    Source: https://grouplens.org/datasets/movielens/1m/ and its README; `usydnlp/Glocal_K`.
    """

    Config = MovieLens1MConfig

    def __init__(self, config: MovieLens1MConfig) -> None:
        self.config = config

    @classmethod
    def file_sets(cls) -> tuple[FileSet, ...]:
        return (ML_1M,)

    def split(self, data_dir: Path) -> Split:
        stored = read_rows(ML_1M.locate(data_dir, "ratings.dat"), "::")
        user_ids, users = np.unique(stored[0], return_inverse=True)
        item_ids, items = np.unique(stored[1], return_inverse=True)
        order = np.arange(len(users))
        np.random.RandomState(self.config.split_seed).shuffle(order)
        test = np.zeros(len(users), dtype=bool)
        test[order[: int(0.1 * len(users))]] = True
        shape = len(user_ids), len(item_ids)
        name = f"90:10 seed {self.config.split_seed}"
        triples, ids = (users, items, stored[2]), Ids(user_ids, item_ids)
        parts: dict[Need, Any] = {
            "user attributes": lambda: ml_1m_users(data_dir, ids),
            "item attributes": lambda: ml_1m_items(data_dir, ids),
            **_dates(users, items, stored[3], shape[1]),
        }
        own = divide(name, triples, test, shape, SCALE, ids, side=SideInformation(parts))
        in_time = _order(users, items, stored[3], shape[1]) if self.config.split else None
        return self.config.divided(own, in_time)

    @classmethod
    def side_file_sets(cls) -> Mapping[Need, FileSet]:
        return {"user attributes": ML_1M_USERS, "item attributes": ML_1M_ITEMS}


def _dates(
    users: Indices, items: Indices, seconds: Indices | None, num_items: int
) -> dict[Need, RatingDates]:
    """When the ratings were given, where the file says it."""
    if seconds is None:
        return {}
    return {"rating dates": RatingDates.from_seconds(users, items, seconds, num_items)}


def _order(
    users: Indices, items: Indices, seconds: Indices | None, num_items: int
) -> RatingOrder | None:
    """The order of the ratings in time, where the file says it."""
    return None if seconds is None else RatingOrder.by_time(users * num_items + items, seconds)
