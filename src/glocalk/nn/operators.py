"""What an auto-encoder over ratings needs of the rating matrix, behind four functions.

The matrix R [items, users] never enters a network as such: it enters through `product`, its
convolution through `convolved_product`, and the output layer meets it in `half_squared_error`, or
in `outputs` where something comes between the layer and the error. A formulation (dense here;
exact and sparse elsewhere) implements the four, and every network written on them runs on either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glocalk.nn import csr
from glocalk.nn.kernels import global_convolution
from glocalk.nn.transpose import as_array


class RatingOperator(ABC):
    """Observed ratings R [items, users] as an operator on weights; all results differentiable.

    Attributes:
        shape: (items, users).
        ratings: [n] the observed ratings, in an order of the operator's own.
    """

    shape: tuple[int, int]
    ratings: Tensor

    @abstractmethod
    def product(self, weight: Tensor) -> Tensor:
        """R W, missing ratings counting 0: weight [users, hidden] → [items, hidden]."""

    @abstractmethod
    def convolved_product(self, kernels: Sequence[Tensor], weight: Tensor) -> Tensor:
        """R⁽ᴸ⁾ W with R⁽ˡ⁾ = ReLU(R⁽ˡ⁻¹⁾ ⊗ GK⁽ˡ⁾), see `global_convolution`.

        Differentiable in `weight` [users, hidden] and in every kernel [t, t].

        Returns:
            [items, hidden].
        """

    @abstractmethod
    def half_squared_error(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """½ Σ (rᵢᵤ − hᵢ·wᵤ − bᵤ)² over the observed ratings.

        Args:
            hidden: [items, hidden] last hidden layer.
            weight: [hidden, users] output weights.
            bias: [users] output bias.

        Returns:
            Scalar, float64: a line search needs more digits of a large sum than float32 has.
        """

    @abstractmethod
    def outputs(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """hᵢ·wᵤ + bᵤ at the observed ratings.

        Args:
            hidden: [items, hidden] last hidden layer.
            weight: [hidden, users] output weights.
            bias: [users] output bias.

        Returns:
            [n], in the order of `ratings`.
        """


def mean_prediction(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Each item's prediction averaged over all users, without the prediction matrix.

        μᵢ = (1/m) Σᵤ (hᵢ·wᵤ + bᵤ) = hᵢ·w̄ + b̄

    Args:
        hidden: [items, hidden].
        weight: [hidden, users].
        bias: [users].

    Returns:
        [items] pooled predictions, not clipped.
    """
    # A sum's gradient is a view, where a mean's is a matrix of the weight's size.
    mean_weight = weight.sum(dim=1) / weight.shape[1]
    return hidden @ mean_weight + bias.mean()


def predict_pairs(
    hidden: Tensor, weight: Tensor, bias: Tensor, users: Tensor, items: Tensor, chunk: int = 1024
) -> Tensor:
    """Predictions hᵢ·wᵤ + bᵤ at the pairs asked for, and nowhere else.

    Args:
        hidden: [items, hidden].
        weight: [hidden, users].
        bias: [users].
        users: [pairs] user indices.
        items: [pairs] item indices.
        chunk: pairs gathered at a time, which bounds the memory, where not on the CPU.

    Returns:
        [pairs] predictions, not clipped.
    """
    if hidden.device.type == "cpu" and hidden.dtype in (torch.float32, torch.float64):
        arrays = (as_array(tensor) for tensor in (hidden, weight.T, items, users))
        return torch.from_numpy(csr.pair_products(*arrays)).add_(bias[users])
    by_user = weight.T.contiguous()
    parts = [
        torch.linalg.vecdot(hidden[i], by_user[u]) + bias[u]
        for u, i in zip(torch.split(users, chunk), torch.split(items, chunk), strict=True)
    ]
    return torch.cat(parts) if parts else bias.new_empty(0)


class DenseRatings(RatingOperator):
    """The dense formulation: R and its mask as full matrices, every product a matrix product.

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

    def half_squared_error(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return _MaskedError.apply(self, hidden, weight, bias)  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.addmm(bias, hidden, weight)[self.items, self.users]


class _MaskedError(torch.autograd.Function):
    """½ Σ e² with E = (H W + b − R) ⊙ observed; gradients E Wᵀ, Hᵀ E, Σᵢ e.

    E is the one items × users matrix made; autograd would keep three.
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
