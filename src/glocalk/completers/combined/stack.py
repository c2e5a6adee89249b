"""Linear stacking of completers, by held-out training ratings."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from glocalk.completers.combined.base import Combined
from glocalk.completers.combined.config import CombinedConfig
from glocalk.completers.combined.weights import (
    Weights,
    convex_weights,
    mean_weights,
    ridge_weights,
)
from glocalk.config import ADDED
from glocalk.data.divisions import AtRandom
from glocalk.data.rating_matrix import RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.training.context import FitContext


class StackConfig(CombinedConfig):
    """Options of a stack."""

    method: Literal["convex", "ridge"] = Field(
        default="convex",
        description="convex: weights that are not negative and sum to one; ridge: any weights near "
        "those of the mean, and an intercept",
    )
    held_out: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="share of the training ratings that fit holds out to choose the weights; a run "
        "takes protocol.valid_share, which must be the same",
    )
    seeds: Annotated[int, ADDED] = Field(
        default=1,
        ge=1,
        le=1000,
        description="number of trainings of each member, with seeds apart; each seed has held-out "
        "ratings and weights of its own, and the mean over the seeds is predicted",
    )


class Stack(Combined):
    """Predicts a linear combination of its members' predictions pₖ, each clipped to the scale.

        r̂ᵤᵢ = b + Σₖ wₖ pₖᵤᵢ

    A random share of the training ratings is held out, and the members are fitted without it. On
    these ratings, w and b minimize the squared error: with `method="convex"` under w ≥ 0, Σ w = 1,
    b = 0; with `method="ridge"` under a penalty on the distance of w from the mean's weights, whose
    size is chosen by leaving out one of these ratings at a time. Then the members are fitted again,
    on all training ratings, and take these weights.

    Weights of `convex` are safe where a member predicts worse than on the held-out ratings, as for
    users and items without training ratings: the error is at most that of the worst member. Those
    of `ridge` may be large, with opposite signs.

    With `seeds` = n, the prediction is the mean of n stacks, whose held-out ratings, trainings and
    weights differ. Their seeds are n·s, …, n·s + n − 1 if that of `fit` is s.

    Source: Wolpert, "Stacked Generalization", Neural Networks 5, 1992; Breiman, "Stacked
    Regressions", Machine Learning 24, 1996. Both take predictions of all ratings by
    cross-validation, which costs a training of each member for every fold. The weights are few, so
    that a part of the ratings is enough.

    Example:
        >>> import glocalk
        >>> split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
        >>> members = [glocalk.GlobalMean(), glocalk.Bias(), glocalk.ItemKNN(neighbors=10)]
        >>> model = glocalk.Stack(members=members, held_out=0.2).fit(split.train)
        >>> round(glocalk.evaluate(model, split)["rmse"], 3)
        1.047
    """

    Config = StackConfig

    config: StackConfig

    @property
    def needs_held_out(self) -> bool:
        return True

    @property
    def repeats(self) -> int:
        return self.config.seeds

    def solve(self, predicted: Values, ratings: Values) -> Weights:
        chosen = convex_weights if self.config.method == "convex" else ridge_weights
        return chosen(predicted, ratings)

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        if len(train) < 2:
            raise GlocalkError("A stack needs two training ratings, one of which it holds out.")
        seeds = self.seeds(context.seed)
        weights = mean_weights([self._weights_of(seed, train, context) for seed in seeds])
        self.adopt(self.fit_members(train, context), weights, train.scale)

    def _weights_of(self, seed: int, train: RatingMatrix, context: FitContext) -> Weights:
        """The weights of the members by ratings that one seed holds out."""
        held_out = AtRandom().choose(train, self.config.held_out, seed)
        known, asked = train.select(~held_out), train.select(held_out)
        fitted = (self.fit_member(name, known, context, seed) for name in self.members)
        predicted = [
            np.clip(member.predict_pairs(asked.users, asked.items), *train.scale)
            for member in fitted
        ]
        return self.solve(np.stack(predicted, axis=-1), asked.ratings)

    @property
    def num_parameters(self) -> int:
        return super().num_parameters + len(self._require(self._weights).members)
