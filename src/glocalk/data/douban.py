"""Douban, and the .mat format of Monti et al. that it comes in.

Source: Monti, Bronstein, Bresson, "Geometric Matrix Completion with Recurrent Multi-Graph Neural
Networks", NeurIPS 2017; `fmonti/mgcnn`.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from glocalk.data.download import Download
from glocalk.data.ratings import RatingMatrix
from glocalk.data.source import Checksum, FileSet, Source
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
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


def read_monti(path: Path, scale: tuple[float, float]) -> Split:
    """The split in a MATLAB 7.3 file with users × items matrices M, Otraining and Otest.

    M holds the ratings; the other two are not 0 where a rating trains and where it tests.

    Args:
        path: the file.
        scale: (lowest, highest) rating that the data set's scale admits.

    Raises:
        GlocalkError: no such file, its matrices differ in shape, or they make no split.
    """
    try:
        with h5py.File(path) as file:
            matrix, train, test = (_matrix(file[name]) for name in ("M", "Otraining", "Otest"))
    except (OSError, KeyError) as error:
        raise GlocalkError(
            f"'{path}' is no MATLAB 7.3 file with the matrices M, Otraining and Otest."
        ) from error
    if not matrix.shape == train.shape == test.shape:
        raise GlocalkError(
            f"The matrices M, Otraining and Otest of '{path}' differ in shape: "
            f"{matrix.shape}, {train.shape} and {test.shape}."
        )

    def part(mask: NDArray[np.float64]) -> RatingMatrix:
        users, items = np.nonzero(mask)
        return RatingMatrix(users, items, matrix[users, items], matrix.shape, scale)

    return Split("monti", train=part(train), test=part(test))


def _matrix(stored: h5py.Dataset | h5py.Group) -> NDArray[np.float64]:
    """[users, items] from a full matrix or from MATLAB's compressed columns.

    MATLAB stores columns first and HDF5 reads rows first, so that a full matrix shows up as
    items × users; compressed columns are not turned.
    """
    if isinstance(stored, h5py.Dataset):
        return np.asarray(stored, dtype=np.float64).T
    starts = np.asarray(stored["jc"], dtype=np.int64)
    # MATLAB leaves `data` and `ir` out of a matrix without entries.
    values, rows = (np.asarray(stored[k]) if k in stored else np.empty(0) for k in ("data", "ir"))
    shape = int(stored.attrs["MATLAB_sparse"]), len(starts) - 1
    columns = sparse.csc_array((values.astype(np.float64), rows.astype(np.int64), starts), shape)
    full: NDArray[np.float64] = columns.toarray()
    return full
