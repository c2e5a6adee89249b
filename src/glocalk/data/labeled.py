"""A rating matrix whose users and items have ids: what the Python API fits on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from glocalk.data.ids import Ids, Labels
from glocalk.data.ratings import RatingMatrix
from glocalk.errors import GlocalkError


@dataclass(frozen=True, eq=False)
class Ratings(RatingMatrix):
    """Observed ratings under the ids of their users and items.

    Build one with `from_frame` or `from_arrays`; the constructor takes indices, see
    `RatingMatrix`.

    Attributes:
        ids: label of each user index and of each item index.

    Raises:
        GlocalkError: the ids do not fit the shape; see also `RatingMatrix`.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays(["ann", "ann", "bob"], [7, 9, 7], [4, 5, 3])
        >>> ratings.shape, ratings.scale
        ((2, 2), (3.0, 5.0))
    """

    ids: Ids

    def __post_init__(self) -> None:
        super().__post_init__()
        if (len(self.ids.users), len(self.ids.items)) != self.shape:
            raise GlocalkError(
                f"{len(self.ids.users)} user ids and {len(self.ids.items)} item ids do not fit a "
                f"matrix of shape {self.shape}."
            )

    @classmethod
    def of(cls, matrix: RatingMatrix, ids: Ids) -> Self:
        """The ratings of `matrix` under `ids`."""
        return cls(matrix.users, matrix.items, matrix.ratings, matrix.shape, matrix.scale, ids=ids)

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
        """Ratings from a table with one row for each rating.

        Args:
            frame: the table; columns other than the three are ignored.
            user: name of the column of user ids: whole numbers or text.
            item: name of the column of item ids.
            rating: name of the column of ratings.
            scale: (lowest, highest) possible rating; None takes those of the column.

        Raises:
            GlocalkError: a column is missing, an id is missing, a rating is not a finite number
                on the scale, or a pair is rated twice.
        """
        for name in (user, item, rating):
            if name not in frame:
                raise GlocalkError(
                    f"The table has no column '{name}' (it has {', '.join(map(str, frame))}): "
                    "name the columns with user=, item= and rating=."
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
        """Ratings from three arrays of one length: lists, NumPy arrays, Series or tensors.

        Args:
            users: [n] id of each rating's user: whole numbers or text.
            items: [n] id of each rating's item.
            ratings: [n] values.
            scale: (lowest, highest) possible rating; None takes those of `ratings`.

        Raises:
            GlocalkError: as in `from_frame`.
        """
        values = np.asarray(ratings)
        if not values.size:
            raise GlocalkError("There are no ratings.")
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise GlocalkError(f"A rating is not a number ({error}).") from error
        user_labels, user_indices = _index(users, "user")
        item_labels, item_indices = _index(items, "item")
        if not np.isfinite(values).all():
            at = int(np.argmin(np.isfinite(values)))
            raise GlocalkError(
                f"The rating of user {user_labels[user_indices[at]]}, item "
                f"{item_labels[item_indices[at]]} is {values[at]}, which is not a finite number."
            )
        if scale is None:
            scale = float(values.min()), float(values.max())
        shape = len(user_labels), len(item_labels)
        ids = Ids(user_labels, item_labels)
        return cls(user_indices, item_indices, values, shape, scale, ids=ids)


def _index(labels: ArrayLike | Sequence[Any], kind: str) -> tuple[Labels, np.ndarray]:
    """Distinct labels in ascending order, and the index of each of `labels` among them."""
    array = np.asarray(labels)
    if array.ndim != 1:
        raise GlocalkError(f"The {kind} ids must be one list, not of shape {array.shape}.")
    if pd.isna(array).any():
        raise GlocalkError(f"A {kind} id is missing: remove its rows or give it an id.")
    if array.dtype.kind == "f" and (array == np.floor(array)).all():
        array = array.astype(np.int64)  # pandas reads a column of whole numbers with a gap so
    if array.dtype.kind not in "iu":
        array = array.astype(str).astype(object)
    known, indices = np.unique(array, return_inverse=True)
    return known, indices.astype(np.int64)
