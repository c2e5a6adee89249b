"""Sparse matrices in compressed rows, and the products that models need.

Every operation is exact, and its time is proportional to the number of entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from glocalk.sparse import loops
from glocalk.sparse.compiled import CACHE, PARTS, Array, use_threads


@dataclass(frozen=True, eq=False)
class CSR:
    """A matrix [rows, columns] of which only some entries are stored, row after row.

    Attributes:
        starts: [rows] position of each row's first entry.
        stops: [rows] position after each row's last entry; unused capacity may follow.
        columns: [capacity] int32, ascending within a row.
        values: [capacity] float32 or float64.
        shape: (rows, columns).
    """

    starts: Array
    stops: Array
    columns: Array
    values: Array
    shape: tuple[int, int]

    @classmethod
    def from_triples(
        cls, rows: Array, columns: Array, values: Array, shape: tuple[int, int]
    ) -> CSR:
        """Build the matrix of `shape` with `values` at the cells (rows, columns).

        The three are [entries], in any order; no cell occurs twice.
        """
        order = np.lexsort((columns, rows))
        bounds = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
        return cls(bounds[:-1], bounds[1:], columns[order].astype(np.int32), values[order], shape)

    @cached_property
    def entries(self) -> int:
        """Number of entries."""
        return int((self.stops - self.starts).sum())

    @property
    def density(self) -> float:
        """Share of cells with an entry."""
        return self.entries / max(self.shape[0] * self.shape[1], 1)

    def with_values(self, values: Array) -> CSR:
        """Return a matrix with other values [room] at the same cells."""
        return CSR(self.starts, self.stops, self.columns, values, self.shape)

    def parts(self, count: int) -> Array:
        """Return bounds [count + 1] of row ranges with about the same number of entries each."""
        before = np.concatenate([[0], np.cumsum(self.stops - self.starts)])
        bounds = np.searchsorted(before, np.linspace(0, before[-1], count + 1))
        bounds[0], bounds[-1] = 0, self.shape[0]
        return bounds


def cells(matrix: CSR) -> Array:
    """The number, row · width + column, of each cell with an entry; ascending."""
    counts = matrix.stops - matrix.starts
    ends = np.cumsum(counts)
    # Position of each entry: its row's start and its number within the row.
    entries = np.arange(matrix.entries) + np.repeat(matrix.starts - (ends - counts), counts)
    row_starts = np.arange(matrix.shape[0], dtype=np.int64) * matrix.shape[1]
    found: Array = np.repeat(row_starts, counts) + matrix.columns[entries]
    return found


def matmul(matrix: CSR, dense: Array) -> Array:
    """Compute S D: [rows, columns] × [columns, width] → [rows, width].

    Each number is summed over the entries of its row in their order, regardless of the number
    of threads.
    """
    parts = matrix.parts(use_threads())
    # torch aligns its memory to cache lines, NumPy does not.
    dtype = torch.from_numpy(dense[:0]).dtype
    product = torch.empty((matrix.shape[0], dense.shape[1]), dtype=dtype).numpy()
    loops.matmul(matrix.starts, matrix.stops, matrix.columns, matrix.values, parts, dense, product)
    return product


def sampled_product(pattern: CSR, left: Array, right: Array) -> Array:
    """Compute L Rᵀ at the entries of `pattern`: [rows, width], [columns, width] → [capacity]."""
    samples = np.empty(len(pattern.values), left.dtype)
    loops.sampled_product(
        pattern.starts,
        pattern.stops,
        pattern.columns,
        pattern.parts(use_threads()),
        left,
        right,
        max(CACHE // (2 * right.itemsize * max(right.shape[1], 1)), 1),
        np.empty(pattern.shape[0], np.int64),
        samples,
    )
    return samples


def pair_products(left: Array, right: Array, rows: Array, columns: Array) -> Array:
    """Compute Lᵣ·R꜀ of each pair (rows[k], columns[k]): [n, width], [m, width] → [pairs]."""
    products = np.empty(len(rows), left.dtype)
    use_threads()
    loops.pair_products(left, right, rows, columns, products)
    return products


def errors(ratings: CSR, samples: Array, bias: Array) -> tuple[float, Array]:
    """Return ½ Σ e² and e [capacity], where e is `samples` + bias [columns] − rating."""
    bounds = ratings.parts(PARTS)
    squares, off = np.zeros(PARTS), np.empty_like(samples)
    use_threads()
    loops.errors(
        ratings.starts, ratings.stops, ratings.columns, ratings.values, bounds, samples, bias,
        off, squares,
    )  # fmt: skip
    return float(squares.sum()) / 2, off


def permute(matrix: CSR, order: Array, values: Array) -> tuple[CSR, Array]:
    """Return the matrix with the entries values[order], and their sum in each row."""
    permuted, sums = np.empty(len(order), values.dtype), np.empty(matrix.shape[0], values.dtype)
    use_threads()
    loops.permute(matrix.starts, matrix.stops, order, values, matrix.parts(PARTS), permuted, sums)
    return matrix.with_values(permuted), sums


def fill_rows(matrix: CSR, first: int, last: int) -> Array:
    """Return rows first … last − 1 as a dense matrix [last − first, columns]."""
    block = np.zeros((last - first, matrix.shape[1]), matrix.values.dtype)
    use_threads()
    loops.fill_rows(matrix.starts, matrix.stops, matrix.columns, matrix.values, first, block)
    return block


def take_entries(matrix: CSR, first: int, block: Array, values: Array) -> None:
    """Set values [capacity] at the entries of rows `first` … to the numbers in `block`.

    Args:
        matrix: the entries.
        first: the row that `block` begins with.
        block: [rows, columns] full rows.
        values: [capacity], changed in place.
    """
    use_threads()
    loops.take_entries(matrix.starts, matrix.stops, matrix.columns, first, block, values)
