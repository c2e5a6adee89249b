"""Matrices in MATLAB files of version 7.3, which are HDF5.

What a file declares is checked before anything is read: a matrix that HDF5 fills without storing
it, or one that lies in another file, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from glocalk.data.formats.compression import check_is_file
from glocalk.data.formats.sizes import MAX_BYTES, ZEROS, check_unpacked
from glocalk.data.rating_matrix import Indices, Values
from glocalk.errors import GlocalkError, shown

_ENTRY = 8  # bytes of an entry as a float, or of its place
_BLOCK = 1 << 25  # bytes of a full matrix that are read at once
_PARTS = ("jc", "ir", "data")  # of a sparse matrix: where columns start, rows, values


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
        max_bytes: the largest size of a matrix; see `glocalk.data.formats.sizes`.
    """

    def __init__(self, path: Path, file: h5py.File, max_bytes: int = MAX_BYTES) -> None:
        self._path, self._file, self._max_bytes = path, file, max_bytes

    @property
    def names(self) -> list[str]:
        """Names of the variables; what MATLAB stores for itself, like `#refs#`, is left out."""
        return [name for name in self._file if not name.startswith("#")]

    def shape(self, name: str) -> tuple[int, int]:
        """(rows, columns) of a matrix, without reading its entries.

        Raises:
            GlocalkError: the variable is not a matrix of numbers, is not in the file itself, or
                takes much more memory than the file.
        """
        stored = self._stored(self._file, name)
        if isinstance(stored, h5py.Dataset):
            if stored.ndim != 2 or stored.dtype.kind not in "biuf":
                raise self._not_a_matrix(name)
            self._check_full(stored)
            return stored.shape[1], stored.shape[0]
        if "MATLAB_sparse" not in stored.attrs or "jc" not in stored:
            raise self._not_a_matrix(name)
        parts = [self._stored(stored, part) for part in _PARTS if part in stored]
        if not all(isinstance(part, h5py.Dataset) and part.ndim == 1 for part in parts):
            raise self._not_a_matrix(name)
        rows, columns = int(stored.attrs["MATLAB_sparse"]), parts[0].shape[0] - 1
        self._check(_ENTRY * (rows + sum(part.size for part in parts)))
        for part in parts:
            self._check(_chunk_size(part))
        return rows, columns

    def entries(self, name: str) -> Entries:
        """The entries of a full or sparse matrix.

        Raises:
            GlocalkError: see `shape`.
            ValueError: its parts contradict each other; `open_matlab` says it of the file.
        """
        (rows, columns), stored = self.shape(name), self._file[name]
        if isinstance(stored, h5py.Dataset):
            return self._full_entries(stored)
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

    def _full_entries(self, stored: h5py.Dataset) -> Entries:
        """Block by block, because most entries of a rating matrix are 0."""
        cells, values, count = [], [], 0
        for at in _blocks(stored):
            block = np.asarray(stored[at], dtype=np.float64)
            column, row = np.nonzero(block)
            values.append(block[column, row])
            cells.append((row + at[1].start) * stored.shape[0] + column + at[0].start)
            count += len(row)
            self._check(2 * _ENTRY * count)
        every = np.concatenate(cells)
        order = np.argsort(every)
        return Entries(every[order], np.concatenate(values)[order])

    def _stored(self, group: h5py.Group, name: str) -> h5py.Dataset | h5py.Group:
        """A variable that is stored in this file."""
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise self._elsewhere(name)
        stored = group[name]
        if not isinstance(stored, h5py.Dataset | h5py.Group):
            raise self._not_a_matrix(name)
        if isinstance(stored, h5py.Dataset) and (stored.external or stored.is_virtual):
            raise self._elsewhere(name)
        return stored

    def _check_full(self, stored: h5py.Dataset) -> None:
        in_file = stored.id.get_storage_size()
        size = _ENTRY * math.prod(stored.shape)
        check_unpacked(self._path, size, self._max_bytes, in_file, ZEROS)
        self._check(_chunk_size(stored))

    def _check(self, size: int) -> None:
        check_unpacked(self._path, size, self._max_bytes)

    def _not_a_matrix(self, name: str) -> GlocalkError:
        return GlocalkError(f"'{shown(name)}' in '{self._path}' is not a matrix of numbers.")

    def _elsewhere(self, name: str) -> GlocalkError:
        return GlocalkError(
            f"'{shown(name)}' in '{self._path}' is a link or is stored in another "
            "file, which is not read: save the matrix itself."
        )


def _chunk_size(stored: h5py.Dataset) -> int:
    """Bytes of one chunk, which HDF5 unpacks as a whole, however little of it is in use."""
    return max(_ENTRY, int(stored.dtype.itemsize)) * math.prod(stored.chunks or ())


def _blocks(stored: h5py.Dataset) -> Iterator[tuple[slice, slice]]:
    """Slices that cover a full matrix, each made of whole chunks."""
    height, width = stored.chunks or (1, stored.shape[1])
    cells = _BLOCK // _ENTRY
    width = min(stored.shape[1], width * max(1, cells // (height * width)))
    height = min(stored.shape[0], height * max(1, cells // (height * width)))
    for top in range(0, stored.shape[0], height):
        for left in range(0, stored.shape[1], width):
            yield slice(top, top + height), slice(left, left + width)


@contextmanager
def open_matlab(path: Path, max_bytes: int = MAX_BYTES) -> Iterator[MatlabFile]:
    """Open a MATLAB file; anything that the body cannot read is an error of the file.

    Args:
        path: the file.
        max_bytes: see `MatlabFile`.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it is damaged or not a MATLAB 7.3 file.
    """
    check_is_file(path)
    try:
        with h5py.File(path) as file:
            yield MatlabFile(path, file, max_bytes)
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
        return f"'{path}' cannot be read: {error.strerror}."
    if start in (b"MATLAB 5.0", b"MATLAB 7.0"):
        return f"'{path}' has an older MATLAB format: save it with -v7.3."
    if start == b"MATLAB 7.3" or start.startswith(b"\x89HDF"):
        return f"'{path}' is damaged: download or create it again."
    return f"'{path}' is not a MATLAB 7.3 file (HDF5): save it with -v7.3."
