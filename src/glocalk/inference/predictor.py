"""Predictions under the ids of the data: ratings of pairs, and the best unrated items of users.

Predictions are computed in blocks, so that nothing of size users × items is held in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self, TypeVar, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from glocalk.data.labels import Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.distributions import Distribution
from glocalk.errors import GlocalkError, NotFittedError
from glocalk.inference.best import best_unrated
from glocalk.inference.look_up import Unknown, asked, found, look_up
from glocalk.inference.newcomers import NewRatings, take_in
from glocalk.inference.trained_on import TrainedOn

PartT = TypeVar("PartT")

_CELLS = 1 << 20  # predictions of a grid in one block
_PAIRS = 1 << 16  # pairs in one block


class Predictor(ABC):
    """Predictions for ids, from a subclass's predictions for indices.

    Attributes:
        trained_on: what is known about the training ratings; None before `fit`.
        clip: whether predictions are clipped to the rating scale.
    """

    trained_on: TrainedOn | None = None
    clip: bool = True

    @abstractmethod
    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        """Predicted rating [pairs] of each (users[k], items[k]), both indices, not clipped."""

    @abstractmethod
    def predict_grid(self, users: Indices, items: Indices) -> Values:
        """Predicted rating [u, i] of each of `users` [u] for each of `items` [i], not clipped."""

    @property
    def gives_distribution(self) -> bool:
        """Whether it predicts a distribution of each rating, beside the mean."""
        return False

    def predict_distribution_pairs(self, users: Indices, items: Indices) -> Distribution:
        """Distribution of the rating of each (users[k], items[k]), both indices.

        Its means are `predict_pairs`. Refused without `gives_distribution`, and by a model that was
        saved before it kept what this needs.
        """
        del users, items
        raise GlocalkError(
            f"{type(self).__name__} predicts a mean and no distribution: leave out return_std, or "
            "take a model whose gives_distribution is true, such as BayesianMF or GCMC."
        )

    @property
    def folds_in(self) -> frozenset[Side]:
        """Of whom `fold_in` takes ratings: new `users`, new `items`, both or neither."""
        return frozenset()

    def fold_in(self, ratings: RatingMatrix | pd.DataFrame) -> Self:
        """A model that predicts for new users and items as well, without training.

        What is new has no training rating: its id is unknown, or known without one. A new user is
        computed from the user's ratings of known items, and a new item from its ratings by known
        users, with all that was trained as it is; the class says how. This model does not change,
        and new users and items that come together do not affect one another.

        Args:
            ratings: the ratings of new users and items; a DataFrame has the columns user, item and
                rating.

        Raises:
            NotFittedError: the completer is not fitted.
            GlocalkError: the model cannot do it (`folds_in`), a rating relates two that are known
                or two that are new, or a rating is not on the scale of the training ratings.
        """
        known = self._require(self.trained_on)
        now, new = take_in(known, ratings, self.folds_in, type(self).__name__)
        extended = self.fold_in_matrix(new)
        extended.trained_on = now
        return extended

    def fold_in_matrix(self, new: NewRatings) -> Self:
        """The same for indices, of newcomers that `folds_in` allows: a completer of `new.shape`.

        Its predictions for pairs without newcomers are those of this one, which stays as it is.
        """
        raise NotImplementedError(f"{type(self).__name__}.folds_in is not empty: define this.")

    @overload
    def predict(
        self,
        users: ArrayLike | Sequence[Any],
        items: ArrayLike | Sequence[Any],
        unknown: Unknown = "refuse",
        *,
        return_std: Literal[False] = False,
    ) -> Values: ...

    @overload
    def predict(
        self,
        users: ArrayLike | Sequence[Any],
        items: ArrayLike | Sequence[Any],
        unknown: Unknown = "refuse",
        *,
        return_std: Literal[True],
    ) -> tuple[Values, Values]: ...

    def predict(
        self,
        users: ArrayLike | Sequence[Any],
        items: ArrayLike | Sequence[Any],
        unknown: Unknown = "refuse",
        *,
        return_std: bool = False,
    ) -> Values | tuple[Values, Values]:
        """Predict the rating of each pair (users[k], items[k]).

        Args:
            users: [pairs] user ids, see `glocalk.data.labels`.
            items: [pairs] item ids.
            unknown: `refuse` raises an error for an id that is not in the training ratings; `mean`
                predicts the mean of the training ratings for its pairs.
            return_std: also return standard deviations, of models that give a distribution.

        Returns:
            [pairs] predictions, clipped to the rating scale unless `clip` is False. With
            `return_std`, a tuple of these and the standard deviations [pairs] of the ratings, which
            are those of the whole distribution and are not clipped.

        Raises:
            NotFittedError: the completer is not fitted.
            GlocalkError: an id is unknown, missing, or neither a whole number nor text; the ids are
                all unknown because they are written differently; the lists differ in length; or
                the model gives no distribution.
        """
        known = self._require(self.trained_on)
        *_, u, i = look_up(known, users, items, unknown, return_std)
        predicted = self._predicted(known, u, i)
        return (predicted, self._std(u, i)) if return_std else predicted

    def predict_distribution(
        self, users: ArrayLike | Sequence[Any], items: ArrayLike | Sequence[Any]
    ) -> Distribution:
        """Predict the distribution of the rating of each pair (users[k], items[k]).

        It is not clipped to the rating scale. See `glocalk.distributions` for what it answers.

        Raises:
            NotFittedError, GlocalkError: as `predict` does with `return_std`.
        """
        known = self._require(self.trained_on)
        *_, u, i = look_up(known, users, items)
        return self.predict_distribution_pairs(u, i)

    def _std(self, users: Indices, items: Indices) -> Values:
        return _checked(self.predict_distribution_pairs(users, items).std, (len(users),))

    def predict_blocks(
        self,
        users: ArrayLike | Sequence[Any],
        items: ArrayLike | Sequence[Any],
        unknown: Unknown = "refuse",
        *,
        return_std: bool = False,
    ) -> Iterator[pd.DataFrame]:
        """Do the same as `predict`, one block of pairs at a time.

        The columns are user, item and rating, and with `return_std` also std.

        Raises:
            NotFittedError, GlocalkError: as `predict` does, before the first block.
        """
        known = self._require(self.trained_on)
        user_ids, item_ids, u, i = look_up(known, users, items, unknown, return_std)
        if return_std:
            self._std(u[:1], i[:1])  # refuses here, and not while the table is written

        def block(start: int) -> pd.DataFrame:
            rows = slice(start, start + _PAIRS)
            columns = {
                "user": user_ids[rows],
                "item": item_ids[rows],
                "rating": self._predicted(known, u[rows], i[rows]),
            }
            if return_std:
                columns["std"] = self._std(u[rows], i[rows])
            return pd.DataFrame(columns)

        return map(block, range(0, max(len(u), 1), _PAIRS))

    def _predicted(self, known: TrainedOn, users: Indices, items: Indices) -> Values:
        """Predicted rating [pairs] of each (users[k], items[k]); the mean where one is −1."""
        predicted = np.full(len(users), known.mean)
        is_known = (users >= 0) & (items >= 0)
        u, i = users[is_known], items[is_known]
        predicted[is_known] = self._clipped(_checked(self.predict_pairs(u, i), (len(u),)))
        return predicted

    def top(self, users: ArrayLike | Sequence[Any] | None = None, n: int = 10) -> pd.DataFrame:
        """Find the `n` items with the highest predictions among those that a user has not rated.

        Items are ordered by the prediction before it is clipped; ties keep the order of the items
        in the data set. A user with fewer than `n` unrated items gets all of them.

        Args:
            users: [u] user ids; None for every user.
            n: number of items for each user, at least 1.

        Returns:
            Columns user, item, rank (1, 2, …) and rating; users in the given order.

        Raises:
            NotFittedError: the completer is not fitted.
            GlocalkError: a user is unknown, or `n` is not a whole number from 1.
        """
        return pd.concat(self.top_blocks(users, n), ignore_index=True)

    def top_blocks(
        self, users: ArrayLike | Sequence[Any] | None = None, n: int = 10
    ) -> Iterator[pd.DataFrame]:
        """Do the same as `top`, one block of users at a time; a block may be empty.

        Raises:
            NotFittedError, GlocalkError: as `top` does, before the first block.
        """
        known = self._require(self.trained_on)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise GlocalkError(
                f"The number of items per user must be a whole number from 1, not {n!r}."
            )
        if users is None:
            indices = np.arange(len(known.ids.users))
        else:
            indices = found(known, asked(users, "user"), "user")
        size = max(1, _CELLS // len(known.ids.items))
        return (
            self._top_of(known, indices[start : start + size], n)
            for start in range(0, max(len(indices), 1), size)
        )

    def _top_of(self, known: TrainedOn, users: Indices, n: int) -> pd.DataFrame:
        items = np.arange(len(known.ids.items))
        grid = _checked(self.predict_grid(users, items), (len(users), len(items)))
        rows, columns, rank = best_unrated(grid, known, users, n)
        return pd.DataFrame(
            {
                "user": known.ids.users[users[rows]],
                "item": known.ids.items[columns],
                "rank": rank,
                "rating": self._clipped(grid[rows, columns]),
            }
        )

    def _clipped(self, predicted: Values) -> Values:
        return np.clip(predicted, *self._require(self.trained_on).scale) if self.clip else predicted

    def _require(self, part: PartT | None) -> PartT:
        """`part` of a fit, which is None before it.

        Raises:
            NotFittedError: it is None.
        """
        if part is None:
            raise NotFittedError(f"This {type(self).__name__} is not fitted: call fit first.")
        return part


def _checked(predicted: Values, shape: tuple[int, ...]) -> Values:
    """What a completer predicted.

    Raises:
        GlocalkError: it is not of this shape, or not finite.
    """
    if np.shape(predicted) != shape:
        raise GlocalkError(
            f"The completer returned predictions of shape {np.shape(predicted)}, not {shape}: fix "
            "its predict_pairs or predict_grid."
        )
    if not np.isfinite(predicted).all():
        raise GlocalkError(
            "The completer returned a prediction that is not a finite number: its training has "
            "diverged, or its predict_pairs has a fault."
        )
    return predicted
