"""The auto-encoder whose weights are multiplied by local kernels (Sec. 3.1 of the paper)."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from glocalk.completers.autoencoders.effective import effective_weight


class EffectiveLayer(NamedTuple):
    """What a layer applies to its input.

    Attributes:
        weight: W ⊙ Ŵ [inputs, outputs].
        bias: b [outputs].
    """

    weight: Tensor
    bias: Tensor


class KernelLayer(nn.Module):
    """A linear layer whose weights are multiplied by the local kernel of its units' vectors.

        y = x (W ⊙ Ŵ) + b,   Ŵ = local_kernel(u, v)
        penalty = λ₂ · ½ Σ W² + λ_s · ½ Σ Ŵ²

    The initial values are those of TensorFlow 1, on which the official code relies: W and b are
    Glorot uniform (b with its length as both fan-in and fan-out), u and v are normal with
    σ = 10⁻³, truncated at 2 σ.

    Args:
        inputs: number of input units.
        outputs: number of output units.
        dimension: length of the vectors u, v.
        generator: source of the initial values.
    """

    def __init__(
        self, inputs: int, outputs: int, dimension: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.u = nn.Parameter(torch.empty(inputs, dimension))
        self.v = nn.Parameter(torch.empty(outputs, dimension))
        self.bias = nn.Parameter(torch.empty(outputs))
        nn.init.xavier_uniform_(self.weight, generator=generator)
        for vectors in (self.u, self.v):
            truncated_normal_(vectors, 1e-3, generator)
        limit = math.sqrt(6 / (2 * outputs))
        nn.init.uniform_(self.bias, -limit, limit, generator=generator)

    def effective(self, lambda_2: float, lambda_s: float) -> tuple[EffectiveLayer, Tensor]:
        """The layer with its effective weight, and its penalty (a scalar)."""
        weight, squares, kernel_squares = effective_weight(self.weight, self.u, self.v)
        penalty = lambda_2 * squares + lambda_s * kernel_squares
        return EffectiveLayer(weight, self.bias), penalty


class KernelAutoEncoder(nn.Module):
    """A sequence of kernel layers: users → hidden → … → hidden → users, one row per item.

    Hidden layers are followed by a sigmoid, the output layer is linear. A `RatingOperator`
    multiplies the rating matrix by the first layer's weight, and compares the output with it.

    Args:
        users: number of users, the length of an item's row.
        hidden_size: number of units of each hidden layer.
        hidden_layers: number of hidden layers, at least 1.
        dimension: length of the vectors u, v.
        generator: source of the initial values.
    """

    def __init__(
        self,
        users: int,
        hidden_size: int,
        hidden_layers: int,
        dimension: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = [users, *[hidden_size] * hidden_layers, users]
        self.layers = nn.ModuleList(
            KernelLayer(inputs, outputs, dimension, generator)
            for inputs, outputs in itertools.pairwise(sizes)
        )

    def effective(self, lambda_2: float, lambda_s: float) -> tuple[list[EffectiveLayer], Tensor]:
        """All layers with their effective weights, and the sum of their penalties (a scalar).

        Call it once per evaluation of the loss: both passes of fine-tuning use the same layers,
        and the penalty is added once.
        """
        kernel_layers = (cast(KernelLayer, layer) for layer in self.layers)
        layers, penalties = zip(
            *(layer.effective(lambda_2, lambda_s) for layer in kernel_layers), strict=True
        )
        return list(layers), torch.stack(penalties).sum()


def encode(product: Tensor, layers: list[EffectiveLayer]) -> Tensor:
    """Last hidden layer, given the product of the input with the first layer's weight.

    Args:
        product: [items, hidden] input matrix times the first layer's effective weight.
        layers: all layers with their effective weights; the output layer is not applied.

    Returns:
        [items, hidden].
    """
    hidden = torch.sigmoid(product + layers[0].bias)
    for weight, bias in layers[1:-1]:
        hidden = torch.sigmoid(torch.addmm(bias, hidden, weight))
    return hidden


def truncated_normal_(tensor: Tensor, std: float, generator: torch.Generator) -> Tensor:
    """Fill `tensor` from TensorFlow's truncated normal: mean 0, truncated at 2 `std`."""
    return nn.init.trunc_normal_(tensor, 0, std, -2 * std, 2 * std, generator=generator)
