"""What a trained auto-encoder turns a row of ratings into, for rows that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from glocalk.completers.autoencoders.layers import EffectiveLayer, encode
from glocalk.completers.base import State, take
from glocalk.inference.newcomers import Newcomers
from glocalk.operators.formulation import Formulation, make_operator

_NAMES = ("weight", "bias", "inner_weights", "inner_biases", "kernels")


@dataclass(frozen=True)
class Encoder:
    """Everything between a row of ratings and its last hidden layer.

        h(r) = g(… g(c(r) W + b) …),   c(r) = r, or ReLU(r ⊗ GK) of each kernel in turn

    g is the sigmoid, or the identity. The convolution places the row between rows without ratings:
    a new row has no place in the order of those that the network was trained on.

    Attributes:
        weight: W [columns, hidden].
        bias: b [hidden].
        inner_weights: [layers − 1, hidden, hidden] of the other hidden layers.
        inner_biases: [layers − 1, hidden].
        kernels: [convolutions, t, t] GK; none where rows are not convolved.
    """

    weight: Tensor
    bias: Tensor
    inner_weights: Tensor
    inner_biases: Tensor
    kernels: Tensor

    @classmethod
    def of(cls, layers: list[EffectiveLayer], kernels: list[Tensor]) -> Encoder:
        """From the hidden layers and the global kernels."""
        (weight, bias), *inner = layers
        width = len(bias)
        return cls(
            weight.detach(),
            bias.detach(),
            torch.stack([layer.weight.detach() for layer in inner])
            if inner
            else weight.new_empty(0, width, width),
            torch.stack([layer.bias.detach() for layer in inner])
            if inner
            else weight.new_empty(0, width),
            torch.stack([kernel.detach() for kernel in kernels])
            if kernels
            else weight.new_empty(0, 1, 1),
        )

    def from_unit(self, unit: float) -> Encoder:
        """The encoder that turns a row r into what this one makes of r / unit.

        It has the weight W / unit, also with convolutions: c(r / unit) = c(r) / unit.
        """
        return self if unit == 1 else replace(self, weight=self.weight / unit)

    def encode(self, new: Newcomers, formulation: Formulation, sigmoid: bool = True) -> Tensor:
        """Last hidden layer [newcomers, hidden].

        Args:
            new: the new rows.
            formulation: how products with them are computed.
            sigmoid: whether g is the sigmoid; otherwise the identity, and there is one layer.
        """
        # Convolutions reach so many rows up and down.
        reach = len(self.kernels) * (self.kernels.shape[-1] // 2)
        places = reach + (reach + 1) * torch.arange(len(new))
        like = self.weight
        ratings = make_operator(
            torch.tensor(new.columns, device=like.device),
            places[torch.from_numpy(new.rows)].to(like.device),
            torch.tensor(new.ratings, device=like.device, dtype=like.dtype),
            ((reach + 1) * len(new) + reach, len(like)),
            formulation,
        )
        if len(self.kernels):
            product = ratings.convolved_product(list(self.kernels), like)
        else:
            product = ratings.product(like)
        product = product[places.to(like.device)]
        if not sigmoid:
            return product + self.bias
        inner = zip(self.inner_weights, self.inner_biases, strict=True)
        layers = [EffectiveLayer(like, self.bias), *(EffectiveLayer(*layer) for layer in inner)]
        return encode(product, [*layers, layers[0]])  # `encode` leaves the output layer out

    def state(self) -> dict[str, Tensor]:
        """Every attribute under its name after `encoder_`, for `of_state`."""
        return {f"encoder_{name}": getattr(self, name) for name in _NAMES}

    @classmethod
    def of_state(
        cls, state: State, columns: int, hidden: int, layers: int, kernels: tuple[int, int]
    ) -> Encoder | None:
        """The encoder that `state` holds; None if it was saved without one.

        Args:
            state: the state.
            columns: length of a row.
            hidden: units of each hidden layer.
            layers: number of hidden layers.
            kernels: number of global kernels, and their size.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """
        if not any(f"encoder_{name}" in state for name in _NAMES):
            return None
        number, size = kernels
        shapes = (
            (columns, hidden),
            (hidden,),
            (layers - 1, hidden, hidden),
            (layers - 1, hidden),
            (number, size, size),
        )
        parts = zip(_NAMES, shapes, strict=True)
        return cls(*(take(state, f"encoder_{name}", shape) for name, shape in parts))


def append(hidden: Tensor, new: Newcomers, rows: Tensor) -> Tensor:
    """[all, hidden] the hidden layers of all rows.

    Args:
        hidden: [known, hidden].
        new: the new rows.
        rows: [newcomers, ≤ hidden] theirs; units that they lack are 0.
    """
    extended = hidden.new_zeros(new.size, hidden.shape[1])
    extended[: len(hidden)] = hidden
    extended[torch.from_numpy(new.indices)] = F.pad(rows, (0, hidden.shape[1] - rows.shape[1]))
    return extended
