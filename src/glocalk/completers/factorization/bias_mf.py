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

A new user has the (pᵤ, bᵤ) that minimizes the objective with everything else as it is: the ridge
regression above, after a training by `sgd` too, whose steps sum up to n = nᵤ. A new item likewise.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field

from glocalk.completers.blocks.rating_arrays import RatingArrays
from glocalk.completers.factorization.factors import FactorCompleter, Factors
from glocalk.completers.factorization.loops import Step, Weights, sgd_steps
from glocalk.completers.factorization.ridge import fold_in_biased, solve_rows
from glocalk.completers.resumable import refuse_divergence, run_epochs
from glocalk.config import BaseConfig
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import RatingMatrix, Values
from glocalk.inference.newcomers import Newcomers, NewRatings
from glocalk.sparse.csr import CSR
from glocalk.training.context import FitContext
from glocalk.training.loop import LoopState


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

    @property
    def penalty(self) -> Values:
        """[rank + 1] λ of each factor, then λ_b."""
        return np.append(np.full(self.rank, self.regularization), self.bias_regularization)


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

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset({"users", "items"})

    def fold_in_matrix(self, new: NewRatings) -> Self:
        config, known = self.config, self._fitted
        weighted = config.solver == "sgd" or config.als.weighted_lambda

        def solve(newcomers: Newcomers, vectors: Values, biases: Values) -> tuple[Values, Values]:
            mean = np.full(len(newcomers.ratings), known.mean)
            return fold_in_biased(newcomers, mean, vectors, biases, config.penalty, weighted)

        users = solve(new.users, known.item_factors, known.item_biases)
        items = solve(new.items, known.user_factors, known.user_biases)
        extended = self.unfitted()
        extended.factors = known.extended(new, users, items)
        return extended


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
        self._penalty = config.penalty
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
        solved = solve_rows(ratings, targets, design, penalties)
        return solved[:, :-1].copy(), solved[:, -1].copy()


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
