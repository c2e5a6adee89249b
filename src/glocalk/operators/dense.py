"""The dense formulation: full matrices, on any device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glocalk.operators.base import RatingOperator, mean_of
from glocalk.operators.convolution import global_convolution


class DenseRatings(RatingOperator):
    """R and the mask of its observed cells as full matrices.

    Args:
        users: [n] user index of each rating.
        items: [n] item index of each rating.
        ratings: [n] values, of the dtype and on the device to compute in.
        shape: (items, users).
    """

    def __init__(
        self, users: Tensor, items: Tensor, ratings: Tensor, shape: tuple[int, int]
    ) -> None:
        self.shape = shape
        self.users, self.items, self.ratings = users, items, ratings
        self.matrix = ratings.new_zeros(shape)
        self.matrix[items, users] = ratings
        self.observed = ratings.new_zeros(shape)
        self.observed[items, users] = 1

    def product(self, weight: Tensor) -> Tensor:
        return self.matrix @ weight

    def convolved_product(self, kernels: Sequence[Tensor], weight: Tensor) -> Tensor:
        return global_convolution(self.matrix, kernels) @ weight

    @torch.no_grad()
    def live_shares(self, kernels: Sequence[Tensor]) -> tuple[float, float]:
        live = global_convolution(self.matrix, kernels) > 0
        return mean_of(live), mean_of(live[self.items, self.users])

    def half_squared_error(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return _MaskedError.apply(self, hidden, weight, bias)  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.addmm(bias, hidden, weight)[self.items, self.users]


class _MaskedError(torch.autograd.Function):
    """½ Σ e² with E = (H W + b − R) ⊙ observed; gradients E Wᵀ, Hᵀ E, Σᵢ e.

    E is the only items × users matrix that is allocated; autograd would keep three.
    """

    @staticmethod
    def forward(
        ctx: Any, ratings: DenseRatings, hidden: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        errors = torch.addmm(bias, hidden, weight).sub_(ratings.matrix).mul_(ratings.observed)
        ctx.save_for_backward(hidden, weight, errors)
        return errors.square().sum(dtype=torch.float64) / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        hidden, weight, errors = ctx.saved_tensors
        return (
            None,
            gradient * (errors @ weight.T),
            gradient * (hidden.T @ errors),
            gradient * errors.sum(dim=0),
        )
