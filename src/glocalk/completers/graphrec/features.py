"""Features of the nodes of a rating graph, as sparse rows, and their product with weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor
from torch.autograd.function import once_differentiable

from glocalk.operators.torch_sparse import TorchSparseRatings
from glocalk.sparse import csr
from glocalk.sparse.compiled import Array, compile_, parallel, use_threads
from glocalk.sparse.csr import CSR
from glocalk.sparse.transpose import as_array

_PARTS = 4  # column ranges of a product: their rows fit the second-level cache on ML-1M


class GraphFeatures:
    """The features of all nodes of one side, users or items: X [nodes, features].

    A node's row is its own one-hot vector, its row of the adjacency matrix, its degree as a share
    of the highest degree of the side, and what is known of it besides: nodes + others + 1 + extra
    columns, in this order.

    Args:
        nodes: [n] node of each edge.
        others: [n] its node of the other side.
        strengths: [n] the adjacency matrix's value there.
        shape: (nodes, others), how many there are.
        dtype: dtype of the features.
        extra: [nodes, extra] further features; None for none.
    """

    def __init__(
        self,
        nodes: Array,
        others: Array,
        strengths: Array,
        shape: tuple[int, int],
        dtype: torch.dtype = torch.float32,
        extra: Array | None = None,
    ) -> None:
        count, width = shape
        degrees = np.bincount(nodes, minlength=count)
        each = np.arange(count)
        rows = np.concatenate([each, nodes, each])
        columns = np.concatenate([each, count + others, np.full(count, count + width)])
        values = np.concatenate([np.ones(count), strengths, degrees / max(degrees.max(), 1)])
        if extra is not None:
            row, column = np.nonzero(extra)
            rows = np.concatenate([rows, row])
            columns = np.concatenate([columns, count + width + 1 + column])
            values = np.concatenate([values, extra[row, column]])
        self.shape = count, count + width + 1 + (0 if extra is None else extra.shape[1])
        self._gathered: TorchSparseRatings | None = None
        values = torch.from_numpy(values).to(dtype).numpy()
        self.matrix = CSR.from_triples(rows, columns, values, self.shape)
        # Bounds of column ranges with about equally many entries.
        before = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=self.shape[1]))])
        self.parts = np.searchsorted(before, np.linspace(0, before[-1], _PARTS + 1))
        self.parts[-1] = self.shape[1]

    def product(self, nodes: Tensor, weight: Tensor) -> Tensor:
        """The features of some nodes times weights.

        Args:
            nodes: [n] distinct nodes.
            weight: [features, width], on the device of `nodes`, with the dtype of the features.

        Returns:
            [n, width].
        """
        if weight.device.type == "cpu":
            return _Product.apply(self, nodes.numpy(), weight)  # type: ignore[no-any-return]
        return self.product_by_torch(nodes, weight)

    def product_by_torch(self, nodes: Tensor, weight: Tensor) -> Tensor:
        """`product` by torch's operations on any device: of all nodes, then of `nodes` [n]."""
        if self._gathered is None or self._gathered.ratings.device != weight.device:
            matrix = self.matrix
            rows = np.repeat(np.arange(matrix.shape[0]), matrix.stops - matrix.starts)
            entries = matrix.columns.astype(np.int64), rows, matrix.values
            columns, rows_of, values = (torch.from_numpy(x).to(weight.device) for x in entries)
            self._gathered = TorchSparseRatings(columns, rows_of, values, matrix.shape)
        return self._gathered.product(weight)[nodes]


class _Product(torch.autograd.Function):
    """X_n W, and its gradient X_nᵀ G, computed from the rows n alone."""

    @staticmethod
    def forward(ctx: Any, features: GraphFeatures, nodes: Array, weight: Tensor) -> Tensor:
        matrix = features.matrix
        ctx.parts = features.parts
        ctx.rows = rows = CSR(
            matrix.starts[nodes],
            matrix.stops[nodes],
            matrix.columns,
            matrix.values,
            (len(nodes), matrix.shape[1]),
        )
        return torch.from_numpy(csr.matmul(rows, as_array(weight)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        by_weight = transposed_matmul(ctx.rows, as_array(gradient), ctx.parts)
        return None, None, torch.from_numpy(by_weight)


def transposed_matmul(matrix: CSR, dense: Array, parts: Array) -> Array:
    """Sᵀ D from the rows of S: [rows, columns], [rows, width] → [columns, width].

    Sᵀ is not built: the rows differ from call to call, and transposing them takes as long as the
    product.

    Args:
        matrix: S.
        dense: D.
        parts: bounds of ranges of columns, which are distributed over the threads. The order of
            summation does not depend on them.
    """
    use_threads()
    product = np.zeros((matrix.shape[1], dense.shape[1]), dense.dtype)
    _transposed_matmul(
        matrix.starts, matrix.stops, matrix.columns, matrix.values, dense, parts, product
    )
    return product


@parallel
def _transposed_matmul(
    starts: Array, stops: Array, columns: Array, values: Array, dense: Array, parts: Array,
    product: Array,
) -> None:  # fmt: skip
    for part in prange(len(parts) - 1):
        for row in range(len(starts)):
            start = starts[row]
            mine = columns[start : stops[row]]
            begin = start + np.searchsorted(mine, parts[part])
            end = start + np.searchsorted(mine, parts[part + 1])
            _add_multiples(values, columns, begin, end, dense[row], product)


@compile_
def _add_multiples(
    values: Array, columns: Array, begin: int, end: int, row: Array, product: Array
) -> None:
    """Add values[k] · row to product[columns[k]] for begin ≤ k < end."""
    for k in range(begin, end):
        value, target = values[k], product[columns[k]]
        for j in range(len(row)):
            target[j] += value * row[j]
