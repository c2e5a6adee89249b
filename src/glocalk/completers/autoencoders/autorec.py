"""AutoRec: an auto-encoder over the rating rows of items (I-AutoRec) or users (U-AutoRec).

Sedhain, Menon, Sanner, Xie, "AutoRec: Autoencoders Meet Collaborative Filtering", WWW 2015;
official code `mesuvash/NNRec`. A row r [columns], in which missing ratings are 0, is
reconstructed as

    h(r) = f(W g(V r + μ) + b),   V [hidden, columns], W [columns, hidden]

    loss = ½ Σ_observed (r − h)² + λ (‖V‖² + ‖W‖²)

λ is that of the official code. Its 100 for MovieLens 1M is 400 in the loss of the paper,
Σ (r − h)² + λ/2 (‖V‖² + ‖W‖²). Biases are not penalized and ratings are not centered. The initial
values are normal, with σ = .01 for V and W and .001 for μ and b. f and g are the identity or the
sigmoid. Neither the paper nor the code says how a sigmoid output is mapped to the rating scale;
here its range is the scale:

    f(x) = lowest + (highest − lowest) / (1 + e⁻ˣ)

Differences from the official code:

- Its configuration for I-AutoRec runs L-BFGS for 500 iterations, the one for U-AutoRec resilient
  propagation; here both run L-BFGS.
- Its option `binary`, which is on in both configurations and not in the paper's equation, rounds
  hidden units to 0 and 1 in the forward pass and ignores the rounding in the backward pass, so
  that it does not follow the gradient of any loss; it is left out here.
- Its learner leaves pairs of a user or an item without training ratings out of its error. (Its
  evaluation can count them, with 3 as the prediction, but is not asked to.) Here every pair counts:
  the prediction is the middle of the scale for an item without training ratings, and the mean of
  the training ratings for a user without.
"""

from __future__ import annotations

from typing import Literal, Self, TypeVar, cast

import numpy as np
import torch
from pydantic import Field
from scipy.special import expit, logit
from torch import Tensor, nn

from glocalk.completers.autoencoders.base import AutoEncoderCompleter, AutoEncoderConfig
from glocalk.completers.autoencoders.encoder import Encoder
from glocalk.completers.autoencoders.layers import EffectiveLayer
from glocalk.completers.autoencoders.stage import (
    AutoEncoderStage,
    LBFGSConfig,
    Output,
    StageConfig,
)
from glocalk.completers.base import State, take
from glocalk.completers.blocks.rated import rated
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.inference.newcomers import NewRatings
from glocalk.operators.base import RatingOperator
from glocalk.training.context import FitContext

Activation = Literal["identity", "sigmoid"]
T = TypeVar("T")

_WEIGHT_SIGMA = 0.01
_BIAS_SIGMA = 0.001


class AutoRecConfig(AutoEncoderConfig):
    """Options of AutoRec, in the paper's notation; the defaults are for MovieLens 100K."""

    rows: Side = Field(
        default="items", description="whose ratings are one input: I-AutoRec or U-AutoRec"
    )
    hidden_activation: Activation = Field(default="sigmoid", description="g")
    output_activation: Activation = Field(
        default="identity", description="f; the range of the sigmoid is the rating scale"
    )
    regularization: float = Field(
        default=50.0, ge=0, description="λ of the official code, penalty on V and W"
    )
    train: StageConfig = StageConfig(epochs=50, iterations=10)
    lbfgs: LBFGSConfig = LBFGSConfig(restart=False)  # the official code makes one long run


class AutoRecNetwork(nn.Module):
    """Both layers of AutoRec, without the output activation f.

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
        """The factors of W g(V r + μ) + b, for every row of R."""
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
        network: the network.
        scale: (lowest, highest) rating in the unit of the training, the range of a sigmoid output.
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

    def encoder(self, ratings: RatingOperator) -> Encoder:
        del ratings
        return Encoder.of([EffectiveLayer(self.network.v, self.network.mu)], [])


class AutoRec(AutoEncoderCompleter):
    """AutoRec: I-AutoRec, or with `rows="users"` U-AutoRec, on the transposed matrix.

    The module's docstring has the equations; `AutoRecConfig` has the options.

    The prediction for a user without training ratings is the mean of the training ratings. For an
    item without training ratings it is the middle of the rating scale. The official code leaves
    such pairs out of its error. New items (U-AutoRec: new users) are encoded like the others.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays(
        ...     ["ann", "ann", "bob", "bob", "eve"], ["x", "y", "x", "z", "y"], [5, 3, 4, 2, 1]
        ... )
        >>> model = glocalk.AutoRec(rows="users", hidden_size=10, train={"epochs": 2})
        >>> model.fit(ratings, seed=0).predict(["ann"], ["z"]).shape
        (1,)
    """

    Config = AutoRecConfig
    official = "last"  # the official code keeps the result of the last iteration
    config: AutoRecConfig

    _scale: tuple[float, float] = (np.nan, np.nan)

    @property
    def schedule(self) -> dict[str, int]:
        return {AutoRecTraining.stage: self.config.train.epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        config = self.config
        self._scale = train.scale
        columns, rows = self._oriented(train.users, train.items)
        shape = self._oriented(*train.shape)
        oriented = RatingMatrix(columns, rows, train.ratings, shape, train.scale)
        generator = torch.Generator().manual_seed(context.seed)
        network = AutoRecNetwork(oriented.num_users, config, generator)
        data = self._batch(oriented)
        lowest, highest = train.scale
        scale = lowest / data.unit, highest / data.unit
        self._run(AutoRecTraining(network, scale), config.train, data, context)

    @property
    def rows(self) -> Side:
        rows: Side = self.config.rows
        return rows

    @property
    def _sigmoid(self) -> bool:
        return self.config.hidden_activation == "sigmoid"

    def fold_in_matrix(self, new: NewRatings) -> Self:
        extended = super().fold_in_matrix(new)
        extended._scale = self._scale
        return extended

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        return self._activated(super().predict_pairs(*self._oriented(users, items)))

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        grid = self._activated(super().predict_grid(*self._oriented(users, items)))
        return grid if self.config.rows == "items" else grid.T

    def state(self) -> State:
        return {**super().state(), "scale": torch.tensor(self._scale, dtype=torch.float64)}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        super().restore(state, self._oriented(*shape))
        lowest, highest = take(state, "scale", (2,)).tolist()
        if lowest > highest:
            raise GlocalkError("The saved 'scale' is reversed.")
        self._scale = lowest, highest

    @property
    def _width(self) -> int:
        return self.config.hidden_size + 1  # `with_item_defaults` adds one

    def _oriented(self, of_users: T, of_items: T) -> tuple[T, T]:
        """The argument that belongs to the auto-encoder's columns, and the one to its rows."""
        return (of_users, of_items) if self.config.rows == "items" else (of_items, of_users)

    def _activated(self, outputs: Values) -> Values:
        """f(x)."""
        if self.config.output_activation == "identity":
            return outputs
        lowest, highest = self._scale
        activated: Values = lowest + (highest - lowest) * expit(outputs)
        return activated

    def _in_ratings(self, output: Output, unit: float) -> Output:
        # The range of a sigmoid is the rating scale, whatever the unit of the training.
        return output.from_unit(unit) if self.config.output_activation == "identity" else output

    def _before_activation(self, rating: float) -> float:
        """An x with f(x) = `rating`, up to 10⁻⁷ of the scale's width."""
        if self.config.output_activation == "identity":
            return rating
        lowest, highest = self._scale
        share = (rating - lowest) / ((highest - lowest) or 1.0)
        return float(logit(np.clip(share, 1e-7, 1 - 1e-7)))

    def _with_defaults(self, output: Output, train: RatingMatrix) -> Output:
        # `train` is oriented: its users are the output's columns.
        columns, rows = (torch.from_numpy(side).to(output.bias.device) for side in rated(train))
        for_user = self._before_activation(float(train.ratings.mean()))
        for_item = self._before_activation(sum(self._scale) / 2)
        of_column, of_row = self._oriented(for_user, for_item)
        output = output.with_user_default(of_column, columns)
        # Where neither has ratings, the default is that of the user.
        of_rows = torch.full_like(output.bias, of_row).where(columns, for_user)
        return output.with_item_defaults(of_rows, rows)
