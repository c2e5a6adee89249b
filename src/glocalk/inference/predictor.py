"""Predictions under the ids of the data: ratings of pairs, and the best unrated items of users.

Predictions are computed in blocks, so that nothing of size users × items is held in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self, TypeAlias, TypeVar, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from glocalk.config import did_you_mean
from glocalk.data.ids import refuse_other_writing
from glocalk.data.labels import Kind, Labels, Side, as_labels
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError, NotFittedError, shown
from glocalk.inference.newcomers import NewRatings, take_in
from glocalk.inference.trained_on import TrainedOn

Unknown: TypeAlias = Literal["refuse", "mean"]
"""Handling of ids that are not in the training ratings: raise an error, or predict the mean of the
training ratings for their pairs."""

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

    def predict(
        self,
        users: ArrayLike | Sequence[Any],
        items: ArrayLike | Sequence[Any],
        unknown: Unknown = "refuse",
    ) -> Values:
        """Predict the rating of each pair (users[k], items[k]).

        Args:
            users: [pairs] user ids, see `glocalk.data.labels`.
            items: [pairs] item ids.
            unknown: `refuse` raises an error for an id that is not in the training ratings; `mean`
                predicts the mean of the training ratings for its pairs.

        Returns:
            [pairs] predictions, clipped to the rating scale unless `clip` is False.

        Raises:
            NotFittedError: the completer is not fitted.
            GlocalkError: an id is unknown, missing, or neither a whole number nor text; the ids are
                all unknown because they are written differently; or the lists differ in length.
        """
        known = self._require(self.trained_on)
        *_, u, i = self._look_up(known, users, items, unknown)
        return self._predicted(known, u, i)

    def predict_blocks(
        self,
        users: ArrayLike | Sequence[Any],
        items: ArrayLike | Sequence[Any],
        unknown: Unknown = "refuse",
    ) -> Iterator[pd.DataFrame]:
        """Do the same as `predict`, one block of pairs at a time: columns user, item and rating.

        Raises:
            NotFittedError, GlocalkError: as `predict` does, before the first block.
        """
        known = self._require(self.trained_on)
        user_ids, item_ids, u, i = self._look_up(known, users, items, unknown)

        def block(start: int) -> pd.DataFrame:
            rows = slice(start, start + _PAIRS)
            rating = self._predicted(known, u[rows], i[rows])
            return pd.DataFrame({"user": user_ids[rows], "item": item_ids[rows], "rating": rating})

        return map(block, range(0, max(len(u), 1), _PAIRS))

    @staticmethod
    def _look_up(
        known: TrainedOn,
        users: ArrayLike | Sequence[Any],
        items: ArrayLike | Sequence[Any],
        unknown: Unknown,
    ) -> tuple[Labels, Labels, Indices, Indices]:
        """Ids of users and items, [pairs] each, and their indices, −1 for unknown ids."""
        if unknown not in get_args(Unknown):
            nearest = did_you_mean(str(unknown), get_args(Unknown))
            raise GlocalkError(f"Unknown option unknown={unknown!r}: {nearest}")
        user_ids, item_ids = _asked(users, "user"), _asked(items, "item")
        if len(user_ids) != len(item_ids):
            raise GlocalkError(
                f"Users and items must be two lists of the same length, not {len(user_ids)} and "
                f"{len(item_ids)}."
            )
        u = _found(known, user_ids, "user", unknown)
        i = _found(known, item_ids, "item", unknown)
        return user_ids, item_ids, u, i

    def _predicted(self, known: TrainedOn, users: Indices, items: Indices) -> Values:
        """Predicted rating [pairs] of each (users[k], items[k]); the mean where one is −1."""
        predicted = np.full(len(users), known.mean)
        found = (users >= 0) & (items >= 0)
        u, i = users[found], items[found]
        predicted[found] = self._clipped(_checked(self.predict_pairs(u, i), (len(u),)))
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
            indices = _found(known, _asked(users, "user"), "user")
        size = max(1, _CELLS // len(known.ids.items))
        return (
            self._top_of(known, indices[start : start + size], n)
            for start in range(0, max(len(indices), 1), size)
        )

    def _top_of(self, known: TrainedOn, users: Indices, n: int) -> pd.DataFrame:
        items = np.arange(len(known.ids.items))
        grid = _checked(self.predict_grid(users, items), (len(users), len(items)))
        grid = np.array(grid)  # a copy: it is written to
        rated = [known.items[known.starts[u] : known.starts[u + 1]] for u in users]
        for row, seen in zip(grid, rated, strict=True):
            row[seen] = -np.inf
        n = min(n, len(items))
        # The n-th highest of each row: what is below it need not be sorted.
        least = np.partition(grid, len(items) - n, axis=1)[:, [len(items) - n]]
        rows, columns = np.nonzero((grid >= least) & (grid > -np.inf))
        values = grid[rows, columns]
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, rows) + 1
        chosen = rank <= n
        return pd.DataFrame(
            {
                "user": known.ids.users[users[rows[chosen]]],
                "item": known.ids.items[columns[chosen]],
                "rank": rank[chosen],
                "rating": self._clipped(values[chosen]),
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


def _asked(values: ArrayLike | Sequence[Any], kind: Kind) -> Labels:
    """[n] the ids that are asked for; a single id is a list of one."""
    if np.isscalar(values) or values is None or getattr(values, "ndim", 1) == 0:
        values = [values]
    return as_labels(values, kind)


def _found(known: TrainedOn, asked: Labels, kind: Kind, unknown: Unknown | None = None) -> Indices:
    """[n] the indices of the ids that are asked for, −1 for unknown ids.

    Args:
        known: the training ratings.
        asked: the ids.
        kind: that of the ids.
        unknown: as in `Predictor.predict`; None refuses where there is no choice.

    Raises:
        GlocalkError: an id is unknown and `unknown` is not `mean`, or all of them are and are
            written differently from those that are known.
    """
    ids = known.ids
    labels, find = (ids.users, ids.find_users) if kind == "user" else (ids.items, ids.find_items)
    indices = find(asked)
    missing = indices < 0
    if missing.all():
        refuse_other_writing(labels, asked, kind, known.title)
    if missing.any() and unknown != "mean":
        label = shown(asked[np.argmax(missing)])
        # These quotes are right in Python, and a shell drops them.
        other = "leave it out" if unknown is None else 'choose unknown="mean" for the mean rating'
        raise GlocalkError(
            f"The {kind} id '{label}' is not in {known.title}: correct it, or {other}."
        )
    return indices
