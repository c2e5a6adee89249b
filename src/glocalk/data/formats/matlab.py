"""Matrices in MATLAB files of version 7.3, which are HDF5."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from glocalk.data.formats.cells import shown, shown_path
from glocalk.data.formats.compression import check_is_file
from glocalk.data.rating_matrix import Indices, Values
from glocalk.errors import GlocalkError


@dataclass(frozen=True)
class Entries:
    """The entries of a matrix that are not 0.

    Attributes:
        cells: [n] positions row · columns + column, ascending and distinct.
        values: [n] the entries.
    """

    cells: Indices
    values: Values


class MatlabFile:
    """An open file; its matrices appear as they do in MATLAB. Use `open_matlab`.

    MATLAB stores columns first and HDF5 reads rows first, so that HDF5 shows the transpose of a
    full matrix; compressed columns are not transposed. Here, either form has its rows as rows.

    Args:
        path: the file, for error messages.
        file: the open file.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._path, self._file = path, file

    @property
    def names(self) -> list[str]:
        """Names of the variables; what MATLAB stores for itself, like `#refs#`, is left out."""
        return [name for name in self._file if not name.startswith("#")]

    def shape(self, name: str) -> tuple[int, int]:
        """(rows, columns) of a matrix, without reading its entries.

        Raises:
            GlocalkError: the variable is not a matrix of numbers.
        """
        stored = self._file[name]
        if not isinstance(stored, h5py.Dataset):
            return int(stored.attrs["MATLAB_sparse"]), stored["jc"].shape[0] - 1
        if stored.ndim != 2 or stored.dtype.kind not in "biuf":
            raise GlocalkError(
                f"'{shown(name)}' in '{shown_path(self._path)}' is not a matrix of numbers."
            )
        return stored.shape[1], stored.shape[0]

    def entries(self, name: str) -> Entries:
        """The entries of a full or sparse matrix. Check `shape` first: it may be very large.

        Raises:
            GlocalkError: it is not a matrix of numbers.
            ValueError: its parts contradict each other; `open_matlab` says it of the file.
        """
        stored, (rows, columns) = self._file[name], self.shape(name)
        if isinstance(stored, h5py.Dataset):
            full = np.asarray(stored, dtype=np.float64).T.ravel()
            filled = np.flatnonzero(full)
            return Entries(filled, full[filled])
        starts = np.asarray(stored["jc"], dtype=np.int64)
        # MATLAB leaves `data` and `ir` out of a matrix without entries.
        values = np.asarray(stored.get("data", ()), dtype=np.float64)
        row = np.asarray(stored.get("ir", ()), dtype=np.int64)
        counts = np.diff(starts)
        if not len(values) == len(row) == starts[-1] or starts[0] != 0 or (counts < 0).any():
            raise ValueError("the columns do not add up to the entries")
        if len(row) and not 0 <= row.min() <= row.max() < rows:
            raise ValueError("a row lies outside the matrix")
        cells: Indices = row * columns + np.repeat(np.arange(columns), counts)
        order = np.argsort(cells, kind="stable")
        order = order[values[order] != 0]
        cells = cells[order]
        if (np.diff(cells) == 0).any():
            raise ValueError("an entry is stored more than once")
        return Entries(cells, values[order])


@contextmanager
def open_matlab(path: Path) -> Iterator[MatlabFile]:
    """Open a MATLAB file; anything that the body cannot read is an error of the file.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it is damaged or not a MATLAB 7.3 file.
    """
    check_is_file(path)
    try:
        with h5py.File(path) as file:
            yield MatlabFile(path, file)
    except GlocalkError:
        raise
    except Exception as error:  # h5py raises a dozen kinds for damaged files
        raise GlocalkError(_unreadable(path)) from error


def _unreadable(path: Path) -> str:
    """Why a file cannot be read, as far as its first bytes tell."""
    try:
        with path.open("rb") as file:
            start = file.read(10)
    except OSError as error:
        return f"'{shown_path(path)}' cannot be read: {error.strerror}."
    if start in (b"MATLAB 5.0", b"MATLAB 7.0"):
        return f"'{shown_path(path)}' has an older MATLAB format: save it with -v7.3."
    if start == b"MATLAB 7.3" or start.startswith(b"\x89HDF"):
        return f"'{shown_path(path)}' is damaged: download or create it again."
    return f"'{shown_path(path)}' is not a MATLAB 7.3 file (HDF5): save it with -v7.3."
