"""The mean of several completers, or of several trainings of one."""

from __future__ import annotations

from pydantic import Field

from glocalk.completers.combined.base import Combined
from glocalk.completers.combined.config import CombinedConfig
from glocalk.completers.combined.weights import Weights, equal_weights
from glocalk.data.rating_matrix import RatingMatrix, Values
from glocalk.training.context import FitContext


class EnsembleConfig(CombinedConfig):
    """Options of an ensemble."""

    seeds: int = Field(
        default=1, ge=1, le=1000, description="number of trainings of each member, with seeds apart"
    )


class Ensemble(Combined):
    """Predicts the mean of its members' predictions pₖ, each clipped to the rating scale.

        r̂ᵤᵢ = 1/K Σₖ pₖᵤᵢ

    With `seeds` = n, each member is trained n times and counts n times: with seeds n·s, …,
    n·s + n − 1 if the ensemble's is s, so that ensembles of other seeds share no training.

    Source: Breiman, "Bagging Predictors", Machine Learning 24, 1996, without resampling; the mean
    of networks that differ in their initial weights is Perrone and Cooper's basic ensemble, 1993.

    Example:
        >>> import glocalk
        >>> split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
        >>> members = [glocalk.Bias(), glocalk.ItemKNN(neighbors=10)]
        >>> model = glocalk.Ensemble(members=members).fit(split.train)
        >>> round(glocalk.evaluate(model, split)["rmse"], 3)
        1.121
    """

    Config = EnsembleConfig

    config: EnsembleConfig

    @property
    def repeats(self) -> int:
        return self.config.seeds

    def solve(self, predicted: Values, ratings: Values) -> Weights:
        del ratings
        return equal_weights(predicted.shape[1])

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        fitted = self.fit_members(train, context)
        self.adopt(fitted, equal_weights(len(fitted)), train.scale)
