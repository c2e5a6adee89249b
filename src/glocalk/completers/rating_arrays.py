"""Training ratings as plain arrays, the form that compiled loops take."""

from __future__ import annotations

from typing import NamedTuple, Self

from glocalk.data.rating_matrix import RatingMatrix
from glocalk.sparse.compiled import Array


class RatingArrays(NamedTuple):
    """Observed ratings as coordinate triples in ascending (user, item) order.

    Attributes:
        users: [n] user index of each rating.
        items: [n] item index.
        ratings: [n] value.
    """

    users: Array
    items: Array
    ratings: Array

    @classmethod
    def of(cls, train: RatingMatrix) -> Self:
        """The arrays of `train`, not copied."""
        return cls(train.users, train.items, train.ratings)
