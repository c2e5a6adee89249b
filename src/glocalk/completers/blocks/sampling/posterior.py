"""The mean of samples of biases and factors, without keeping the samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glocalk.completers.blocks.singular import dense_singular
from glocalk.data.rating_matrix import Values
from glocalk.training.loop import LoopState


class Means(NamedTuple):
    """Means of w₀, of the biases of rows and columns, and of the products as left · rightᵀ."""

    constant: float
    row_biases: Values
    column_biases: Values
    left: Values
    right: Values


class PosteriorMean:
    """Running mean of the samples, with the mean product of the factors truncated to `kept_rank`.

    Args:
        shape: (rows, columns): users and items, or what else has the vectors.
        kept_rank: length of the kept vectors; the mean is exact if there are no more rows or no
            more columns than that.
    """

    def __init__(self, shape: tuple[int, int], kept_rank: int) -> None:
        self._rows, columns = shape
        self._kept_rank = kept_rank
        self._count = 0
        self._constant = 0.0
        self._biases = np.zeros(self._rows + columns)
        # left · rightᵀ is Σ v·v over the samples so far.
        self._left = np.zeros((self._rows, kept_rank))
        self._right = np.zeros((columns, kept_rank))

    def add(self, constant: float, biases: Values, vectors: Values) -> None:
        """Add one sample: w₀, w [rows + columns] and v [rows + columns, rank]."""
        self._count += 1
        self._constant += constant
        self._biases += biases
        self._left = np.hstack([self._left, vectors[: self._rows]])
        self._right = np.hstack([self._right, vectors[self._rows :]])
        if self._left.shape[1] >= 2 * self._kept_rank:
            self._truncate()

    def means(self) -> Means:
        """The mean of the samples so far."""
        self._truncate()
        return Means(
            self._constant / self._count,
            self._biases[: self._rows] / self._count,
            self._biases[self._rows :] / self._count,
            self._left / self._count,
            self._right,
        )

    def state(self, rank: int) -> LoopState:
        """The sums so far, with the product in as many columns as samples of `rank` can reach."""
        columns = self._left.shape[1]
        most = 2 * self._kept_rank + rank
        return {
            "count": self._count,
            "columns": columns,
            "constant_sum": self._constant,
            "bias_sums": self._biases,
            "left": _padded(self._left, most),
            "right": _padded(self._right, most),
        }

    def restore(self, state: LoopState) -> None:
        """Continue from what `state` returned."""
        columns = state["columns"]
        self._count, self._constant = state["count"], state["constant_sum"]
        self._biases = state["bias_sums"]
        self._left = state["left"][:, :columns].copy()
        self._right = state["right"][:, :columns].copy()

    def _truncate(self) -> None:
        """Replace the product by the nearest one of rank `kept_rank` (Eckart and Young)."""
        left, left_core = np.linalg.qr(self._left)
        right, right_core = np.linalg.qr(self._right)
        u, values, vt = dense_singular(left_core @ right_core.T)
        self._left = _padded(left @ (u * values), self._kept_rank)
        self._right = _padded(right @ vt.T, self._kept_rank)


def _padded(matrix: Values, columns: int) -> Values:
    """The first `columns` columns, filled up with zeros if there are fewer."""
    first = matrix[:, :columns]
    return np.pad(first, ((0, 0), (0, columns - first.shape[1])))
