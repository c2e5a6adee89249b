"""Ratings with ids: a rating matrix that knows what its indices stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from glocalk.data.ids import Ids
from glocalk.data.labels import as_array, as_labels
from glocalk.data.rating_matrix import RatingMatrix, Values
from glocalk.errors import GlocalkError


@dataclass(frozen=True, eq=False)
class Ratings(RatingMatrix):
    """Observed ratings with the ids of their users and items.

    Use `from_frame` or `from_arrays` to create ratings from ids; the constructor takes indices, as
    that of `RatingMatrix` does.

    Attributes:
        users: [n] user index of each rating.
        items: [n] item index of each rating.
        ratings: [n] values.
        shape: (number of users, number of items).
        scale: (lowest, highest) possible rating.
        ids: id of each user index and of each item index.

    Raises:
        GlocalkError: the ids do not fit the shape, or as `RatingMatrix` does.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays(["ann", "ann", "bob"], [7, 9, 7], [4, 5, 3])
        >>> ratings.shape, ratings.scale
        ((2, 2), (3.0, 5.0))
        >>> ratings.ids.users.tolist(), ratings.ids.items.tolist()
        (['ann', 'bob'], [7, 9])
    """

    ids: Ids

    def __post_init__(self) -> None:
        self._check_ids()
        super().__post_init__()

    def _check_ids(self) -> None:
        if (len(self.ids.users), len(self.ids.items)) != tuple(self.shape):
            raise GlocalkError(
                f"{len(self.ids.users)} user ids and {len(self.ids.items)} item ids do not fit a "
                f"matrix of shape {self.shape}."
            )

    @classmethod
    def of(cls, matrix: RatingMatrix, ids: Ids) -> Self:
        """The ratings of `matrix` with the ids of its indices."""
        # The arrays are checked and read-only: they are shared, and not checked again.
        labeled = object.__new__(cls)
        for field in fields(RatingMatrix):
            object.__setattr__(labeled, field.name, getattr(matrix, field.name))
        object.__setattr__(labeled, "ids", ids)
        labeled._check_ids()
        return labeled

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        user: str = "user",
        item: str = "item",
        rating: str = "rating",
        scale: tuple[float, float] | None = None,
    ) -> Self:
        """Create ratings from a table with one row for each rating.

        Users and items are numbered in ascending order of their ids.

        Args:
            frame: the table; columns other than the three are ignored.
            user: name of the column of user ids: whole numbers or text, see `glocalk.data.labels`.
            item: name of the column of item ids.
            rating: name of the column of ratings.
            scale: (lowest, highest) possible rating; None takes those of the column.

        Raises:
            GlocalkError: a column does not exist, there are no rows, an id is missing or is
                neither a whole number nor text, a rating is not a finite number on the scale, or a
                (user, item) pair occurs more than once.
        """
        if not isinstance(frame, pd.DataFrame):
            raise GlocalkError(
                f"from_frame takes a DataFrame, not {type(frame).__name__}: use from_arrays."
            )
        columns = list(frame.columns)
        for name in (user, item, rating):
            if name not in columns:
                index = name in list(frame.index.names)
                raise GlocalkError(
                    f"The table has no column '{name}' (it has {', '.join(map(str, columns))}): "
                    + (
                        "it is an index, so call reset_index first."
                        if index
                        else "name the columns with user=, item= and rating=."
                    )
                )
        return cls.from_arrays(frame[user], frame[item], frame[rating], scale=scale)

    @classmethod
    def from_arrays(
        cls,
        users: ArrayLike | Sequence[Any],
        items: ArrayLike | Sequence[Any],
        ratings: ArrayLike,
        *,
        scale: tuple[float, float] | None = None,
    ) -> Self:
        """Create ratings from three lists, NumPy arrays, Series or tensors of the same length.

        Users and items are numbered in ascending order of their ids.

        Args:
            users: [n] id of each rating's user: whole numbers or text, see `glocalk.data.labels`.
            items: [n] id of each rating's item.
            ratings: [n] values.
            scale: (lowest, highest) possible rating; None takes those of `ratings`.

        Raises:
            GlocalkError: the lengths differ, or as `from_frame` does.
        """
        scale = _as_scale(scale)
        values = _as_values(ratings)
        user_labels, item_labels = as_labels(users, "user"), as_labels(items, "item")
        if not values.shape == user_labels.shape == item_labels.shape:
            raise GlocalkError(
                "Users, items and ratings must have the same length, not the shapes "
                f"{user_labels.shape}, {item_labels.shape} and {values.shape}."
            )
        if not len(values):
            raise GlocalkError("There are no ratings: pass at least one.")
        user_indices, user_ids = pd.factorize(user_labels, sort=True)
        item_indices, item_ids = pd.factorize(item_labels, sort=True)
        if scale is None:
            finite = values[np.isfinite(values)]  # what is not finite is refused below
            scale = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
        shape = len(user_ids), len(item_ids)
        ids = Ids(user_ids, item_ids)
        return cls(user_indices, item_indices, values, shape, scale, ids=ids)

    def to_frame(self) -> pd.DataFrame:
        """A table of the ratings under their ids, with the columns user, item and rating."""
        columns = {"user": self.ids.users[self.users], "item": self.ids.items[self.items]}
        return pd.DataFrame({**columns, "rating": self.ratings})

    def _pair(self, user: int, item: int) -> str:
        return f"user {self.ids.users[user]}, item {self.ids.items[item]}"


def _as_scale(scale: Any) -> tuple[float, float] | None:
    if scale is None:
        return None
    try:
        lowest, highest = (float(bound) for bound in scale)
    except (TypeError, ValueError) as error:
        raise GlocalkError(f"The scale must be (lowest, highest), not {scale!r}.") from error
    if not lowest <= highest:
        raise GlocalkError(f"The scale must ascend, not be {lowest:g} … {highest:g}.")
    return lowest, highest


def _as_values(ratings: ArrayLike) -> Values:
    array = as_array(ratings, "ratings")
    if array.dtype.kind not in "iufbOUS":
        raise GlocalkError(f"The ratings must be numbers, not {array.dtype}: convert them.")
    if array.dtype.kind == "O":
        array = np.where(pd.isna(array), np.nan, array)  # pandas' NA cannot be converted
    try:
        values: Values = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise GlocalkError(f"A rating is not a number ({error}).") from error
    return values
