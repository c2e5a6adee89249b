"""The rating matrix: which user gave which item which rating."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glocalk.errors import GlocalkError

Indices: TypeAlias = NDArray[np.int64]
Values: TypeAlias = NDArray[np.float64]

# The square of a rating, summed over 10¹⁴ of them, is finite in float32, whose largest number is
# 3.4 · 10³⁸.
LARGEST_RATING = 1e12


@dataclass(frozen=True, eq=False)
class RatingMatrix:
    """Observed ratings as coordinate triples; pairs that are not listed are missing, not 0.

    The triples are sorted by user and item, so that results do not depend on the order of a file.
    The arrays are copies and read-only.

    Attributes:
        users: [n] user index of each rating, 0 ≤ user < shape[0].
        items: [n] item index of each rating, 0 ≤ item < shape[1].
        ratings: [n] values, within `scale`.
        shape: (number of users, number of items), users and items without ratings included.
        scale: (lowest, highest) possible rating, at most 10¹² in magnitude.

    Raises:
        GlocalkError: an index is outside the shape, a (user, item) pair occurs more than once, a
            rating is not finite, exceeds 10¹² in magnitude or is not on the scale, or the scale is
            not two ascending numbers of at most 10¹² in magnitude.

    Example:
        >>> import numpy as np
        >>> from glocalk.data import RatingMatrix
        >>> matrix = RatingMatrix(
        ...     np.array([1, 0]), np.array([2, 0]), np.array([4.0, 3.5]), shape=(2, 3), scale=(1, 5)
        ... )
        >>> matrix.users.tolist(), matrix.ratings.tolist(), round(matrix.density, 2)
        ([0, 1], [3.5, 4.0], 0.33)
    """

    users: Indices
    items: Indices
    ratings: Values
    shape: tuple[int, int]
    scale: tuple[float, float]

    def __post_init__(self) -> None:
        users, items = _indices(self.users, "user"), _indices(self.items, "item")
        ratings = np.array(self.ratings, dtype=np.float64)
        if not (users.ndim == items.ndim == ratings.ndim == 1) or not (
            len(users) == len(items) == len(ratings)
        ):
            raise GlocalkError(
                "Users, items and ratings must be one-dimensional and have the same length, not "
                f"the shapes {users.shape}, {items.shape} and {ratings.shape}."
            )
        for name, index, size in zip(("user", "item"), (users, items), self.shape, strict=True):
            if len(index) and not (index.min() >= 0 and index.max() < size):
                worst = index.min() if index.min() < 0 else index.max()
                raise GlocalkError(f"The {name} index {worst} is outside 0 … {size - 1}.")
        lowest, highest = self.scale
        for wrong, what in (
            (~np.isfinite(ratings), "a finite number"),
            (
                np.abs(ratings) > LARGEST_RATING,
                f"within ±{LARGEST_RATING:.0e}: divide all ratings by a constant",
            ),
            (
                ~((ratings >= lowest) & (ratings <= highest)),
                f"on the scale {lowest:g} … {highest:g}",
            ),
        ):
            if wrong.any():
                at = int(np.argmax(wrong))
                pair = self._pair(users[at], items[at])
                raise GlocalkError(f"The rating {ratings[at]:g} of {pair} is not {what}.")
        if not -np.inf < lowest <= highest < np.inf:  # false for NaN
            raise GlocalkError(
                f"The rating scale {lowest:g} … {highest:g} is not two ascending numbers."
            )
        if max(abs(lowest), abs(highest)) > LARGEST_RATING:
            raise GlocalkError(
                f"Ratings from {lowest:g} to {highest:g} are not within ±{LARGEST_RATING:.0e}: "
                "divide all ratings by a constant."
            )
        cells = users * self.shape[1] + items
        if not (np.diff(cells) > 0).all():  # sorting is slow, and most parts are sorted
            order = np.argsort(cells, kind="stable")
            users, items, ratings = users[order], items[order], ratings[order]
            cells = cells[order]
        repeated = np.diff(cells) == 0
        if repeated.any():
            at = int(np.argmax(repeated))
            raise GlocalkError(
                f"There is more than one rating of {self._pair(users[at], items[at])}: keep one "
                "rating per pair."
            )
        for name, array in (("users", users), ("items", items), ("ratings", ratings)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.ratings)

    @property
    def num_users(self) -> int:
        return self.shape[0]

    @property
    def num_items(self) -> int:
        return self.shape[1]

    @property
    def density(self) -> float:
        """Fraction of all (user, item) pairs that have a rating."""
        return len(self) / (self.num_users * self.num_items)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over shape, scale and sorted triples: equal for equal ratings."""
        digest = hashlib.sha256(f"{self.shape} {tuple(map(float, self.scale))}\n".encode())
        for array, kind in ((self.users, "<i8"), (self.items, "<i8"), (self.ratings, "<f8")):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return digest.hexdigest()

    def select(self, chosen: ArrayLike) -> Self:
        """The ratings at `chosen`, with the same shape and scale.

        Args:
            chosen: a mask [n], or positions.
        """
        chosen = np.asarray(chosen)
        if not chosen.size:
            chosen = chosen.astype(np.int64)  # NumPy makes an empty list an array of floats
        return replace(
            self,
            users=self.users[chosen],
            items=self.items[chosen],
            ratings=self.ratings[chosen],
        )

    def _pair(self, user: int, item: int) -> str:
        """A (user, item) pair in an error message."""
        return f"user index {user}, item index {item}"


def _indices(values: ArrayLike, name: str) -> Indices:
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise GlocalkError(f"The {name} indices must be whole numbers, not {array.dtype}.")
    return array.astype(np.int64)
