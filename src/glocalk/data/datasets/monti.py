"""The .mat format of Monti et al., which Douban, Flixster and YahooMusic come in.

Source: Monti, Bronstein, Bresson, "Geometric Matrix Completion with Recurrent Multi-Graph Neural
Networks", NeurIPS 2017; `fmonti/mgcnn`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from glocalk.data.datasets.table import UserFileConfig
from glocalk.data.formats.cells import shown, shown_path
from glocalk.data.formats.compression import check_is_file
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.data.sources import Source
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError

_MATRICES = ("M", "Otraining", "Otest")
# The side of the rating matrix that each graph joins: 0 users, 1 items.
_GRAPHS = {"W_users": 0, "W_movies": 1, "W_tracks": 1}


class MontiConfig(UserFileConfig):
    """Options of a file in the format of Monti et al.: where it is, and its scale."""


class Monti(Source):
    """A data set in the format of Monti et al., with the split that its file holds.

    Rows of MATLAB's matrices are users, columns are items. Users and items have no ids but their
    positions, counted from 0.

    Source: Monti et al. 2017; `fmonti/mgcnn`.
    """

    Config = MontiConfig

    def __init__(self, config: MontiConfig) -> None:
        self.config = config

    def split(self, data_dir: Path) -> Split:  # noqa: ARG002 (the file lies where its path says)
        return read_monti(self.config.path, self.config.scale)


def read_monti(path: Path, scale: tuple[float, float] | None = None) -> Split:
    """The split in a MATLAB 7.3 file with users × items matrices M, Otraining and Otest.

    M holds the ratings; the other two are not 0 where a rating trains and where it tests. Graphs
    of users (W_users) and of items (W_movies, W_tracks) may be there; only their sizes are read.

    Args:
        path: the file.
        scale: (lowest, highest) rating that the data set's scale admits; None reads it from the
            ratings.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it is damaged or another file, lacks a matrix, its matrices differ in shape
            or contradict one another, or they make no split.
    """
    check_is_file(path)
    try:
        with h5py.File(path) as file:
            _check_is_whole(path, file)
            shape = _shape(path, file)
            ratings, train, test = (_entries(file[name], shape) for name in _MATRICES)
    except GlocalkError:
        raise
    except Exception as error:  # h5py raises a dozen kinds for damaged files
        raise GlocalkError(_no_hdf5(path)) from error
    for name, mask in (("Otraining", train), ("Otest", test)):
        unrated = mask.cells[~np.isin(mask.cells, ratings.cells)]
        if len(unrated):
            user, item = divmod(int(unrated[0]), shape[1])
            raise GlocalkError(
                f"{name} of '{shown_path(path)}' marks user {user}, item {item} (counted from 0), "
                "where M has no rating."
            )
    both = np.intersect1d(train.cells, test.cells)
    if len(both):
        user, item = divmod(int(both[0]), shape[1])
        raise GlocalkError(
            f"Otraining and Otest of '{shown_path(path)}' both mark user {user}, item {item} "
            "(counted from 0): a test rating must not be trained on."
        )
    values = [ratings.values[np.searchsorted(ratings.cells, m.cells)] for m in (train, test)]
    every = np.concatenate(values)
    if not np.isfinite(every).all():
        raise GlocalkError(
            f"M of '{shown_path(path)}' holds {every[~np.isfinite(every)][0]:g} for a rating: mend "
            "the file."
        )
    if scale is None:
        scale = (float(every.min()), float(every.max())) if len(every) else (0.0, 0.0)

    def part(mask: _Entries, marked: Values) -> RatingMatrix:
        users, items = np.divmod(mask.cells, shape[1])
        return RatingMatrix(users, items, marked, shape, scale)

    return Split("monti", train=part(train, values[0]), test=part(test, values[1]))


@dataclass(frozen=True)
class _Entries:
    """What a matrix holds that is not 0.

    Attributes:
        cells: [n] positions user · items + item, ascending, none twice.
        values: [n] what stands there.
    """

    cells: Indices
    values: Values


def _entries(stored: h5py.Dataset | h5py.Group, shape: tuple[int, int]) -> _Entries:
    """The entries of a full matrix or of MATLAB's compressed columns.

    MATLAB stores columns first and HDF5 reads rows first, so that a full matrix shows up as
    items × users; compressed columns are not turned.
    """
    if isinstance(stored, h5py.Dataset):
        full = np.asarray(stored, dtype=np.float64).T.ravel()
        filled = np.flatnonzero(full)
        return _Entries(filled, full[filled])
    starts = np.asarray(stored["jc"], dtype=np.int64)
    # MATLAB leaves `data` and `ir` out of a matrix without entries.
    values = np.asarray(stored.get("data", ()), dtype=np.float64)
    rows = np.asarray(stored.get("ir", ()), dtype=np.int64)
    counts = np.diff(starts)
    if not len(values) == len(rows) == starts[-1] or starts[0] != 0 or (counts < 0).any():
        raise ValueError("the columns do not add up to the entries")
    columns = np.repeat(np.arange(shape[1]), counts)
    if len(rows) and not 0 <= rows.min() <= rows.max() < shape[0]:
        raise ValueError("a row lies outside the matrix")
    cells: Indices = rows * shape[1] + columns
    order = np.argsort(cells, kind="stable")
    order = order[values[order] != 0]
    cells = cells[order]
    if (np.diff(cells) == 0).any():
        raise ValueError("an entry stands twice")
    return _Entries(cells, values[order])


def _shape(path: Path, file: h5py.File) -> tuple[int, int]:
    """(users, items) of the three matrices, after a check of the graphs'."""
    # Shapes before contents: damage to one must not ask for more memory than there is.
    shape, train, test = (_shape_of(path, name, file[name]) for name in _MATRICES)
    if not shape == train == test:
        raise GlocalkError(
            f"The matrices M, Otraining and Otest of '{shown_path(path)}' differ in shape: "
            f"{shape}, {train} and {test}."
        )
    if not all(shape):
        raise GlocalkError(f"The matrices of '{shown_path(path)}' are empty.")
    for name, side in _GRAPHS.items():
        if name not in file:
            continue
        graph = _shape_of(path, name, file[name])
        if graph != (shape[side], shape[side]):
            raise GlocalkError(
                f"The graph {name} of '{shown_path(path)}' has shape {graph}, not "
                f"{(shape[side], shape[side])}: it joins the {('users', 'items')[side]} of M, "
                f"which has {shape[0]} users × {shape[1]} items."
            )
    return shape


def _shape_of(path: Path, name: str, stored: h5py.Dataset | h5py.Group) -> tuple[int, int]:
    if not isinstance(stored, h5py.Dataset):
        return int(stored.attrs["MATLAB_sparse"]), stored["jc"].shape[0] - 1
    if stored.ndim != 2 or stored.dtype.kind not in "biuf":
        raise GlocalkError(f"'{name}' in '{shown_path(path)}' is no matrix of numbers.")
    return stored.shape[1], stored.shape[0]


def _check_is_whole(path: Path, file: h5py.File) -> None:
    if missing := [name for name in _MATRICES if name not in file]:
        # What MATLAB keeps for itself, `#refs#` and the like, is none of the user's matrices.
        held = ", ".join(shown(name) for name in file if not name.startswith("#"))
        raise GlocalkError(
            f"'{shown_path(path)}' has no matrix {missing[0]}: it must hold M, Otraining and "
            f"Otest, and holds {held or 'none'}."
        )


def _no_hdf5(path: Path) -> str:
    """Why a file cannot be read, as far as its first bytes tell."""
    try:
        with path.open("rb") as file:
            start = file.read(10)
    except OSError as error:
        return f"'{shown_path(path)}' cannot be read: {error.strerror}."
    if start in (b"MATLAB 5.0", b"MATLAB 7.0"):
        return (
            f"'{shown_path(path)}' is an older MATLAB file: save it with -v7.3, so that it is HDF5."
        )
    if start == b"MATLAB 7.3" or start.startswith(b"\x89HDF"):
        return f"'{shown_path(path)}' is damaged: get or make it again."
    return f"'{shown_path(path)}' is no MATLAB 7.3 file, which is HDF5: save it with -v7.3."
