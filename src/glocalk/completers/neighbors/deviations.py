"""The deviations that neighborhood models predict from, and similarities of their rows."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from glocalk.completers.neighbors.loops import shared_sums
from glocalk.data.rating_matrix import Indices, Values
from glocalk.sparse.compiled import Array
from glocalk.sparse.csr import CSR

Similarity: TypeAlias = Literal["cosine", "pearson"]

_ITSELF = -2.0  # similarity of a row to itself, below all others: a row is not its own neighbor
# Deviations that are this small relative to all others are rounding errors of 0.
_ROUNDING = 1e-6


class Deviations:
    """Deviations of the ratings from the baseline, by row and by column.

    Those of rows that were folded in are by row alone, where their similarities are computed from,
    and those of such columns by column alone, where neighbors with a deviation are looked for.

    Args:
        rows: [n] row of each deviation.
        columns: [n] column of each deviation.
        values: [n] deviations.
        shape: (rows, columns).
        trained: number of them that are of training ratings; the others, which follow, are of
            rows or columns without training ratings.
    """

    def __init__(
        self,
        rows: Indices,
        columns: Indices,
        values: Values,
        shape: tuple[int, int],
        trained: int,
    ) -> None:
        self.rows, self.columns, self.values, self.trained = rows, columns, values, trained
        of_row, of_column = (
            np.bincount(side[:trained], minlength=size)[side] > 0
            for side, size in zip((rows, columns), shape, strict=True)
        )
        self.by_row = CSR.from_triples(
            rows[of_column], columns[of_column], values[of_column], shape
        )
        self.by_column = CSR.from_triples(
            columns[of_row], rows[of_row], values[of_row], shape[::-1]
        )
        self.rounding = _ROUNDING**2 * float(np.mean(values[:trained] ** 2))

    def similarities(self, rows: Indices, kind: Similarity, shrinkage: float) -> Array:
        """Similarity [rows, all rows] of the given rows to all rows, in float32.

        Correlations are rounded to float32 before they are shrunk, so that equal ones have equal
        bits regardless of the order of their sums.
        """
        sums = shared_sums(self.by_row, self.by_column, rows)
        n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
        some = np.maximum(n, 1)
        if kind == "pearson":
            xx, yy, xy = xx - x * x / some, yy - y * y / some, xy - x * y / some
        nonzero = (xx > n * self.rounding) & (yy > n * self.rounding)
        correlations = np.where(nonzero, xy, 0) / np.sqrt(np.where(nonzero, xx * yy, 1))
        shrunk = np.clip(correlations, -1, 1).astype(np.float32)
        shrunk *= (some / (some + shrinkage)).astype(np.float32)
        shrunk[np.arange(len(rows)), rows] = _ITSELF
        return shrunk
