"""AutoRec: an auto-encoder over rating rows, items' (I-AutoRec) or users' (U-AutoRec).

Sedhain, Menon, Sanner, Xie, "AutoRec: Autoencoders Meet Collaborative Filtering", WWW 2015;
official code `mesuvash/NNRec`. Of a row r [columns], missing ratings counting 0,

    h(r) = f(W g(V r + μ) + b),   V [hidden, columns], W [columns, hidden]

    loss = ½ Σ_observed (r − h)² + λ (‖V‖² + ‖W‖²)

with λ as in the official code, whose 100 for MovieLens 1M is 400 in the paper's own loss,
Σ (r − h)² + λ/2 (‖V‖² + ‖W‖²). Biases are not penalized, ratings not centerd, and the initial
values normal, σ .01 for V and W, .001 for μ and b. f and g are the identity or the sigmoid.
Neither paper nor code says how a sigmoid output meets the rating scale; here the scale's ends
are its ends:

    f(x) = lowest + (highest − lowest) / (1 + e⁻ˣ)

The official configuration of I-AutoRec runs L-BFGS for 500 iterations, that of U-AutoRec resilient
propagation; here both run L-BFGS. The code's option `binary`, on in both and not in the paper's
equation, rounds hidden units to 0 and 1 but goes back as though it had not, along no gradient; it
is left out here.

Where a user or an item has no training rating, the official evaluation takes 3 for its
prediction; this completer predicts the middle of the scale.
"""

from __future__ import annotations

from typing import Literal, TypeVar, cast

import numpy as np
import torch
from pydantic import Field
from scipy.special import expit
from torch import Tensor, nn

from glocalk.completers.autoencoders.base import (
    AutoEncoderCompleter,
    AutoEncoderConfig,
    AutoEncoderStage,
    Output,
    StageConfig,
)
from glocalk.completers.base import State, take
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.operators.base import RatingOperator
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch

Activation = Literal["identity", "sigmoid"]
T = TypeVar("T")

_WEIGHT_SIGMA = 0.01
_BIAS_SIGMA = 0.001


class AutoRecConfig(AutoEncoderConfig):
    """Options of AutoRec, with the paper's symbols."""

    rows: Literal["items", "users"] = Field(description="whose ratings are one input")
    hidden_activation: Activation = Field(description="g")
    output_activation: Activation = Field(description="f")
    regularization: float = Field(ge=0, description="λ of the official code, on V and W")
    train: StageConfig


class AutoRecNetwork(nn.Module):
    """Both layers of AutoRec, without f.

    Args:
        columns: length of a row.
        config: the options.
        generator: source of the initial values.
    """

    def __init__(self, columns: int, config: AutoRecConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config

        def normal(sigma: float, *shape: int) -> nn.Parameter:
            return nn.Parameter(sigma * torch.randn(shape, generator=generator))

        self.v = normal(_WEIGHT_SIGMA, columns, config.hidden_size)  # Vᵀ
        self.w = normal(_WEIGHT_SIGMA, columns, config.hidden_size)
        self.mu = normal(_BIAS_SIGMA, config.hidden_size)
        self.b = normal(_BIAS_SIGMA, columns)

    def forward(self, ratings: RatingOperator) -> Output:
        """What W g(V r + μ) + b is made of, for every row of R."""
        hidden = ratings.product(self.v) + self.mu
        if self.config.hidden_activation == "sigmoid":
            hidden = torch.sigmoid(hidden)
        return Output(hidden, self.w.T, self.b)

    def penalty(self) -> Tensor:
        """λ (‖V‖² + ‖W‖²), a scalar, float64."""
        squares = (matrix.square().sum(dtype=torch.float64) for matrix in (self.v, self.w))
        return self.config.regularization * cast(Tensor, sum(squares))


class AutoRecTraining(AutoEncoderStage):
    """The only stage.

    Args:
        network: what is trained.
        scale: (lowest, highest) rating, the range of a sigmoid output.
    """

    stage = "train"
    network: AutoRecNetwork

    def __init__(self, network: AutoRecNetwork, scale: tuple[float, float]) -> None:
        super().__init__(network, network.config.train.iterations, network.config.lbfgs)
        self.scale = scale

    def loss(self, ratings: RatingOperator) -> Tensor:
        output = self.network(ratings)
        if self.network.config.output_activation == "identity":
            return ratings.half_squared_error(*output) + self.network.penalty()
        lowest, highest = self.scale
        predicted = lowest + (highest - lowest) * torch.sigmoid(ratings.outputs(*output))
        squares = (predicted - ratings.ratings).square()
        return squares.sum(dtype=torch.float64) / 2 + self.network.penalty()

    @torch.no_grad()
    def output(self, ratings: RatingOperator) -> Output:
        hidden, weight, bias = self.network(ratings)
        return Output(hidden, weight.detach(), bias.detach())


class AutoRec(AutoEncoderCompleter):
    """I-AutoRec, or on the transposed matrix U-AutoRec."""

    Config = AutoRecConfig
    official = "last"  # the official code keeps what 500 iterations end with
    config: AutoRecConfig

    _scale: tuple[float, float] = (np.nan, np.nan)

    @property
    def schedule(self) -> dict[str, int]:
        return {AutoRecTraining.stage: self.config.train.epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        config = self.config
        self._scale = train.scale
        columns, rows = self._turned(train.users, train.items)
        turned = RatingMatrix(columns, rows, train.ratings, self._turned(*train.shape), train.scale)
        generator = torch.Generator().manual_seed(context.seed)
        network = AutoRecNetwork(turned.num_users, config, generator)
        self._data = FullBatch(turned, config.formulation)
        self._run(AutoRecTraining(network, train.scale), config.train, context)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        return self._activated(super().predict_pairs(*self._turned(users, items)))

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        grid = self._activated(super().predict_grid(*self._turned(users, items)))
        return grid if self.config.rows == "items" else grid.T

    def state(self) -> State:
        return {**super().state(), "scale": torch.tensor(self._scale, dtype=torch.float64)}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        super().restore(state, self._turned(*shape))
        lowest, highest = take(state, "scale", (2,)).tolist()
        self._scale = lowest, highest

    @property
    def _width(self) -> int:
        return self.config.hidden_size + 1  # `with_default` adds one

    def _turned(self, of_users: T, of_items: T) -> tuple[T, T]:
        """What the auto-encoder takes for users' and for items': its columns', its rows'."""
        return (of_users, of_items) if self.config.rows == "items" else (of_items, of_users)

    def _activated(self, outputs: Values) -> Values:
        """f(x)."""
        if self.config.output_activation == "identity":
            return outputs
        lowest, highest = self._scale
        activated: Values = lowest + (highest - lowest) * expit(outputs)
        return activated

    def _trained_output(self) -> Output:
        train = self._require(self._data).train
        output = super()._trained_output()
        rated = (
            torch.from_numpy(np.bincount(index, minlength=size) > 0).to(output.bias.device)
            for index, size in zip((train.users, train.items), train.shape, strict=True)
        )
        # f(0) is the middle.
        middle = sum(self._scale) / 2 if self.config.output_activation == "identity" else 0.0
        return output.with_default(middle, *rated)
