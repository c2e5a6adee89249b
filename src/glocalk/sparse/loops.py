"""Compiled loops over the entries of matrices in compressed rows; `glocalk.sparse.csr` calls them.

A product with an m × 500 matrix is bound by the cache, not by arithmetic: each entry of S reads one
row of it. So `add_rows` takes four rows at a time, which loads and stores the sum a quarter as
often, and `sampled_product` works on a few hundred rows at a time, which stay in the second-level
cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from glocalk.sparse.compiled import Array, compile_, dot, parallel, summing


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
def matmul(
    starts: Array, stops: Array, columns: Array, values: Array, parts: Array, dense: Array,
    product: Array,
) -> None:  # fmt: skip
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            product[row] = 0
            add_rows(values, columns, starts[row], stops[row], dense, product[row])


@parallel
def sampled_product(
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
def pair_products(left: Array, right: Array, rows: Array, columns: Array, products: Array) -> None:
    for k in prange(len(rows)):
        products[k] = dot(left[rows[k]], right[columns[k]])


@parallel
def errors(
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
def permute(
    starts: Array, stops: Array, order: Array, values: Array, parts: Array, permuted: Array,
    sums: Array,
) -> None:  # fmt: skip
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            for k in range(starts[row], stops[row]):
                permuted[k] = values[order[k]]
            sums[row] = _sum(permuted, starts[row], stops[row])


@parallel
def fill_rows(
    starts: Array, stops: Array, columns: Array, values: Array, first: int, block: Array
) -> None:
    for row in prange(len(block)):
        for k in range(starts[first + row], stops[first + row]):
            block[row, columns[k]] = values[k]


@parallel
def take_entries(
    starts: Array, stops: Array, columns: Array, first: int, block: Array, values: Array
) -> None:
    for row in prange(len(block)):
        for k in range(starts[first + row], stops[first + row]):
            values[k] = block[row, columns[k]]
