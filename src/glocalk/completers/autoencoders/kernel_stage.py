"""The auto-encoder with local kernels and its training: all of SparseFC, GLocal-K's first stage.

p(R) = output(hidden(R)),   loss = ½ Σ_observed (r − p)² + Σ_layers (λ₂ ½ΣW² + λ_s ½ΣŴ²)
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from glocalk.completers.autoencoders.base import AutoEncoderConfig
from glocalk.completers.autoencoders.encoder import Encoder
from glocalk.completers.autoencoders.layers import EffectiveLayer, KernelAutoEncoder, encode
from glocalk.completers.autoencoders.stage import AutoEncoderStage, Output
from glocalk.operators.base import RatingOperator


class KernelConfig(AutoEncoderConfig):
    """Options of the auto-encoder with local kernels, in the papers' notation.

    The defaults are those published for MovieLens 100K.
    """

    hidden_layers: int = Field(default=2, ge=1, description="number of hidden layers")
    kernel_dimension: int = Field(default=5, ge=1, description="length of the vectors u and v")
    lambda_2: float = Field(default=20.0, ge=0, description="λ₂, penalty on the raw weights W")
    lambda_s: float = Field(default=0.006, ge=0, description="λ_s, penalty on the kernel values Ŵ")


class KernelNetwork(nn.Module):
    """The auto-encoder over items' rating rows.

    Args:
        users: length of a row.
        config: the options.
        generator: source of the initial values.
    """

    config: KernelConfig

    def __init__(self, users: int, config: KernelConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.autoencoder = KernelAutoEncoder(
            users, config.hidden_size, config.hidden_layers, config.kernel_dimension, generator
        )

    def effective(self) -> tuple[list[EffectiveLayer], Tensor]:
        """The layers with their effective weights, and the penalty."""
        return self.autoencoder.effective(self.config.lambda_2, self.config.lambda_s)

    def local_pass(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> Tensor:
        """Last hidden layer [items, hidden] of the pass over R."""
        return encode(ratings.product(layers[0].weight), layers)


class KernelStage(AutoEncoderStage):
    """Trains the network on its pass over R.

    Args:
        network: the network.
        iterations: L-BFGS iterations per epoch.
    """

    network: KernelNetwork

    def __init__(self, network: KernelNetwork, iterations: int) -> None:
        super().__init__(network, iterations, network.config.lbfgs)
        self._evaluated: tuple[list[int], Output] | None = None

    def hidden(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> Tensor:
        """Last hidden layer [items, hidden] that this stage predicts from."""
        return self.network.local_pass(ratings, layers)

    def loss(self, ratings: RatingOperator) -> Tensor:
        """½ Σ_observed (r − p)² + penalty: sums, not means."""
        self._evaluated = None
        layers, penalty = self.network.effective()
        hidden = self.hidden(ratings, layers)
        weight, bias = layers[-1]
        output = Output(hidden.detach(), weight.detach(), bias.detach())
        self._evaluated = self._versions(), output
        return ratings.half_squared_error(hidden, weight, bias) + penalty

    @torch.no_grad()
    def output(self, ratings: RatingOperator) -> Output:
        # An epoch usually ends at the parameters for which the loss was evaluated last: then the
        # output is known.
        if self._evaluated is not None and self._evaluated[0] == self._versions():
            return self._evaluated[1]
        layers, _ = self.network.effective()
        weight, bias = layers[-1]
        return Output(self.hidden(ratings, layers), weight, bias.detach())

    @torch.no_grad()
    def encoder(self, ratings: RatingOperator) -> Encoder:
        layers, _ = self.network.effective()
        return Encoder.of(layers[:-1], self.kernels(ratings, layers))

    def kernels(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> list[Tensor]:
        """The global kernels that R is convolved with in this stage: none."""
        del ratings, layers
        return []

    def _versions(self) -> list[int]:
        """How often each parameter has been written."""
        return [parameter._version for parameter in self.network.parameters()]
