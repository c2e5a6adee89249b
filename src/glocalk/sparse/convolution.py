"""Convolution of a sparse matrix, as an image with few nonzero pixels, and its gradients.

Exact; the time is proportional to the number of entries. `csr.py` defines the matrices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from glocalk.sparse.compiled import PARTS, Array, compile_, parallel, summing, use_threads
from glocalk.sparse.csr import CSR


def dilate(matrix: CSR, reach: int) -> CSR:
    """The cells within `reach` rows and columns of an entry, without values."""
    rows, columns = matrix.shape
    counts = np.empty(rows, np.int64)
    arguments = matrix.starts, matrix.stops, matrix.columns, columns, reach, matrix.parts(PARTS)
    use_threads()
    _dilate_count(*arguments, counts)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    cells = np.empty(bounds[-1], np.int32)
    _dilate_fill(*arguments, bounds, cells)
    return CSR(bounds[:-1], bounds[1:], cells, np.empty(0), matrix.shape)


def convolve(matrix: CSR, kernel: Array, cells: CSR) -> CSR:
    """The positive entries of S ⊗ K, a cross-correlation with zero padding: ReLU(S ⊗ K).

    Args:
        matrix: [rows, columns].
        kernel: [t, t], t odd.
        cells: where to look; at least the cells that K reaches from entries of S, see `dilate`.
    """
    live = np.empty(len(cells.columns), np.int32)
    values = np.empty(len(cells.columns), matrix.values.dtype)
    stops = np.empty(matrix.shape[0], np.int64)
    use_threads()
    _convolve(
        matrix.starts, matrix.stops, matrix.columns, matrix.values, matrix.shape[1], kernel,
        cells.starts, cells.stops, cells.columns, cells.parts(PARTS), stops, live, values,
    )  # fmt: skip
    return CSR(cells.starts, stops, live, values, matrix.shape)


def kernel_gradient(matrix: CSR, convolved: CSR, gradient: Array, size: int) -> Array:
    """Gradient with respect to K [size, size].

    `gradient` is that with respect to the entries of `convolved` = ReLU(S ⊗ K).
    """
    parts = np.zeros((PARTS, size, size))
    use_threads()
    _kernel_gradient(
        matrix.starts, matrix.stops, matrix.columns, matrix.values, matrix.shape[1],
        convolved.starts, convolved.stops, convolved.columns, convolved.parts(PARTS),
        gradient, parts,
    )  # fmt: skip
    total: Array = parts.sum(axis=0).astype(gradient.dtype)
    return total


def entry_gradient(matrix: CSR, convolved: CSR, gradient: Array, kernel: Array) -> Array:
    """Gradient with respect to the entries of S.

    Args:
        matrix: [rows, columns] S.
        convolved: ReLU(S ⊗ K), from `convolve`.
        gradient: [room of `convolved`] with respect to its entries.
        kernel: [t, t] K.

    Returns:
        [room of `matrix`].
    """
    by_entry = np.empty_like(matrix.values)
    use_threads()
    _entry_gradient(
        matrix.starts, matrix.stops, matrix.columns, matrix.shape[1], matrix.parts(PARTS),
        convolved.starts, convolved.stops, convolved.columns, gradient, kernel, by_entry,
    )  # fmt: skip
    return by_entry


@summing
def _gathered_dot(
    spread: Array, columns: Array, values: Array, begin: int, end: int, shift: int
) -> Any:
    """Σ spread[columns[k] + shift] values[k] over begin ≤ k < end."""
    total = values.dtype.type(0)
    for k in range(begin, end):
        total += spread[columns[k] + shift] * values[k]
    return total


@compile_
def _mark_row(
    starts: Array, stops: Array, columns: Array, reach: int, row: int, marks: Array
) -> None:
    """Mark the cells of `row` within `reach` of an entry; marks[0] is column −reach."""
    marks[:] = 0
    for source in range(max(row - reach, 0), min(row + reach + 1, len(starts))):
        for k in range(starts[source], stops[source]):
            for shift in range(2 * reach + 1):
                marks[columns[k] + shift] = 1


@parallel
def _dilate_count(
    starts: Array, stops: Array, columns: Array, width: int, reach: int, parts: Array,
    counts: Array,
) -> None:  # fmt: skip
    for part in prange(len(parts) - 1):
        marks = np.zeros(width + 2 * reach, np.uint8)
        for row in range(parts[part], parts[part + 1]):
            _mark_row(starts, stops, columns, reach, row, marks)
            count = 0
            for c in range(width):
                count += marks[c + reach]
            counts[row] = count


@parallel
def _dilate_fill(
    starts: Array, stops: Array, columns: Array, width: int, reach: int, parts: Array,
    bounds: Array, cells: Array,
) -> None:  # fmt: skip
    for part in prange(len(parts) - 1):
        marks = np.zeros(width + 2 * reach, np.uint8)
        for row in range(parts[part], parts[part + 1]):
            _mark_row(starts, stops, columns, reach, row, marks)
            k = bounds[row]
            for c in range(width):
                if marks[c + reach]:
                    cells[k] = c
                    k += 1


@parallel
def _convolve(
    starts: Array, stops: Array, columns: Array, values: Array, width: int, kernel: Array,
    cell_starts: Array, cell_stops: Array, cells: Array, parts: Array, live_stops: Array,
    live: Array, live_values: Array,
) -> None:  # fmt: skip
    size = kernel.shape[0]
    half = size // 2
    for part in prange(len(parts) - 1):
        sums = np.empty(width + 2 * half, values.dtype)  # sums[0] is column −half
        for row in range(parts[part], parts[part + 1]):
            sums[:] = 0
            for a in range(size):
                source = row + a - half
                if 0 <= source < len(starts):
                    # Column c receives S[source, c + b − half] · K[a, b].
                    for b in range(size):
                        factor, shift = kernel[a, b], 2 * half - b
                        for k in range(starts[source], stops[source]):
                            sums[columns[k] + shift] += factor * values[k]
            k = cell_starts[row]
            for at in range(cell_starts[row], cell_stops[row]):
                cell = cells[at]
                value = sums[cell + half]
                # Always written, but kept only if positive: this avoids a branch.
                live[k] = cell
                live_values[k] = value
                k += value > 0
            live_stops[row] = k


@parallel
def _kernel_gradient(
    starts: Array, stops: Array, columns: Array, values: Array, width: int, live_starts: Array,
    live_stops: Array, live: Array, parts: Array, gradient: Array, sums: Array,
) -> None:  # fmt: skip
    size = sums.shape[1]
    half = size // 2
    for part in prange(len(parts) - 1):
        spread = np.zeros(width + 2 * half, gradient.dtype)  # spread[0] is column −half
        for row in range(parts[part], parts[part + 1]):
            for k in range(live_starts[row], live_stops[row]):
                spread[live[k] + half] = gradient[k]
            for a in range(size):
                source = row + a - half
                if 0 <= source < len(starts):
                    for b in range(size):
                        sums[part, a, b] += _gathered_dot(
                            spread, columns, values, starts[source], stops[source], 2 * half - b
                        )
            for k in range(live_starts[row], live_stops[row]):
                spread[live[k] + half] = 0


@parallel
def _entry_gradient(
    starts: Array, stops: Array, columns: Array, width: int, parts: Array, live_starts: Array,
    live_stops: Array, live: Array, gradient: Array, kernel: Array, by_entry: Array,
) -> None:  # fmt: skip
    size = kernel.shape[0]
    half = size // 2
    for part in prange(len(parts) - 1):
        spread = np.zeros(width + 2 * half, gradient.dtype)  # spread[0] is column −half
        for row in range(parts[part], parts[part + 1]):
            for k in range(starts[row], stops[row]):
                by_entry[k] = 0
            for a in range(size):
                # The entry contributes to the convolved row `row − a + half` through K[a, ·].
                target = row - a + half
                if 0 <= target < len(live_starts):
                    for k in range(live_starts[target], live_stops[target]):
                        spread[live[k] + half] = gradient[k]
                    for k in range(starts[row], stops[row]):
                        last = columns[k] + 2 * half
                        for b in range(size):
                            by_entry[k] += kernel[a, b] * spread[last - b]
                    for k in range(live_starts[target], live_stops[target]):
                        spread[live[k] + half] = 0
