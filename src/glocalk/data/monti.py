"""Data sets in the .mat format of Monti et al. (NeurIPS 2017), Douban among them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from glocalk.data.ratings import RatingMatrix
from glocalk.data.source import FileSet, Source
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.settings import Settings

_FILE = "training_test_dataset.mat"
DOUBAN = FileSet(
    title="Douban",
    folder="douban",
    address=f"https://github.com/fmonti/mgcnn (Data/douban/{_FILE})",
    checksums={_FILE: "1f4476321cbfe0f606e7e35d0695ca15447a1b0b2c811df130109b6cb9a067ae"},
)


class DoubanSettings(Settings):
    """No options."""


class Douban(Source):
    """Douban, the subset and the split of Monti et al.

    | users | items | ratings | density | split |
    |---|---|---|---|---|
    | 3,000 | 3,000 | 136,891 | .0152 | 123,202 / 13,689 |

    Source: Monti, Bronstein, Bresson, NeurIPS 2017; `fmonti/mgcnn`.
    """

    Config = DoubanSettings

    def __init__(self, config: DoubanSettings) -> None:
        self.config = config

    def split(self, data_dir: Path) -> Split:
        DOUBAN.verify(data_dir, _FILE, DOUBAN.read(data_dir, _FILE))
        return read_monti(DOUBAN.path(data_dir, _FILE), scale=(1.0, 5.0))


def read_monti(path: Path, scale: tuple[float, float]) -> Split:
    """A split from a MATLAB 7.3 file with users × items matrices M, Otraining and Otest.

    M holds the ratings, the other two mark which of them train and which test. MATLAB stores
    columns first, so that HDF5 shows every matrix transposed, items × users.

    Args:
        path: the file.
        scale: lowest and highest rating.

    Raises:
        GlocalkError: not such a file, or ratings off the scale.
    """
    try:
        with h5py.File(path) as file:
            matrix, train, test = (_matrix(file[name]) for name in ("M", "Otraining", "Otest"))
    except (OSError, KeyError) as error:
        raise GlocalkError(
            f"'{path}' is no MATLAB 7.3 file with the matrices M, Otraining and Otest."
        ) from error
    if not matrix.shape == train.shape == test.shape:
        raise GlocalkError(f"The matrices M, Otraining and Otest of '{path}' differ in shape.")

    def part(mask: NDArray[np.float64]) -> RatingMatrix:
        users, items = np.nonzero(mask)
        return RatingMatrix(users, items, matrix[users, items], matrix.shape, scale)

    return Split("monti", train=part(train), test=part(test))


def _matrix(stored: h5py.Dataset | h5py.Group) -> NDArray[np.float64]:
    """[users, items] from a full matrix or from MATLAB's compressed columns."""
    if isinstance(stored, h5py.Dataset):
        return np.asarray(stored, dtype=np.float64).T
    values, rows, starts = (np.asarray(stored[name]) for name in ("data", "ir", "jc"))
    shape = (int(stored.attrs["MATLAB_sparse"]), len(starts) - 1)
    return sparse.csc_array((values.astype(np.float64), rows, starts), shape=shape).toarray()
