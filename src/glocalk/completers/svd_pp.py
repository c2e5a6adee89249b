"""SVD++: matrix factorisation in which what a user rated counts, besides how.

    r̂ᵤᵢ = μ + bᵤ + bᵢ + qᵢ·(pᵤ + |N(u)|^−½ Σ_{j ∈ N(u)} yⱼ)

N(u) are the items that user u rated in training; which items the test ratings are of is not used.
μ is the mean training rating, bᵤ [users] and bᵢ [items] are offsets, pᵤ [users, rank],
qᵢ [items, rank] and yⱼ [items, rank] factors. Koren, "Factorization meets the neighborhood: a
multifaceted collaborative filtering model", KDD 2008, Sec. 4.

The steps are the paper's, one rating after another: see `glocalk.nn.factorisation`. An epoch takes
the users in an order drawn anew, all ratings of one together, in an order drawn anew as well: the
yⱼ of a user are then written once for all of their ratings, with the numbers of single updates, and
an epoch costs ratings × rank. The learning rate is multiplied by `decay` after each epoch.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field
from scipy import sparse

from glocalk.completers.base import Training
from glocalk.completers.factors import FactorCompleter, Factors, refuse_divergence
from glocalk.data.ratings import Indices, RatingMatrix
from glocalk.nn.factorisation import Ratings, Step, svd_pp_steps
from glocalk.settings import Settings


class SVDPlusPlusSettings(Settings):
    """Options."""

    rank: int = Field(ge=1)
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0, description="γ of the first epoch")
    decay: float = Field(gt=0, le=1, description="γ is multiplied by it after each epoch")
    regularisation: float = Field(ge=0, description="λ, of p, q and y")
    bias_regularisation: float = Field(ge=0, description="λ_b, of the offsets")
    init_std: float = Field(gt=0, description="standard deviation of the initial factors")


class SVDPlusPlus(FactorCompleter):
    """Predicts from pᵤ + |N(u)|^−½ Σ yⱼ, each user's factors; a killed training starts again."""

    Config = SVDPlusPlusSettings

    def __init__(self, config: SVDPlusPlusSettings) -> None:
        self.config = config

    @property
    def rank(self) -> int:
        return self.config.rank

    @property
    def schedule(self) -> dict[str, int]:
        return {"sgd": self.config.epochs}

    def fit(self, train: RatingMatrix, valid: RatingMatrix | None, training: Training) -> None:
        del valid  # nothing is chosen during the training
        config = self.config
        generator = np.random.default_rng(training.seed)
        explicit = Factors.initial(train, config.rank, config.init_std, generator)
        implicit_factors = config.init_std * generator.standard_normal(
            (train.num_items, config.rank)
        )
        ratings = Ratings(train.users, train.items, train.ratings)
        rated = normalised_ratings(train)
        learning_rate = config.learning_rate
        for epoch in range(1, config.epochs + 1):
            step = Step(learning_rate, config.regularisation, config.bias_regularisation)
            order = draw_order(train, generator)
            loss = svd_pp_steps(
                ratings,
                rated.indptr,
                order,
                explicit.mean,
                explicit.weights,
                implicit_factors,
                step,
            )
            refuse_divergence(loss)
            self.factors = replace(
                explicit, user_factors=explicit.user_factors + rated @ implicit_factors
            )
            training.monitor.observe("sgd", epoch, self.predict, loss)
            learning_rate *= config.decay

    @property
    def num_parameters(self) -> int:
        return super().num_parameters + self._fitted.item_factors.size  # y is of its shape


def normalised_ratings(train: RatingMatrix) -> sparse.csr_array:
    """|N(u)|^−½ at (u, j) for each j ∈ N(u), [users, items]."""
    counts = np.bincount(train.users, minlength=train.num_users)
    values = 1 / np.sqrt(counts[train.users])
    return sparse.csr_array((values, (train.users, train.items)), shape=train.shape)


def draw_order(train: RatingMatrix, generator: np.random.Generator) -> Indices:
    """Positions of the ratings: users in random order, and each user's ratings too."""
    order = generator.permutation(len(train))
    turns = generator.permutation(train.num_users)
    return order[np.argsort(turns[train.users[order]], kind="stable")]
