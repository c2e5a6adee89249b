"""Matrix factorization with offsets, fitted by alternating least squares or by SGD.

    r̂ᵤᵢ = μ + bᵤ + bᵢ + pᵤ·qᵢ

μ is the mean training rating; offsets bᵤ [users], bᵢ [items] and factors pᵤ [users, rank],
qᵢ [items, rank] are to minimize, with nᵤ and nᵢ the numbers of a user's and an item's ratings,

    Σ_observed (r − r̂)² + Σᵤ nᵤ (λ‖pᵤ‖² + λ_b bᵤ²) + Σᵢ nᵢ (λ‖qᵢ‖² + λ_b bᵢ²)

`als` takes n = 1 instead where it is told not to weight λ. Koren, Bell, Volinsky, "Matrix
factorization techniques for recommender systems", IEEE Computer 2009, describe both solvers;
Zhou, Wilkinson, Schreiber, Pan, "Large-scale parallel collaborative filtering for the Netflix
prize", AAIM 2008, weight λ by counts.

`als` alternates between the sides. With the items fixed, user u's x = (pᵤ, bᵤ) is the solution of
a ridge regression of their ratings less μ + bᵢ on zᵢ = (qᵢ, 1):

    (Σᵢ zᵢzᵢᵀ + n diag(λ, …, λ, λ_b)) x = Σᵢ (rᵤᵢ − μ − bᵢ) zᵢ

`sgd` takes a step of learning rate γ down the gradient of half of one rating's summands, for each
rating of an epoch, in an order drawn anew for each: with e = r − r̂,

    b ← b + γ(e − λ_b b),   pᵤ ← pᵤ + γ(e qᵢ − λ pᵤ),   qᵢ ← qᵢ + γ(e pᵤ − λ qᵢ)
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field

from glocalk.completers.factorization.factors import FactorCompleter, Factors, refuse_divergence
from glocalk.completers.factorization.loops import Ratings, Step, normal_equations, sgd_steps
from glocalk.config import BaseConfig
from glocalk.data.ratings import RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.sparse.compiled import Array
from glocalk.sparse.csr import CSR
from glocalk.training.context import FitContext

_CHUNK = 1 << 23  # numbers of the normal equations' matrices that are held at a time


class ALSConfig(BaseConfig):
    """Options of alternating least squares alone."""

    weighted_lambda: bool = Field(description="whether λ counts once a rating: ALS-WR")


class SGDConfig(BaseConfig):
    """Options of stochastic gradient descent alone."""

    learning_rate: float = Field(gt=0, description="γ of the first epoch")
    decay: float = Field(gt=0, le=1, description="γ is multiplied by it after each epoch")


class BiasMFConfig(BaseConfig):
    """Options of both solvers."""

    solver: Literal["als", "sgd"]
    rank: int = Field(ge=1)
    epochs: int = Field(ge=1, description="one of ALS solves for every user, then every item")
    regularization: float = Field(gt=0, description="λ, of the factors")
    bias_regularization: float = Field(gt=0, description="λ_b, of the offsets")
    init_std: float = Field(gt=0, description="standard deviation of the initial factors")
    als: ALSConfig
    sgd: SGDConfig


class BiasMF(FactorCompleter):
    """Offsets and factors by the solver chosen; a killed training starts again."""

    Config = BiasMFConfig
    config: BiasMFConfig

    @property
    def rank(self) -> int:
        return self.config.rank

    @property
    def schedule(self) -> dict[str, int]:
        return {self.config.solver: self.config.epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        config = self.config
        generator = np.random.default_rng(context.seed)
        self.factors = Factors.initial(train, config.rank, config.init_std, generator)
        solver: ALS | SGD
        if config.solver == "als":
            solver = ALS(train, self.factors, config)
        else:
            solver = SGD(train, self.factors, config, generator)
        for epoch in range(1, config.epochs + 1):
            loss = solver.run_epoch()
            context.observer.epoch_ended(config.solver, epoch, self.predict_pairs, loss)


class ALS:
    """Alternating least squares on `factors`, which it changes.

    Args:
        train: the training ratings.
        factors: where it starts.
        config: the options.
    """

    def __init__(self, train: RatingMatrix, factors: Factors, config: BiasMFConfig) -> None:
        self.train, self.factors = train, factors
        users, items = train.shape
        self._by_user = CSR.from_triples(train.users, train.items, train.ratings, (users, items))
        self._by_item = CSR.from_triples(train.items, train.users, train.ratings, (items, users))
        self._penalty = np.full(config.rank + 1, config.regularization)
        self._penalty[-1] = config.bias_regularization
        self._weighted = config.als.weighted_lambda

    def run_epoch(self) -> float:
        """Solve for all users, then for all items; the objective reached."""
        factors = self.factors
        factors.user_factors, factors.user_offsets = self._solve(
            self._by_user, factors.item_factors, factors.item_offsets
        )
        factors.item_factors, factors.item_offsets = self._solve(
            self._by_item, factors.user_factors, factors.user_offsets
        )
        return self.objective()

    def objective(self) -> float:
        """What each half of an epoch minimizes, see the module."""
        factors = self.factors
        errors = self.train.ratings - factors.predict_pairs(self.train.users, self.train.items)
        sides = (
            (self._by_user, factors.user_factors, factors.user_offsets),
            (self._by_item, factors.item_factors, factors.item_offsets),
        )
        penalties = [
            self._weights(ratings) @ np.column_stack([vectors, offsets]) ** 2 @ self._penalty
            for ratings, vectors, offsets in sides
        ]
        return float(errors @ errors + sum(penalties))

    def _weights(self, ratings: CSR) -> Values:
        """[rows] n of each row: 1, or its number of ratings; rows without any are 0 by it too."""
        counts = np.maximum(ratings.stops - ratings.starts, 1)
        return counts.astype(np.float64) if self._weighted else np.ones(len(counts))

    def _solve(self, ratings: CSR, vectors: Values, offsets: Values) -> tuple[Values, Values]:
        """The rows' factors [rows, rank] and offsets [rows], those of the columns fixed.

        Args:
            ratings: of one side by the other, [rows, columns].
            vectors: [columns, rank] factors of the other side.
            offsets: [columns] its offsets.
        """
        design = np.column_stack([vectors, np.ones(len(vectors))])
        targets = ratings.values - self.factors.mean - offsets[ratings.columns]
        penalties = self._weights(ratings)[:, None] * self._penalty
        rows, width = penalties.shape
        solved = np.empty((rows, width))
        step = max(_CHUNK // width**2, 1)
        for first in range(0, rows, step):
            part = slice(first, min(first + step, rows))
            gram, moments = normal_equations(ratings, part, targets, design)
            gram[:, range(width), range(width)] += penalties[part]
            solved[part] = _solve_positive(gram, moments)
        return solved[:, :-1].copy(), solved[:, -1].copy()


def _solve_positive(gram: Array, moments: Array) -> Array:
    """Solutions [rows, width] of positive definite systems given by their lower triangles."""
    lower, failed = torch.linalg.cholesky_ex(torch.from_numpy(gram))
    if failed.any():
        raise GlocalkError(
            "The least squares of a user or an item have no solution in float64: raise "
            "model.regularization and model.bias_regularization."
        )
    right = torch.from_numpy(moments).unsqueeze(-1)
    solved: Array = torch.cholesky_solve(right, lower).squeeze(-1).numpy()
    return solved


class SGD:
    """Stochastic gradient descent on `factors`, which it changes; one thread, whatever the number.

    Args:
        train: the training ratings.
        factors: where it starts.
        config: the options.
        generator: source of the order of the ratings.
    """

    def __init__(
        self,
        train: RatingMatrix,
        factors: Factors,
        config: BiasMFConfig,
        generator: np.random.Generator,
    ) -> None:
        self._ratings = Ratings(train.users, train.items, train.ratings)
        self._mean, self._weights = factors.mean, factors.weights
        self._config, self._generator = config, generator
        self._learning_rate = config.sgd.learning_rate

    def run_epoch(self) -> float:
        """A step for each rating; Σ e², each error taken before its step."""
        config = self._config
        order = self._generator.permutation(len(self._ratings.ratings))
        step = Step(self._learning_rate, config.regularization, config.bias_regularization)
        self._learning_rate *= config.sgd.decay
        loss = sgd_steps(self._ratings, order, self._mean, self._weights, step)
        refuse_divergence(loss)
        return loss
