"""What an auto-encoder over ratings needs of the rating matrix, behind four functions.

The matrix R [items, users] never enters a network as such: it enters through `product`, its
convolution through `convolved_product`, and the output layer meets it in `half_squared_error`, or
in `outputs` where something comes between the layer and the error. A formulation (dense here;
exact and sparse elsewhere) implements the four, and every network written on them runs on either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from glocalk.sparse import csr
from glocalk.sparse.transpose import as_array


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
