"""Ratings of users and items that a fitted completer has no training ratings of.

A newcomer is a user or an item whose id is unknown, or known without a training rating. What is
computed for a new user depends on ratings of known items, and for a new item on ratings by known
users: so neither depends on which other newcomers come along, nor on their order.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glocalk.data.ids import Ids, refuse_other_writing, refuse_unrelated
from glocalk.data.labels import Kind, Labels, Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.data.ratings import Ratings
from glocalk.errors import GlocalkError, shown
from glocalk.inference.trained_on import TrainedOn

SAVED_BEFORE_FOLD_IN = (
    "This model was saved by a version of glocalk without fold_in and lacks what it takes: train "
    "the model again."
)

_AGAIN = "fit the model again with these ratings among the training ratings"


@dataclass(frozen=True, eq=False)
class Newcomers:
    """The new users with their ratings of known items, or the new items with those by known users.

    Attributes:
        indices: [newcomers] index of each, ascending; new ids follow those that are known.
        rows: [n] the newcomer that each rating belongs to, as a position in `indices`.
        columns: [n] index of the known item (user) on the other side of each rating.
        ratings: [n] values.
        size: number of users (items), newcomers included.
    """

    indices: Indices
    rows: Indices
    columns: Indices
    ratings: Values
    size: int

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def owners(self) -> Indices:
        """[n] index of the newcomer that each rating belongs to."""
        return self.indices[self.rows]

    def extend(self, known: NDArray[Any], of_newcomers: NDArray[Any] | float) -> NDArray[Any]:
        """[size, …] the rows of all: a copy of those that are known, and those of the newcomers.

        Args:
            known: [known, …].
            of_newcomers: [newcomers, …], or a number.
        """
        extended = np.zeros((self.size, *known.shape[1:]), known.dtype)
        extended[: len(known)] = known
        extended[self.indices] = of_newcomers
        return extended


@dataclass(frozen=True, eq=False)
class NewRatings:
    """What a completer folds in.

    Attributes:
        users: the new users.
        items: the new items.
    """

    users: Newcomers
    items: Newcomers

    @property
    def shape(self) -> tuple[int, int]:
        """(users, items), newcomers included."""
        return self.users.size, self.items.size

    @property
    def triples(self) -> tuple[Indices, Indices, Values]:
        """Users [n], items [n] and values [n] of all ratings."""
        users, items = self.users, self.items
        return (
            np.concatenate([users.owners, items.columns]),
            np.concatenate([users.columns, items.owners]),
            np.concatenate([users.ratings, items.ratings]),
        )


def take_in(
    known: TrainedOn,
    ratings: RatingMatrix | pd.DataFrame,
    folds_in: Collection[Side],
    name: str,
) -> tuple[TrainedOn, NewRatings]:
    """Tell newcomers from what is known.

    Args:
        known: the training ratings.
        ratings: the ratings of newcomers, with ids; indices are the ids if they have none.
        folds_in: of whom the completer takes ratings.
        name: its class, for error messages.

    Returns:
        What the completer with the newcomers knows, and the ratings of these.

    Raises:
        GlocalkError: the completer does not fold in such newcomers, a rating is of no newcomer or
            of two, or a rating is not on the scale of the training ratings.
    """
    if not folds_in:
        raise GlocalkError(
            f"{name} cannot predict for new users or items without training: {_AGAIN}."
        )
    given = _given(ratings, known.scale)
    users = _Axis.of("user", known.ids.users, known.counts > 0, given)
    rated_items = np.bincount(known.items, minlength=len(known.ids.items)) > 0
    items = _Axis.of("item", known.ids.items, rated_items, given)
    _check(known, given, (users, items), folds_in, name)
    extended = Ratings(
        users.indices,
        items.indices,
        given.ratings,
        (len(users.labels), len(items.labels)),
        known.scale,  # what is off the scale is refused
        ids=Ids(users.labels, items.labels),
    )
    new = NewRatings(
        _newcomers(extended.users, extended.items, extended.ratings, users),
        _newcomers(extended.items, extended.users, extended.ratings, items),
    )
    owners = np.concatenate([np.repeat(np.arange(len(known.counts)), known.counts), extended.users])
    rated = np.concatenate([known.items, extended.items])
    now = TrainedOn(
        ids=extended.ids,
        scale=known.scale,
        mean=known.mean,
        counts=np.bincount(owners, minlength=len(users.labels)),
        items=rated[np.lexsort((rated, owners))].astype(np.int32),
        title=known.title,
    )
    return now, new


@dataclass(frozen=True)
class _Axis:
    """The users, or the items, of given ratings.

    Attributes:
        kind: which of the two.
        labels: ids of all, newcomers last if their id is unknown.
        indices: [n] index of each given rating's user (item) in them.
        new: [all] whether it is a newcomer, of which there is a rating, or unrated.
    """

    kind: Kind
    labels: Labels
    indices: Indices
    new: NDArray[np.bool_]

    @classmethod
    def of(cls, kind: Kind, labels: Labels, rated: NDArray[np.bool_], given: Ratings) -> _Axis:
        own, ids = (
            (given.users, given.ids.users) if kind == "user" else (given.items, given.ids.items)
        )
        present, positions = np.unique(own, return_inverse=True)  # a split's part knows more ids
        asked = ids[present]
        both = Ids(labels, np.arange(0)) if kind == "user" else Ids(np.arange(0), labels)
        found = both.find_users(asked) if kind == "user" else both.find_items(asked)
        unknown = found < 0
        found[unknown] = len(labels) + np.arange(unknown.sum())
        new = np.concatenate([~rated, np.ones(unknown.sum(), bool)])
        return cls(kind, _joined(labels, asked[unknown]), found[positions], new)

    @property
    def are_new(self) -> NDArray[np.bool_]:
        """[n] whether each given rating is of a newcomer on this side."""
        return self.new[self.indices]

    def first(self, where: NDArray[np.bool_]) -> str:
        """The id of the first of the ratings [n] that are marked, in an error message."""
        return f"{self.kind} '{shown(self.labels[self.indices[np.argmax(where)]])}'"


def _given(ratings: Any, scale: tuple[float, float]) -> Ratings:
    if isinstance(ratings, pd.DataFrame):
        return Ratings.from_frame(ratings, scale=scale)
    if not isinstance(ratings, RatingMatrix):
        raise GlocalkError(
            f"fold_in takes ratings, not {type(ratings).__name__}: pass a DataFrame with the "
            "columns user, item and rating, or glocalk.Ratings."
        )
    if not len(ratings):
        raise GlocalkError("There are no ratings to fold in: pass at least one.")
    if isinstance(ratings, Ratings):
        return ratings
    return Ratings.of(ratings, Ids.numbered(ratings.shape))


def _check(
    known: TrainedOn,
    given: Ratings,
    sides: tuple[_Axis, _Axis],
    folds_in: Collection[Side],
    name: str,
) -> None:
    """Refuse ratings that are not of exactly one newcomer, or not of one that can be folded in."""
    users, items = sides
    both = users.are_new & items.are_new
    neither = ~users.are_new & ~items.are_new
    for whole, fixed in zip(get_args(Side), (items, users), strict=True):
        if set(folds_in) == {whole} and fixed.are_new.any():
            labels = known.ids.items if fixed is items else known.ids.users
            asked = fixed.labels[np.unique(fixed.indices)]
            refuse_other_writing(labels, asked, fixed.kind, known.title)
            raise GlocalkError(
                f"{name} folds in new {whole} alone, but the {fixed.first(fixed.are_new)} has no "
                f"training rating: leave it out, or {_AGAIN}."
            )
    if both.all():
        refuse_unrelated(known.ids, given.ids, (known.title, "the ratings to fold in"))
    if both.any():
        raise GlocalkError(
            f"Neither the {users.first(both)} nor the {items.first(both)} has a training rating: "
            "leave out their common rating, or fold in one of them first with its other ratings."
        )
    if neither.any():
        raise GlocalkError(
            f"The {users.first(neither)} and the {items.first(neither)} both have training "
            "ratings, and what is computed from these does not change: fold the user in under "
            f"another id with all of its ratings, or {_AGAIN}."
        )


def _newcomers(own: Indices, other: Indices, ratings: Values, side: _Axis) -> Newcomers:
    of_side = side.new[own]
    indices, rows = np.unique(own[of_side], return_inverse=True)
    return Newcomers(indices, rows, other[of_side], ratings[of_side], len(side.labels))


def _joined(known: Labels, new: Labels) -> Labels:
    """All labels: whole numbers if both are, else text."""
    if not len(new):
        return known
    if known.dtype.kind == new.dtype.kind == "i":
        return np.concatenate([known, new])
    return np.concatenate([known.astype(str).astype(object), new.astype(str).astype(object)])
