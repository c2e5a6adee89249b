"""The rating matrix: who rated what, and how high."""

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


@dataclass(frozen=True, eq=False)
class RatingMatrix:
    """Observed ratings as coordinate triples; what is not listed is missing, never 0.

    The triples are kept in ascending (user, item) order whatever order they come in, so that
    nothing downstream can depend on a file's order; their arrays are read-only.

    Attributes:
        users: [n] user index of each rating, 0 ≤ user < shape[0].
        items: [n] item index of each rating, 0 ≤ item < shape[1].
        ratings: [n] values, within `scale`.
        shape: (number of users, number of items); users and items without ratings count.
        scale: (lowest, highest) rating that the data set's scale admits.

    Raises:
        GlocalkError: an index outside the shape, a duplicate (user, item) pair, a rating that is
            not finite or lies off the scale.
    """

    users: Indices
    items: Indices
    ratings: Values
    shape: tuple[int, int]
    scale: tuple[float, float]

    def __post_init__(self) -> None:
        users, items = _indices(self.users, "user"), _indices(self.items, "item")
        ratings = np.asarray(self.ratings, dtype=np.float64)
        if not (users.ndim == items.ndim == ratings.ndim == 1) or not (
            len(users) == len(items) == len(ratings)
        ):
            raise GlocalkError(
                "Users, items and ratings must be three lists of one length, not of shapes "
                f"{users.shape}, {items.shape} and {ratings.shape}."
            )
        for name, index, size in zip(("user", "item"), (users, items), self.shape, strict=True):
            if len(index) and not (index.min() >= 0 and index.max() < size):
                worst = index.min() if index.min() < 0 else index.max()
                raise GlocalkError(f"The {name} index {worst} lies outside 0 … {size - 1}.")
        lowest, highest = self.scale
        off = ~((ratings >= lowest) & (ratings <= highest))  # true for NaN as well
        if off.any():
            at = int(np.argmax(off))
            raise GlocalkError(
                f"The rating {ratings[at]:g} of user {users[at]}, item {items[at]} is not on the "
                f"scale {lowest:g} … {highest:g}."
            )
        cells = users * self.shape[1] + items
        if not (np.diff(cells) > 0).all():  # sorting is dear, and most parts come in order
            order = np.argsort(cells, kind="stable")
            users, items, ratings = users[order], items[order], ratings[order]
            cells = cells[order]
        twice = np.diff(cells) == 0
        if twice.any():
            at = int(np.argmax(twice))
            raise GlocalkError(
                f"User {users[at]} rates item {items[at]} more than once: keep one rating a pair."
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
        """Share of the matrix's cells that hold a rating."""
        return len(self) / (self.num_users * self.num_items)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over shape, scale and the ordered triples; the same for the same ratings."""
        digest = hashlib.sha256(f"{self.shape} {tuple(map(float, self.scale))}\n".encode())
        for array, kind in ((self.users, "<i8"), (self.items, "<i8"), (self.ratings, "<f8")):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return digest.hexdigest()

    def select(self, chosen: ArrayLike) -> Self:
        """The ratings that `chosen` (a mask or positions) picks, on the same shape and scale."""
        chosen = np.asarray(chosen)
        if not chosen.size:
            chosen = chosen.astype(np.int64)  # an empty list would come as floats
        return replace(
            self,
            users=self.users[chosen],
            items=self.items[chosen],
            ratings=self.ratings[chosen],
        )


def _indices(values: ArrayLike, name: str) -> Indices:
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise GlocalkError(f"The {name} indices must be whole numbers, not {array.dtype}.")
    return array.astype(np.int64)
