"""SVD++: matrix factorization with implicit feedback, the set of items that a user rated.

    r̂ᵤᵢ = μ + bᵤ + bᵢ + qᵢ·(pᵤ + |N(u)|^−½ Σ_{j ∈ N(u)} yⱼ)

N(u) are the items that user u rated in training; the items of the test ratings are not used. μ is
the mean training rating, bᵤ [users] and bᵢ [items] are biases, pᵤ [users, rank], qᵢ [items, rank]
and yⱼ [items, rank] factors. Koren, "Factorization meets the neighborhood: a multifaceted
collaborative filtering model", KDD 2008, Sec. 4.

The steps are the paper's, one rating after another; `loops.svd_pp_steps` has the equations. Each
epoch visits the users in random order and each user's ratings in random order, one user after the
other. A user's yⱼ are then written once for all of the user's ratings, with the values of single
updates, and an epoch costs ratings × rank. The learning rate is multiplied by `decay` after each
epoch.

The steps go down Σ_observed ((r − r̂)² + λ (‖pᵤ‖² + ‖qᵢ‖²) + λ_b (bᵤ² + bᵢ²)) plus the penalty on y.
A new user has the (pᵤ, bᵤ) that minimizes it with q, y and bᵢ as they are, N(u) being the given
ratings: a ridge regression. So has a new item (qᵢ, bᵢ), while its yᵢ is 0.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from pydantic import Field
from scipy import sparse

from glocalk.completers.base import State, take
from glocalk.completers.blocks.rating_arrays import RatingArrays
from glocalk.completers.factorization.factors import FactorCompleter, Factors
from glocalk.completers.factorization.loops import Step, Weights, svd_pp_steps
from glocalk.completers.factorization.ridge import fold_in_biased
from glocalk.completers.resumable import refuse_divergence, run_epochs
from glocalk.config import BaseConfig
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.inference.newcomers import SAVED_BEFORE_FOLD_IN, NewRatings
from glocalk.training.context import FitContext
from glocalk.training.loop import LoopState


class SVDPlusPlusConfig(BaseConfig):
    """Options of `SVDPlusPlus`; the defaults were found by hand on validation for ML-100K."""

    rank: int = Field(default=200, ge=1, description="length of the factor vectors")
    epochs: int = Field(default=116, ge=1)
    learning_rate: float = Field(default=0.007, gt=0, description="γ of the first epoch")
    decay: float = Field(
        default=0.99, gt=0, le=1, description="factor that γ is multiplied by after each epoch"
    )
    regularization: float = Field(default=0.08, ge=0, description="λ, of p, q and y")
    bias_regularization: float = Field(default=0.01, ge=0, description="λ_b, of the biases")
    init_std: float = Field(
        default=0.005, gt=0, description="standard deviation of the initial p, q and y"
    )


class SVDPlusPlus(FactorCompleter):
    """Matrix factorization with the items that a user rated as implicit feedback.

        r̂ᵤᵢ = μ + bᵤ + bᵢ + qᵢ·(pᵤ + |N(u)|^−½ Σ_{j ∈ N(u)} yⱼ)

    The module documents the symbols and the training. Source: Koren, "Factorization meets the
    neighborhood: a multifaceted collaborative filtering model", KDD 2008.

    A user without training ratings has bias and factors 0, so the prediction is μ + bᵢ. The
    prediction for an item without training ratings is μ + bᵤ.

    Example:
        >>> import glocalk
        >>> users = ["ann", "ann", "bob", "bob", "eve"]
        >>> items = ["Alien", "Brazil", "Alien", "Casablanca", "Brazil"]
        >>> ratings = glocalk.Ratings.from_arrays(users, items, [5, 3, 4, 1, 2], scale=(1, 5))
        >>> model = glocalk.SVDPlusPlus(rank=2, epochs=20).fit(ratings, seed=0)
        >>> model.top(["eve"], n=1).item.tolist()
        ['Alien']
    """

    Config = SVDPlusPlusConfig
    config: SVDPlusPlusConfig

    _implicit_factors: Values | None = None  # y

    @property
    def rank(self) -> int:
        return self.config.rank

    @property
    def schedule(self) -> dict[str, int]:
        return {"sgd": self.config.epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        solver = _Solver(train, self.config, np.random.default_rng(context.seed))
        self.factors = solver.factors
        run_epochs("sgd", self.config.epochs, solver, self, train, context)
        self._implicit_factors = solver.implicit_factors

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset({"users", "items"})

    def fold_in_matrix(self, new: NewRatings) -> Self:
        config, known, implicit_factors = self.config, self._fitted, self._implicit_factors
        if implicit_factors is None:
            raise GlocalkError(SAVED_BEFORE_FOLD_IN)
        penalty = np.append(np.full(config.rank, config.regularization), config.bias_regularization)
        users, items = new.users, new.items
        counts = np.bincount(users.rows, minlength=len(users))
        rated = sparse.csr_array(
            (1 / np.sqrt(counts[users.rows]), (users.rows, users.columns)),
            shape=(len(users), len(implicit_factors)),
        )
        implicit = np.asarray(rated @ implicit_factors)  # [new users, rank]
        products = np.einsum("nk,nk->n", implicit[users.rows], known.item_factors[users.columns])
        factors, biases = fold_in_biased(
            users, known.mean + products, known.item_factors, known.item_biases, penalty, True
        )
        of_items = fold_in_biased(
            items,
            np.full(len(items.ratings), known.mean),
            known.user_factors,
            known.user_biases,
            penalty,
            True,
        )
        extended = self.unfitted()
        extended.factors = known.extended(new, (factors + implicit, biases), of_items)
        extended._implicit_factors = items.extend(implicit_factors, 0)
        return extended

    def state(self) -> State:
        state = dict(super().state())
        if self._implicit_factors is not None:
            state["implicit_factors"] = torch.from_numpy(self._implicit_factors)
        return state

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        super().restore(state, shape)
        if "implicit_factors" in state:
            saved = take(state, "implicit_factors", (shape[1], self.rank))
            self._implicit_factors = saved.double().numpy()

    @property
    def num_parameters(self) -> int:
        return super().num_parameters + self._fitted.item_factors.size  # y has their shape


class _Solver:
    """The stochastic gradient descent of a training.

    Args:
        train: the training ratings.
        config: the options.
        generator: source of the initial factors and of the order of the ratings.

    Attributes:
        factors: what predictions are made from; changed by each epoch.
        implicit_factors: [items, rank] y; changed by each epoch.
    """

    def __init__(
        self, train: RatingMatrix, config: SVDPlusPlusConfig, generator: np.random.Generator
    ) -> None:
        self._train, self._config, self._generator = train, config, generator
        self.factors = Factors.initial(train, config.rank, config.init_std, generator)
        self._weights = self.factors.weights  # with p alone, where `factors` have p + |N|^−½ Σ y
        self.implicit_factors = config.init_std * generator.standard_normal(
            (train.num_items, config.rank)
        )
        self._ratings = RatingArrays.of(train)
        self._rated = normalized_ratings(train)
        self._learning_rate = config.learning_rate

    def run_epoch(self) -> float:
        """Take a step for each rating; return Σ e², with each error taken before its step."""
        config = self._config
        loss = svd_pp_steps(
            self._ratings,
            self._rated.indptr,
            draw_order(self._train, self._generator),
            self.factors.mean,
            self._weights,
            self.implicit_factors,
            Step(self._learning_rate, config.regularization, config.bias_regularization),
        )
        refuse_divergence(loss, "model.learning_rate")
        self._learning_rate *= config.decay
        self._take_weights()
        return loss

    def state(self) -> LoopState:
        return {
            **self._weights._asdict(),
            "implicit_factors": self.implicit_factors,
            "generator": self._generator.bit_generator.state,
            "learning_rate": self._learning_rate,
        }

    def restore(self, state: LoopState) -> None:
        self._weights = Weights.of(state)
        self.implicit_factors = state["implicit_factors"]
        self._generator.bit_generator.state = state["generator"]
        self._learning_rate = state["learning_rate"]
        self._take_weights()

    def _take_weights(self) -> None:
        implicit = self._rated @ self.implicit_factors
        self.factors.set_weights(
            self._weights._replace(user_factors=self._weights.user_factors + implicit)
        )


def normalized_ratings(train: RatingMatrix) -> sparse.csr_array:
    """[users, items] with |N(u)|^−½ at (u, j) for each j ∈ N(u)."""
    counts = np.bincount(train.users, minlength=train.num_users)
    values = 1 / np.sqrt(counts[train.users])
    return sparse.csr_array((values, (train.users, train.items)), shape=train.shape)


def draw_order(train: RatingMatrix, generator: np.random.Generator) -> Indices:
    """Positions of the ratings, user by user: users and the ratings of each in random order."""
    order = generator.permutation(len(train))
    turns = generator.permutation(train.num_users)
    return order[np.argsort(turns[train.users[order]], kind="stable")]
