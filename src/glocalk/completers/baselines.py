"""Two baselines that every completer should beat: closed forms, without gradients or epochs."""

from __future__ import annotations

from typing import Annotated, NamedTuple, Self

import numpy as np
import torch
from pydantic import Field
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg

from glocalk.completers.base import Completer, State, take
from glocalk.config import ADDED, BaseConfig
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.distributions import Distribution, LevelDistribution
from glocalk.errors import GlocalkError
from glocalk.inference.newcomers import NewRatings
from glocalk.training.context import FitContext

_TOLERANCE = 1e-10  # of the conjugate gradients, relative to the target
_TINY = 1e-12
_MOST_LEVELS = 100  # of the distribution of the training ratings


class GlobalMeanConfig(BaseConfig):
    """`GlobalMean` has no options."""


class Histogram(NamedTuple):
    """The distinct training ratings [levels], ascending, and how often each occurs [levels]."""

    levels: Values
    counts: Indices

    @classmethod
    def of_state(cls, state: State) -> Self:
        """Become what a state holds.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """
        size = max(state["levels"].numel(), 1)
        levels = take(state, "levels", (size,)).double().numpy()
        counts = take(state, "counts", (size,), whole=True).numpy()
        if not (np.diff(levels) > 0).all() or not (counts > 0).all():
            raise GlocalkError(
                "The saved 'levels' do not ascend, or the 'counts' are not positive."
            )
        return cls(levels, counts)


class GlobalMean(Completer):
    """Predicts the mean μ of the training ratings for every pair.

        r̂ᵤᵢ = μ

    This includes users and items without training ratings. New users and items are predicted in
    the same way: their ratings do not change μ.

    A level's probability is its share among the training ratings, whatever the pair, if there are
    at most 100 distinct ones.
    """

    Config = GlobalMeanConfig
    has_epochs = False
    deterministic = True

    config: GlobalMeanConfig
    _mean: float | None = None
    _histogram: Histogram | None = None

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        del context
        self._mean = float(train.ratings.mean())
        levels, counts = np.unique(train.ratings, return_counts=True)
        if len(levels) <= _MOST_LEVELS:
            self._histogram = Histogram(levels, counts)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        del items
        return np.full(len(users), self._require(self._mean))

    @property
    def gives_distribution(self) -> bool:
        return self._histogram is not None

    def predict_distribution_pairs(self, users: Indices, items: Indices) -> Distribution:
        if self._histogram is None:
            return super().predict_distribution_pairs(users, items)
        levels, counts = self._histogram
        return LevelDistribution(levels, np.broadcast_to(counts, (len(users), len(levels))))

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset({"users", "items"})

    def fold_in_matrix(self, new: NewRatings) -> Self:
        del new
        extended = self.unfitted()
        extended._mean, extended._histogram = self._require(self._mean), self._histogram
        return extended

    def state(self) -> State:
        histogram = self._histogram._asdict() if self._histogram is not None else {}
        return {
            "mean": torch.tensor(self._require(self._mean), dtype=torch.float64),
            **{name: torch.from_numpy(part) for name, part in histogram.items()},
        }

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        del shape
        self._mean = float(take(state, "mean", ()))
        self._histogram = Histogram.of_state(state) if "levels" in state else None

    @property
    def num_parameters(self) -> int:
        self._require(self._mean)
        return 1


class BiasConfig(BaseConfig):
    """Regularization of the biases: each is shrunk as if by that many ratings without deviation."""

    item_damping: float = Field(
        default=25.0, ge=0, description="damping of item biases, in ratings"
    )
    user_damping: float = Field(
        default=10.0, ge=0, description="damping of user biases, in ratings"
    )
    joint: Annotated[bool, ADDED] = Field(
        default=False, description="whether user and item biases are fitted together"
    )


class Biases(NamedTuple):
    """What `Bias` fits.

    Attributes:
        mean: μ.
        users: [users] bᵤ.
        items: [items] bᵢ.
    """

    mean: float
    users: Values
    items: Values


class Bias(Completer):
    """Predicts the mean plus an item bias and a user bias, each regularized.

        r̂ᵤᵢ = μ + bᵢ + bᵤ
        bᵢ = Σ_u (rᵤᵢ − μ) / (item_damping + |Rᵢ|)
        bᵤ = Σ_i (rᵤᵢ − μ − bᵢ) / (user_damping + |Rᵤ|)

    μ is the mean training rating, Rᵢ the training ratings of item i and Rᵤ those of user u. Users
    and items without training ratings have bias 0. New users and items get the bias of the same
    equations, with μ and, for a new user, the bᵢ as they are; with `joint`, for a new item, the bᵤ
    too.

    With `joint`, the biases are those that minimize

        Σ (rᵤᵢ − μ − bᵢ − bᵤ)² + item_damping Σ bᵢ² + user_damping Σ bᵤ²

    over the training ratings, a ridge regression: an item is then not taken for good because those
    who rated it rate highly.

    Source: Koren, "Factor in the neighbors", TKDD 2010, Sec. 2.1, whose dampings are 25 and 10; the
    joint fit is equation 2 of Koren, Bell, Volinsky, "Matrix Factorization Techniques for
    Recommender Systems", 2009, with a penalty on biases alone.

    Example:
        >>> import glocalk
        >>> users = ["ann", "ann", "bob", "eve"]
        >>> items = ["Alien", "Brazil", "Alien", "Brazil"]
        >>> ratings = glocalk.Ratings.from_arrays(users, items, [5, 3, 4, 2], scale=(1, 5))
        >>> model = glocalk.Bias(item_damping=2, user_damping=1).fit(ratings)
        >>> model.predict(["bob", "eve"], ["Brazil", "Alien"]).round(3)
        array([3. , 3.5])
    """

    Config = BiasConfig
    has_epochs = False
    deterministic = True

    config: BiasConfig
    _biases: Biases | None = None

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        del context
        mean = float(train.ratings.mean())
        rest = train.ratings - mean
        if self.config.joint:
            self._biases = Biases(mean, *_joint_biases(train, rest, self.config))
            return
        of_items = _damped_means(rest, train.items, train.num_items, self.config.item_damping)
        rest = rest - of_items[train.items]
        of_users = _damped_means(rest, train.users, train.num_users, self.config.user_damping)
        self._biases = Biases(mean, of_users, of_items)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        mean, of_users, of_items = self._require(self._biases)
        return mean + of_items[items] + of_users[users]

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset({"users", "items"})

    def fold_in_matrix(self, new: NewRatings) -> Self:
        mean, of_users, of_items = self._require(self._biases)
        users, items = new.users, new.items
        rest = users.ratings - mean - of_items[users.columns]
        new_users = _damped_means(rest, users.rows, len(users), self.config.user_damping)
        rest = items.ratings - mean
        if self.config.joint:
            rest = rest - of_users[items.columns]
        new_items = _damped_means(rest, items.rows, len(items), self.config.item_damping)
        extended = self.unfitted()
        extended._biases = Biases(
            mean, users.extend(of_users, new_users), items.extend(of_items, new_items)
        )
        return extended

    def state(self) -> State:
        mean, of_users, of_items = self._require(self._biases)
        return {
            "mean": torch.tensor(mean, dtype=torch.float64),
            "item_biases": torch.from_numpy(of_items),
            "user_biases": torch.from_numpy(of_users),
        }

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        users, items = shape
        self._biases = Biases(
            mean=float(take(state, "mean", ())),
            users=take(state, "user_biases", (users,)).numpy(),
            items=take(state, "item_biases", (items,)).numpy(),
        )

    @property
    def num_parameters(self) -> int:
        _, of_users, of_items = self._require(self._biases)
        return 1 + len(of_items) + len(of_users)


def _damped_means(values: Values, groups: Indices, size: int, damping: float) -> Values:
    """Σ values / (damping + count) in each of `size` groups; 0 in groups without values."""
    sums = np.bincount(groups, weights=values, minlength=size)
    counts = np.bincount(groups, minlength=size)
    return np.where(counts > 0, sums / np.maximum(damping + counts, 1), 0.0)


def _joint_biases(train: RatingMatrix, rest: Values, config: BiasConfig) -> tuple[Values, Values]:
    """The biases of users and of items that minimize the penalized squared error of `rest` [n].

    With A [users, items] the rated cells, s the sums of `rest` by user and by item, and D their
    numbers of ratings plus the damping, both diagonal:

        (Dᵢ − Aᵀ Dᵤ⁻¹ A) bᵢ = sᵢ − Aᵀ Dᵤ⁻¹ sᵤ,   bᵤ = Dᵤ⁻¹ (sᵤ − A bᵢ)

    by conjugate gradients from 0, which solves it without dampings, too: constants may then move
    between users and items.

    Raises:
        GlocalkError: they do not converge.
    """
    rated = sparse.csr_array((np.ones(len(train)), (train.users, train.items)), shape=train.shape)
    by_item = rated.T.tocsr()
    sum_users, sum_items = (
        np.bincount(index, rest, size)
        for index, size in zip((train.users, train.items), train.shape, strict=True)
    )
    # Without ratings and damping there is nothing to divide by, and the sum is 0.
    weight_users = np.maximum(rated.sum(axis=1) + config.user_damping, _TINY)
    weight_items = np.maximum(by_item.sum(axis=1) + config.item_damping, _TINY)

    def of_users(items: Values) -> Values:
        biases: Values = (sum_users - rated @ items) / weight_users
        return biases

    def product(items: Values) -> Values:
        reduced: Values = weight_items * items - by_item @ ((rated @ items) / weight_users)
        return reduced

    size = train.num_items
    target = sum_items - by_item @ (sum_users / weight_users)
    items, unfinished = cg(
        LinearOperator((size, size), matvec=product, dtype=np.float64),
        target,
        rtol=_TOLERANCE,
        maxiter=10 * size,
        M=LinearOperator((size, size), matvec=lambda part: part / weight_items, dtype=np.float64),
    )
    if unfinished:
        raise GlocalkError(
            f"The joint biases were not found in {unfinished:,} iterations: raise item_damping and "
            "user_damping."
        )
    return of_users(items), items
