"""Sparse matrices in compressed rows, and the products that models need.

Every operation is exact, and its time is proportional to the number of entries.

A product with an m × 500 matrix is bound by the cache, not by arithmetic: each entry of S reads one
row of it. So `add_rows` takes four rows at a time, which loads and stores the sum a quarter as
often, and `sampled_product` works on a few hundred rows at a time, which stay in the second-level
cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numba import prange

from glocalk.sparse.compiled import (
    CACHE,
    PARTS,
    Array,
    compile_,
    dot,
    parallel,
    summing,
    use_threads,
)


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
    _matmul(matrix.starts, matrix.stops, matrix.columns, matrix.values, parts, dense, product)
    return product


@compile_
def add_rows(
    values: Array, columns: Array, begin: int, end: int, dense: Array, total: Array
) -> None:
    """Add values[k] · dense[columns[k]] to `total` [width], for begin ≤ k < end in this order."""
    k = begin
    while k + 3 < end:
        a, b, c, d = values[k], values[k + 1], values[k + 2], values[k + 3]
        w, x = dense[columns[k]], dense[columns[k + 1]]
        y, z = dense[columns[k + 2]], dense[columns[k + 3]]
        for j in range(len(total)):
            number = total[j] + a * w[j]
            number += b * x[j]
            number += c * y[j]
            total[j] = number + d * z[j]
        k += 4
    while k < end:
        value, row = values[k], dense[columns[k]]
        for j in range(len(total)):
            total[j] += value * row[j]
        k += 1


def sampled_product(pattern: CSR, left: Array, right: Array) -> Array:
    """Compute L Rᵀ at the entries of `pattern`: [rows, width], [columns, width] → [capacity]."""
    samples = np.empty(len(pattern.values), left.dtype)
    _sampled_product(
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
    _pair_products(left, right, rows, columns, products)
    return products


def errors(ratings: CSR, samples: Array, bias: Array) -> tuple[float, Array]:
    """Return ½ Σ e² and e [capacity], where e is `samples` + bias [columns] − rating."""
    bounds = ratings.parts(PARTS)
    squares, off = np.zeros(PARTS), np.empty_like(samples)
    use_threads()
    _errors(
        ratings.starts, ratings.stops, ratings.columns, ratings.values, bounds, samples, bias,
        off, squares,
    )  # fmt: skip
    return float(squares.sum()) / 2, off


def permute(matrix: CSR, order: Array, values: Array) -> tuple[CSR, Array]:
    """Return the matrix with the entries values[order], and their sum in each row."""
    permuted, sums = np.empty(len(order), values.dtype), np.empty(matrix.shape[0], values.dtype)
    use_threads()
    _permute(matrix.starts, matrix.stops, order, values, matrix.parts(PARTS), permuted, sums)
    return matrix.with_values(permuted), sums


def fill_rows(matrix: CSR, first: int, last: int) -> Array:
    """Return rows first … last − 1 as a dense matrix [last − first, columns]."""
    block = np.zeros((last - first, matrix.shape[1]), matrix.values.dtype)
    use_threads()
    _fill_rows(matrix.starts, matrix.stops, matrix.columns, matrix.values, first, block)
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
    _take_entries(matrix.starts, matrix.stops, matrix.columns, first, block, values)


@summing
def _four_dots(
    row: Array, w: Array, x: Array, y: Array, z: Array
) -> tuple[float, float, float, float]:
    """Multiply a row by four others at a time, which loads it a quarter as often."""
    zero = row.dtype.type(0)
    a, b, c, d = zero, zero, zero, zero
    for j in range(len(row)):
        a += row[j] * w[j]
        b += row[j] * x[j]
        c += row[j] * y[j]
        d += row[j] * z[j]
    return a, b, c, d


@summing
def _sum(values: Array, begin: int, end: int) -> Any:
    total = values.dtype.type(0)
    for k in range(begin, end):
        total += values[k]
    return total


@summing
def _sum_of_squares(values: Array, begin: int, end: int) -> float:
    total = 0.0
    for k in range(begin, end):
        total += np.float64(values[k]) * np.float64(values[k])
    return total


@parallel
def _matmul(
    starts: Array, stops: Array, columns: Array, values: Array, parts: Array, dense: Array,
    product: Array,
) -> None:  # fmt: skip
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            product[row] = 0
            add_rows(values, columns, starts[row], stops[row], dense, product[row])


@parallel
def _sampled_product(
    starts: Array, stops: Array, columns: Array, parts: Array, left: Array, right: Array,
    height: int, cursor: Array, samples: Array,
) -> None:  # fmt: skip
    """Each thread takes a range of rows, and goes through `right` by blocks of `height` rows."""
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            cursor[row] = starts[row]
        for first in range(0, right.shape[0], height):
            limit = first + height
            for row in range(parts[part], parts[part + 1]):
                mine = left[row]
                k, stop = cursor[row], stops[row]
                while k + 3 < stop and columns[k + 3] < limit:
                    w, x = right[columns[k]], right[columns[k + 1]]
                    y, z = right[columns[k + 2]], right[columns[k + 3]]
                    a, b, c, d = _four_dots(mine, w, x, y, z)
                    samples[k], samples[k + 1], samples[k + 2], samples[k + 3] = a, b, c, d
                    k += 4
                while k < stop and columns[k] < limit:
                    samples[k] = dot(mine, right[columns[k]])
                    k += 1
                cursor[row] = k


@parallel
def _pair_products(left: Array, right: Array, rows: Array, columns: Array, products: Array) -> None:
    for k in prange(len(rows)):
        products[k] = dot(left[rows[k]], right[columns[k]])


@parallel
def _errors(
    starts: Array, stops: Array, columns: Array, values: Array, parts: Array, samples: Array,
    bias: Array, off: Array, squares: Array,
) -> None:  # fmt: skip
    for part in prange(len(parts) - 1):
        total = 0.0
        for row in range(parts[part], parts[part + 1]):
            for k in range(starts[row], stops[row]):
                off[k] = samples[k] + bias[columns[k]] - values[k]
            total += _sum_of_squares(off, starts[row], stops[row])
        squares[part] = total


@parallel
def _permute(
    starts: Array, stops: Array, order: Array, values: Array, parts: Array, permuted: Array,
    sums: Array,
) -> None:  # fmt: skip
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            for k in range(starts[row], stops[row]):
                permuted[k] = values[order[k]]
            sums[row] = _sum(permuted, starts[row], stops[row])


@parallel
def _fill_rows(
    starts: Array, stops: Array, columns: Array, values: Array, first: int, block: Array
) -> None:
    for row in prange(len(block)):
        for k in range(starts[first + row], stops[first + row]):
            block[row, columns[k]] = values[k]


@parallel
def _take_entries(
    starts: Array, stops: Array, columns: Array, first: int, block: Array, values: Array
) -> None:
    for row in prange(len(block)):
        for k in range(starts[first + row], stops[first + row]):
            values[k] = block[row, columns[k]]
