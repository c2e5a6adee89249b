"""The sparse formulation with torch's sparse matrices: any device, but more time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from glocalk.operators.base import RatingOperator, predict_pairs
from glocalk.operators.convolution import global_convolution

_BLOCK = 512  # rows of the convolved matrix at a time


class TorchSparseRatings(RatingOperator):
    """Observed ratings as torch sparse matrices, by item and by user.

    The convolved matrix is computed in blocks of full rows. They are not kept for the backward
    pass but computed again.

    Args:
        users: [n] user index of each rating.
        items: [n] item index of each rating.
        ratings: [n] values, float32 or float64, of the dtype and on the device to compute on.
        shape: (items, users).
    """

    def __init__(
        self, users: Tensor, items: Tensor, ratings: Tensor, shape: tuple[int, int]
    ) -> None:
        self.shape = shape
        order = torch.argsort(items * shape[1] + users)
        self.users, self.items, self.ratings = users[order], items[order], ratings[order]
        # Position of each rating in the order by (user, item).
        self.order = torch.argsort(self.users, stable=True)
        self.item_starts = _starts(self.items, shape[0])
        self.user_starts = _starts(self.users, shape[1])

    def by_item(self, values: Tensor) -> Tensor:
        """Sparse [items, users] with `values` [ratings] at the observed cells."""
        return _csr(self.item_starts, self.users, values, self.shape)

    def by_user(self, values: Tensor) -> Tensor:
        """The same matrix transposed."""
        order = self.order
        return _csr(self.user_starts, self.items[order], values[order], self.shape[::-1])

    def product(self, weight: Tensor) -> Tensor:
        return _Product.apply(self, weight)  # type: ignore[no-any-return]

    def half_squared_error(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        errors = self.outputs(hidden, weight, bias) - self.ratings
        return errors.square().sum(dtype=torch.float64) / 2

    def outputs(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return _Outputs.apply(self, hidden, weight, bias)  # type: ignore[no-any-return]

    def convolved_product(self, kernels: Sequence[Tensor], weight: Tensor) -> Tensor:
        starts = range(0, self.shape[0], _BLOCK)
        blocks = [
            checkpoint(self._convolved_block, start, weight, *kernels, use_reentrant=False)
            for start in starts
        ]
        return torch.cat(blocks) if blocks else weight.new_zeros(0, weight.shape[1])

    @torch.no_grad()
    def live_shares(self, kernels: Sequence[Tensor]) -> tuple[float, float]:
        live, live_rated = 0, 0
        for start in range(0, self.shape[0], _BLOCK):
            positive = self._convolved_rows(start, kernels) > 0
            entries = slice(*self.item_starts[[start, start + len(positive)]].tolist())
            live += int(positive.sum())
            live_rated += int(positive[self.items[entries] - start, self.users[entries]].sum())
        cells = self.shape[0] * self.shape[1]
        return live / max(cells, 1), live_rated / max(len(self.ratings), 1)

    def _convolved_block(self, start: int, weight: Tensor, *kernels: Tensor) -> Tensor:
        """The block of rows of the convolved matrix that begins at `start`, times the weight."""
        return self._convolved_rows(start, kernels) @ weight

    def _convolved_rows(self, start: int, kernels: Sequence[Tensor]) -> Tensor:
        """The block of rows of the convolved matrix that begins at `start`."""
        stop = min(start + _BLOCK, self.shape[0])
        # The block and the rows around it that reach it. Beyond the matrix, every layer pads with
        # zeros, so the range ends there.
        reach = sum(kernel.shape[0] // 2 for kernel in kernels)
        first, last = max(start - reach, 0), min(stop + reach, self.shape[0])
        entries = slice(int(self.item_starts[first]), int(self.item_starts[last]))
        rows = self.ratings.new_zeros(last - first, self.shape[1])
        rows[self.items[entries] - first, self.users[entries]] = self.ratings[entries]
        return global_convolution(rows, kernels)[start - first : stop - first]


class _Product(torch.autograd.Function):
    """R W and its gradient Rᵀ G."""

    @staticmethod
    def forward(ctx: Any, ratings: TorchSparseRatings, weight: Tensor) -> Tensor:
        ctx.ratings = ratings
        product: Tensor = torch.sparse.mm(ratings.by_item(ratings.ratings), weight)
        return product

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        ratings: TorchSparseRatings = ctx.ratings
        return None, torch.sparse.mm(ratings.by_user(ratings.ratings), gradient)


class _Outputs(torch.autograd.Function):
    """hᵢ·wᵤ + bᵤ; gradients G Wᵀ, (Gᵀ H)ᵀ, Σᵢ g with respect to hidden, weight and bias.

    G [items, users] holds the gradients with respect to the outputs at the observed cells.
    """

    @staticmethod
    def forward(
        ctx: Any, ratings: TorchSparseRatings, hidden: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        ctx.ratings = ratings
        ctx.save_for_backward(hidden, weight)
        return predict_pairs(hidden, weight, bias, ratings.users, ratings.items)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        hidden, weight = ctx.saved_tensors
        ratings: TorchSparseRatings = ctx.ratings
        by_user = ratings.by_user(gradient)
        return (
            None,
            torch.sparse.mm(ratings.by_item(gradient), weight.T.contiguous()),
            torch.sparse.mm(by_user, hidden).T,
            torch.sparse.mm(by_user, hidden.new_ones(len(hidden), 1))[:, 0],
        )


def _starts(rows: Tensor, count: int) -> Tensor:
    """[count + 1] bounds of each row's entries."""
    bounds = rows.new_zeros(count + 1)
    torch.cumsum(torch.bincount(rows, minlength=count), dim=0, out=bounds[1:])
    return bounds


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    with torch.sparse.check_sparse_tensor_invariants(False):
        return torch.sparse_csr_tensor(starts, columns, values, shape)
