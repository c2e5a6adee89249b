"""The interface through which a network uses the rating matrix.

An auto-encoder never needs the matrix R [items, users] itself. Its input is `product`, or
`convolved_product` for the convolved matrix; its output layer is compared with R in
`half_squared_error`, or computed by `outputs` where an activation follows. Each formulation (dense,
sparse, torch's sparse) implements these methods, so every network runs on each. Their values
and gradients are equal up to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from glocalk.sparse import csr
from glocalk.sparse.transpose import as_array


class RatingOperator(ABC):
    """Observed ratings R [items, users] as an operator on weights; all results are differentiable.

    Attributes:
        shape: (items, users).
        ratings: [n] the observed ratings, in an order that the operator chooses.
    """

    shape: tuple[int, int]
    ratings: Tensor

    @abstractmethod
    def product(self, weight: Tensor) -> Tensor:
        """R W, where missing ratings are 0: weight [users, hidden] → [items, hidden]."""

    @abstractmethod
    def convolved_product(self, kernels: Sequence[Tensor], weight: Tensor) -> Tensor:
        """R⁽ᴸ⁾ W with R⁽ˡ⁾ = ReLU(R⁽ˡ⁻¹⁾ ⊗ GK⁽ˡ⁾), see `global_convolution`.

        Differentiable in `weight` [users, hidden] and in every kernel [t, t].

        Returns:
            [items, hidden].
        """

    @abstractmethod
    def live_shares(self, kernels: Sequence[Tensor]) -> tuple[float, float]:
        """Shares of positive cells of R⁽ᴸ⁾: among all cells, and among those with a rating.

        Args:
            kernels: as in `convolved_product`.
        """

    @abstractmethod
    def half_squared_error(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """½ Σ (rᵢᵤ − hᵢ·wᵤ − bᵤ)² over the observed ratings.

        Args:
            hidden: [items, hidden] last hidden layer.
            weight: [hidden, users] output weights.
            bias: [users] output bias.

        Returns:
            A float64 scalar: a line search needs more digits of a large sum than float32 has.
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


def mean_of(mask: Tensor) -> float:
    """Share of true entries; 0 of none."""
    return float(mask.sum()) / max(mask.numel(), 1)


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
    # Not mean(): its gradient is a matrix of the weight's size, that of a sum is a view.
    mean_weight = weight.sum(dim=1) / weight.shape[1]
    return hidden @ mean_weight + bias.mean()


def predict_pairs(
    hidden: Tensor, weight: Tensor, bias: Tensor, users: Tensor, items: Tensor, chunk: int = 1024
) -> Tensor:
    """Predictions hᵢ·wᵤ + bᵤ of the given pairs, without the prediction matrix.

    Args:
        hidden: [items, hidden].
        weight: [hidden, users].
        bias: [users].
        users: [pairs] user indices.
        items: [pairs] item indices.
        chunk: number of pairs computed at a time on other devices than the CPU; bounds the memory.

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
