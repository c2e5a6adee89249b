"""MovieLens 100K and 1M (GroupLens). Their licence forbids redistribution of the ratings."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from glocalk.data import package_index
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.data.source import FileSet, Source
from glocalk.data.splits import Split
from glocalk.settings import Settings

_SCALE = (1.0, 5.0)

ML_100K = FileSet(
    title="MovieLens 100K",
    folder="ml-100k",
    address="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
    checksums={"u.data": "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"},
)
ML_1M = FileSet(
    title="MovieLens 1M",
    folder="ml-1m",
    address="https://files.grouplens.org/datasets/movielens/ml-1m.zip",
    # Over `user TAB item TAB rating NEWLINE` lines: copies with and without timestamps share it.
    checksums={"ratings.dat": "f0a15e409815044ff81bc0510bc092339b44716271008f12f1bda10cb93bfdeb"},
)


class MovieLens100KSettings(Settings):
    """Which of the five official folds."""

    fold: int = Field(default=1, ge=1, le=5)


class MovieLens100K(Source):
    """MovieLens 100K, an official fold u1 … u5 (disjoint test sets); the paper uses u1.

    | users | items | ratings | density | split |
    |---|---|---|---|---|
    | 943 | 1,682 | 100,000 | .0630 | 80,000 / 20,000 |

    The folds are made from `u.data` as the official script (`mku.sh`) makes them: test set i is
    its rows 20,000 (i − 1) to 20,000 i. A missing `u.data` is got from the Python package index.

    Source: https://grouplens.org/datasets/movielens/100k/ and its README.
    """

    Config = MovieLens100KSettings

    def __init__(self, config: MovieLens100KSettings) -> None:
        self.config = config

    def split(self, data_dir: Path) -> Split:
        if not ML_100K.path(data_dir, "u.data").exists():
            package_index.fetch_ml_100k(ML_100K, data_dir)
        content = ML_100K.read(data_dir, "u.data")
        ML_100K.verify(data_dir, "u.data", content)
        user_ids, item_ids, ratings = _triples(content)
        test = np.arange(len(ratings)) // 20_000 == self.config.fold - 1

        def part(rows: NDArray[np.bool_]) -> RatingMatrix:
            users, items = user_ids[rows] - 1, item_ids[rows] - 1
            return RatingMatrix(users, items, ratings[rows], (943, 1682), _SCALE)

        return Split(f"u{self.config.fold}", train=part(~test), test=part(test))


class MovieLens1MSettings(Settings):
    """Seed of the random split; the paper's is 1234, others make repeats."""

    split_seed: int = Field(default=1234, ge=0, lt=2**32)


class MovieLens1M(Source):
    """MovieLens 1M, divided 90:10 at random as the official code of GLocal-K divides it.

    | users | items | ratings | density | split |
    |---|---|---|---|---|
    | 6,040 | 3,706 | 1,000,209 | .0447 | 900,189 / 100,020 |

    Users and items are numbered in ascending order of id over all ratings. A permutation of the
    file's rows, drawn with NumPy's legacy generator, puts the first ⌊.1 n⌋ into the test set.

    Source: https://grouplens.org/datasets/movielens/1m/ and its README; `usydnlp/Glocal_K`.
    """

    Config = MovieLens1MSettings

    def __init__(self, config: MovieLens1MSettings) -> None:
        self.config = config

    def split(self, data_dir: Path) -> Split:
        lines = ML_1M.read(data_dir, "ratings.dat").splitlines()
        content = b"".join(b"\t".join(line.split(b"::")[:3]) + b"\n" for line in lines)
        ML_1M.verify(data_dir, "ratings.dat", content)
        raters, rated, ratings = _triples(content)
        user_ids, users = np.unique(raters, return_inverse=True)
        item_ids, items = np.unique(rated, return_inverse=True)
        shape = len(user_ids), len(item_ids)
        order = np.arange(len(ratings))
        np.random.RandomState(self.config.split_seed).shuffle(order)
        size = int(0.1 * len(ratings))

        def part(rows: NDArray[np.int64]) -> RatingMatrix:
            return RatingMatrix(users[rows], items[rows], ratings[rows], shape, _SCALE)

        name = f"90:10 seed {self.config.split_seed}"
        return Split(name, train=part(order[size:]), test=part(order[:size]))


def _triples(content: bytes) -> tuple[Indices, Indices, Values]:
    """User ids, item ids and ratings [n] each, of tab-separated lines."""
    columns = pd.read_csv(io.BytesIO(content), sep="\t", header=None, usecols=[0, 1, 2])
    users, items = (columns[name].to_numpy(dtype=np.int64) for name in (0, 1))
    return users, items, columns[2].to_numpy(dtype=np.float64)
