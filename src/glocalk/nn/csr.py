"""Sparse matrices in compressed rows, and the few operations that GLocal-K needs of them.

Every operation is exact, costs time with the entries of the matrix (and, for convolutions, a
scan of its cells), uses all threads, and gives the same bits for the same input and number of
threads. Arrays are NumPy's; torch tensors on the CPU share their memory with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

_CHUNKS = 32  # a loop's rows are divided into so many parts of about equal entries


@dataclass(frozen=True, eq=False)
class CSR:
    """A matrix [rows, columns] of which only `values` are stored, row after row.

    Attributes:
        starts: [rows + 1] position of each row's first entry, and the number of entries.
        columns: [entries] int32, ascending within a row.
        values: [entries] float32 or float64.
        shape: (rows, columns).
    """

    starts: Array
    columns: Array
    values: Array
    shape: tuple[int, int]

    @property
    def density(self) -> float:
        """Share of cells with an entry."""
        return len(self.values) / max(self.shape[0] * self.shape[1], 1)

    @property
    def chunks(self) -> Array:
        """Bounds of ranges of rows that hold about equally many entries."""
        aims = np.linspace(0, len(self.values), _CHUNKS + 1)
        bounds = np.searchsorted(self.starts, aims, side="left")
        bounds[0], bounds[-1] = 0, self.shape[0]
        return bounds

    def transpose(self) -> tuple[CSR, Array]:
        """The transposed matrix, and the position in this one of each of its entries."""
        starts, columns, order = _transpose(self.starts, self.columns, self.shape[1])
        return CSR(starts, columns, self.values[order], self.shape[::-1]), order


def matmul(matrix: CSR, dense: Array) -> Array:
    """S D: [rows, columns] × [columns, width] → [rows, width]."""
    product = np.empty((matrix.shape[0], dense.shape[1]), dense.dtype)
    _matmul(matrix.starts, matrix.columns, matrix.values, matrix.chunks, dense, product)
    return product


def sampled_product(pattern: CSR, left: Array, right: Array) -> Array:
    """L Rᵀ at the entries of `pattern`: [rows, width], [columns, width] → [entries]."""
    samples = np.empty(len(pattern.values), left.dtype)
    _sampled(pattern.starts, pattern.columns, pattern.chunks, left, right, samples)
    return samples


def squared_error(
    ratings: CSR, left: Array, right: Array, bias: Array
) -> tuple[float, Array, Array]:
    """½ Σ (l_r·r_c + b_c − value)² over the entries, and what its gradients are made of.

    Args:
        ratings: the values to reach.
        left: [rows, width].
        right: [columns, width].
        bias: [columns].

    Returns:
        The sum; the errors l_r·r_c + b_c − value [entries]; the gradient by `left`
        [rows, width].
    """
    errors, gradient = np.empty_like(ratings.values), np.empty_like(left)
    total = _squared_error(
        ratings.starts,
        ratings.columns,
        ratings.values,
        ratings.chunks,
        left,
        right,
        bias,
        errors,
        gradient,
    )
    return total, errors, gradient


def convolve(matrix: CSR, kernel: Array) -> CSR:
    """ReLU(S ⊗ K), cross-correlation with zeros around: its positive cells [rows, columns]."""
    rows, columns = matrix.shape
    arguments = matrix.starts, matrix.columns, matrix.values, columns, kernel
    chunks = matrix.chunks
    starts = np.zeros(rows + 1, np.int64)
    _convolve_count(*arguments, chunks, starts)
    np.cumsum(starts, out=starts)
    cells, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], matrix.values.dtype)
    _convolve_fill(*arguments, chunks, starts, cells, values)
    return CSR(starts, cells, values, matrix.shape)


def kernel_gradient(matrix: CSR, convolved: CSR, gradient: Array, size: int) -> Array:
    """Gradient by K [size, size], given that by the entries of `convolved` = ReLU(S ⊗ K)."""
    parts = np.zeros((_CHUNKS, size, size))
    _kernel_gradient(
        matrix.starts,
        matrix.columns,
        matrix.values,
        convolved.starts,
        convolved.columns,
        gradient,
        matrix.shape[1],
        convolved.chunks,
        parts,
    )
    total: Array = parts.sum(axis=0).astype(gradient.dtype)
    return total


def entry_gradient(matrix: CSR, convolved: CSR, gradient: Array, kernel: Array) -> Array:
    """Gradient by the entries of S, given that by the entries of `convolved` = ReLU(S ⊗ K)."""
    by_entry = np.empty_like(matrix.values)
    _entry_gradient(
        matrix.starts,
        matrix.columns,
        convolved.starts,
        convolved.columns,
        gradient,
        matrix.shape[1],
        kernel,
        matrix.chunks,
        by_entry,
    )
    return by_entry


_parallel = numba.njit(parallel=True, fastmath=True, cache=True, nogil=True)


@numba.njit(cache=True)
def _transpose(starts, columns, num_columns):
    begin = np.zeros(num_columns + 1, np.int64)
    for column in columns:
        begin[column + 1] += 1
    begin = np.cumsum(begin)
    rows, order = np.empty(len(columns), np.int32), np.empty(len(columns), np.int64)
    free = begin[:-1].copy()
    for row in range(len(starts) - 1):
        for k in range(starts[row], starts[row + 1]):
            at = free[columns[k]]
            free[columns[k]] += 1
            rows[at], order[at] = row, k
    return begin, rows, order


@_parallel
def _matmul(starts, columns, values, chunks, dense, product):
    width = dense.shape[1]
    for chunk in prange(len(chunks) - 1):
        for row in range(chunks[chunk], chunks[chunk + 1]):
            out = product[row]
            out[:] = 0
            k, end = starts[row], starts[row + 1]
            # Four rows of `dense` at a time: `out` is loaded and stored a quarter as often.
            while k + 3 < end:
                a, b, c, d = values[k], values[k + 1], values[k + 2], values[k + 3]
                w, x = dense[columns[k]], dense[columns[k + 1]]
                y, z = dense[columns[k + 2]], dense[columns[k + 3]]
                for j in range(width):
                    out[j] += a * w[j] + b * x[j] + c * y[j] + d * z[j]
                k += 4
            while k < end:
                a, w = values[k], dense[columns[k]]
                for j in range(width):
                    out[j] += a * w[j]
                k += 1


@_parallel
def _sampled(starts, columns, chunks, left, right, samples):
    width = left.shape[1]
    for chunk in prange(len(chunks) - 1):
        for row in range(chunks[chunk], chunks[chunk + 1]):
            mine = left[row]
            for k in range(starts[row], starts[row + 1]):
                theirs = right[columns[k]]
                dot = mine[0] * 0
                for j in range(width):
                    dot += mine[j] * theirs[j]
                samples[k] = dot


@_parallel
def _squared_error(starts, columns, values, chunks, left, right, bias, errors, gradient):
    width = left.shape[1]
    sums = np.zeros(len(chunks) - 1)
    for chunk in prange(len(chunks) - 1):
        total = 0.0
        for row in range(chunks[chunk], chunks[chunk + 1]):
            mine, out = left[row], gradient[row]
            out[:] = 0
            for k in range(starts[row], starts[row + 1]):
                theirs = right[columns[k]]
                dot = mine[0] * 0
                for j in range(width):
                    dot += mine[j] * theirs[j]
                error = dot + bias[columns[k]] - values[k]
                for j in range(width):  # `theirs` is in the first-level cache now
                    out[j] += error * theirs[j]
                errors[k] = error
                total += np.float64(error) * np.float64(error)
        sums[chunk] = total
    return sums.sum() / 2


@numba.njit(fastmath=True, cache=True, nogil=True)
def _convolved_row(starts, columns, values, kernel, row, out):
    """One row of S ⊗ K, not rectified; `out` has `kernel.shape[0] // 2` spare cells at each end."""
    half = kernel.shape[0] // 2
    out[:] = 0
    for a in range(kernel.shape[0]):
        source = row + a - half
        if 0 <= source < len(starts) - 1:
            for k in range(starts[source], starts[source + 1]):
                # out[c] takes S[source, c + b − half] · K[a, b]; `out` begins at c = −half.
                last = columns[k] + 2 * half
                for b in range(kernel.shape[1]):
                    out[last - b] += kernel[a, b] * values[k]


@_parallel
def _convolve_count(starts, columns, values, num_columns, kernel, chunks, counts):
    half = kernel.shape[0] // 2
    for chunk in prange(len(chunks) - 1):
        out = np.empty(num_columns + 2 * half, values.dtype)
        for row in range(chunks[chunk], chunks[chunk + 1]):
            _convolved_row(starts, columns, values, kernel, row, out)
            live = 0
            for c in range(num_columns):
                live += out[c + half] > 0
            counts[row + 1] = live


@_parallel
def _convolve_fill(
    starts, columns, values, num_columns, kernel, chunks, new_starts, new_columns, new_values
):
    half = kernel.shape[0] // 2
    for chunk in prange(len(chunks) - 1):
        out = np.empty(num_columns + 2 * half, values.dtype)
        for row in range(chunks[chunk], chunks[chunk + 1]):
            _convolved_row(starts, columns, values, kernel, row, out)
            k = new_starts[row]
            for c in range(num_columns):
                if out[c + half] > 0:
                    new_columns[k], new_values[k] = c, out[c + half]
                    k += 1


@_parallel
def _kernel_gradient(
    starts, columns, values, live_starts, live_columns, gradient, num_columns, chunks, parts
):
    size = parts.shape[1]
    half = size // 2
    for chunk in prange(len(chunks) - 1):
        spread = np.zeros(num_columns + 2 * half, gradient.dtype)
        part = parts[chunk]
        for row in range(chunks[chunk], chunks[chunk + 1]):
            for k in range(live_starts[row], live_starts[row + 1]):
                spread[live_columns[k] + half] = gradient[k]
            for a in range(size):
                source = row + a - half
                if 0 <= source < len(starts) - 1:
                    for k in range(starts[source], starts[source + 1]):
                        last = columns[k] + 2 * half
                        for b in range(size):
                            part[a, b] += spread[last - b] * values[k]
            for k in range(live_starts[row], live_starts[row + 1]):
                spread[live_columns[k] + half] = 0


@_parallel
def _entry_gradient(
    starts, columns, live_starts, live_columns, gradient, num_columns, kernel, chunks, by_entry
):
    size = kernel.shape[0]
    half = size // 2
    for chunk in prange(len(chunks) - 1):
        spread = np.zeros(num_columns + 2 * half, gradient.dtype)
        for row in range(chunks[chunk], chunks[chunk + 1]):
            by_entry[starts[row] : starts[row + 1]] = 0
            for a in range(size):
                # The entry enters the convolved row `row − a + half` with K[a, ·].
                target = row - a + half
                if 0 <= target < len(live_starts) - 1:
                    for k in range(live_starts[target], live_starts[target + 1]):
                        spread[live_columns[k] + half] = gradient[k]
                    for k in range(starts[row], starts[row + 1]):
                        last = columns[k] + 2 * half
                        for b in range(size):
                            by_entry[k] += kernel[a, b] * spread[last - b]
                    for k in range(live_starts[target], live_starts[target + 1]):
                        spread[live_columns[k] + half] = 0
