"""Training ratings as plain arrays, the form that compiled loops take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Self

from glocalk.data.rating_matrix import RatingMatrix
from glocalk.sparse.compiled import Array
from glocalk.stopping import safe_point

_PIECE = 1 << 29  # multiplications between two safe points: half a second or so


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

    def part(self, positions: slice) -> RatingArrays:
        """The ratings at these positions, not copied."""
        return RatingArrays(*(array[positions] for array in self))


def pieces(ratings: int, cost: int) -> Iterator[slice]:
    """Divide a loop over `ratings` ratings into slices, with a safe point to stop at before each.

    Args:
        ratings: number of ratings.
        cost: number of multiplications for each rating.
    """
    length = max(_PIECE // cost, 1)
    for first in range(0, ratings, length):
        safe_point()
        yield slice(first, min(first + length, ratings))
