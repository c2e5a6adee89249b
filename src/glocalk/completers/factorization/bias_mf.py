"""Matrix factorization with biases, fitted by alternating least squares (ALS) or by SGD.

    r̂ᵤᵢ = μ + bᵤ + bᵢ + pᵤ·qᵢ

μ is the mean training rating. The biases bᵤ [users], bᵢ [items] and the factors pᵤ [users, rank],
qᵢ [items, rank] minimize, with nᵤ and nᵢ the numbers of ratings of a user and of an item,

    Σ_observed (r − r̂)² + Σᵤ nᵤ (λ‖pᵤ‖² + λ_b bᵤ²) + Σᵢ nᵢ (λ‖qᵢ‖² + λ_b bᵢ²)

ALS takes n = 1 instead if `als.weighted_lambda` is false. Koren, Bell, Volinsky, "Matrix
factorization techniques for recommender systems", IEEE Computer 2009, describe both solvers;
Zhou, Wilkinson, Schreiber, Pan, "Large-scale parallel collaborative filtering for the Netflix
prize", AAIM 2008, weight λ by counts.

`als` alternates between the sides. With the items fixed, x = (pᵤ, bᵤ) of user u is the solution of
a ridge regression of the user's ratings minus μ + bᵢ on zᵢ = (qᵢ, 1):

    (Σᵢ zᵢzᵢᵀ + n diag(λ, …, λ, λ_b)) x = Σᵢ (rᵤᵢ − μ − bᵢ) zᵢ

`sgd` visits the ratings in an order drawn anew for each epoch. At each rating it takes a step of
learning rate γ down the gradient of half of that rating's summands: with e = r − r̂,

    b ← b + γ(e − λ_b b),   pᵤ ← pᵤ + γ(e qᵢ − λ pᵤ),   qᵢ ← qᵢ + γ(e pᵤ − λ qᵢ)
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field

from glocalk.completers.blocks.rating_arrays import RatingArrays
from glocalk.completers.factorization.factors import FactorCompleter, Factors
from glocalk.completers.factorization.loops import Step, Weights, normal_equations, sgd_steps
from glocalk.completers.resumable import refuse_divergence, run_epochs
from glocalk.config import BaseConfig
from glocalk.data.rating_matrix import RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.sparse.compiled import Array
from glocalk.sparse.csr import CSR
from glocalk.stopping import safe_point
from glocalk.training.context import FitContext
from glocalk.training.loop import LoopState

_CHUNK = 1 << 23  # elements of the normal equations' matrices that are held at a time


class ALSConfig(BaseConfig):
    """Options of alternating least squares alone."""

    weighted_lambda: bool = Field(
        default=True,
        description="whether λ counts once per rating (ALS-WR) or once per user and per item",
    )


class SGDConfig(BaseConfig):
    """Options of stochastic gradient descent alone."""

    learning_rate: float = Field(default=0.005, gt=0, description="γ of the first epoch")
    decay: float = Field(
        default=1.0, gt=0, le=1, description="factor that γ is multiplied by after each epoch"
    )


class BiasMFConfig(BaseConfig):
    """Options of `BiasMF`; the defaults are those chosen on validation for SGD on ML-100K."""

    solver: Literal["als", "sgd"] = Field(
        default="sgd", description="sgd has the lower validation error on all three data sets"
    )
    rank: int = Field(default=200, ge=1, description="length of the factor vectors")
    epochs: int = Field(
        default=80, ge=1, description="an epoch of ALS solves for every user, then every item"
    )
    regularization: float = Field(default=0.06, gt=0, description="λ, of the factors")
    bias_regularization: float = Field(default=0.01, gt=0, description="λ_b, of the biases")
    init_std: float = Field(
        default=0.005,
        gt=0,
        description="standard deviation of the initial factors; in SGD, smaller "
        "values delay the growth of weak factors",
    )
    als: ALSConfig = Field(default=ALSConfig(), description="ignored by sgd")
    sgd: SGDConfig = Field(default=SGDConfig(), description="ignored by als")


class BiasMF(FactorCompleter):
    """Matrix factorization with biases.

        r̂ᵤᵢ = μ + bᵤ + bᵢ + pᵤ·qᵢ

    The module documents the objective and both solvers. Source: Koren, Bell, Volinsky, "Matrix
    factorization techniques for recommender systems", IEEE Computer 2009.

    A user without training ratings has bᵤ = 0 and pᵤ = 0, so the prediction is μ + bᵢ. The
    prediction for an item without training ratings is μ + bᵤ.

    Example:
        >>> import glocalk
        >>> users = ["ann", "ann", "bob", "bob", "eve"]
        >>> items = ["Alien", "Brazil", "Alien", "Casablanca", "Brazil"]
        >>> ratings = glocalk.Ratings.from_arrays(users, items, [5, 3, 4, 1, 2], scale=(1, 5))
        >>> model = glocalk.BiasMF(rank=2, epochs=20).fit(ratings, seed=0)
        >>> model.top(["eve"], n=1).item.tolist()
        ['Alien']
    """

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
        run_epochs(config.solver, config.epochs, solver, self, train, context)


class ALS:
    """Alternating least squares, which changes `factors`.

    Args:
        train: the training ratings.
        factors: the initial values.
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
        """Solve for all users, then for all items, and return the objective."""
        factors = self.factors
        factors.user_factors, factors.user_biases = self._solve(
            self._by_user, factors.item_factors, factors.item_biases
        )
        factors.item_factors, factors.item_biases = self._solve(
            self._by_item, factors.user_factors, factors.user_biases
        )
        return self.objective()

    def state(self) -> LoopState:
        return self.factors.weights._asdict()

    def restore(self, state: LoopState) -> None:
        self.factors.set_weights(Weights.of(state))

    def objective(self) -> float:
        """What each half of an epoch minimizes, see the module."""
        factors = self.factors
        errors = self.train.ratings - factors.predict_pairs(self.train.users, self.train.items)
        sides = (
            (self._by_user, factors.user_factors, factors.user_biases),
            (self._by_item, factors.item_factors, factors.item_biases),
        )
        penalties = [
            self._weights(ratings) @ np.column_stack([vectors, biases]) ** 2 @ self._penalty
            for ratings, vectors, biases in sides
        ]
        return float(errors @ errors + sum(penalties))

    def _weights(self, ratings: CSR) -> Values:
        """[rows] weight n of each row's penalty: 1, or its number of ratings.

        A row without ratings has weight 1, so that its solution is 0.
        """
        counts = np.maximum(ratings.stops - ratings.starts, 1)
        return counts.astype(np.float64) if self._weighted else np.ones(len(counts))

    def _solve(self, ratings: CSR, vectors: Values, biases: Values) -> tuple[Values, Values]:
        """The factors [rows, rank] and biases [rows] of the rows, with those of the columns fixed.

        Args:
            ratings: ratings of one side by the other, [rows, columns].
            vectors: [columns, rank] factors of the columns.
            biases: [columns] biases of the columns.
        """
        design = np.column_stack([vectors, np.ones(len(vectors))])
        targets = ratings.values - self.factors.mean - biases[ratings.columns]
        penalties = self._weights(ratings)[:, None] * self._penalty
        rows, width = penalties.shape
        solved = np.empty((rows, width))
        step = max(_CHUNK // width**2, 1)
        for first in range(0, rows, step):
            safe_point()
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
    """Stochastic gradient descent, which changes `factors`; always on one thread.

    Args:
        train: the training ratings.
        factors: the initial values.
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
        self._ratings = RatingArrays.of(train)
        self._factors = factors
        self._config, self._generator = config, generator
        self._learning_rate = config.sgd.learning_rate

    def run_epoch(self) -> float:
        """Take a step for each rating; return Σ e², with each error taken before its step."""
        config = self._config
        order = self._generator.permutation(len(self._ratings.ratings))
        step = Step(self._learning_rate, config.regularization, config.bias_regularization)
        self._learning_rate *= config.sgd.decay
        loss = sgd_steps(self._ratings, order, self._factors.mean, self._factors.weights, step)
        refuse_divergence(loss, "model.sgd.learning_rate")
        return loss

    def state(self) -> LoopState:
        return {
            **self._factors.weights._asdict(),
            "generator": self._generator.bit_generator.state,
            "learning_rate": self._learning_rate,
        }

    def restore(self, state: LoopState) -> None:
        self._factors.set_weights(Weights.of(state))
        self._generator.bit_generator.state = state["generator"]
        self._learning_rate = state["learning_rate"]
