"""When ratings were given."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glocalk.data.rating_matrix import Indices, Values
from glocalk.errors import GlocalkError


@dataclass(frozen=True, eq=False)
class RatingDates:
    """The date of each rated pair: a lookup that holds no rating.

    Attributes:
        cells: [n] position user · items + item of each pair, ascending and distinct.
        days: [n] days since 1 January 1970, UTC, with fractions.
        num_items: number of items.

    Raises:
        GlocalkError: a pair occurs twice, or a date is not finite.
    """

    cells: Indices
    days: Values
    num_items: int

    def __post_init__(self) -> None:
        if not len(self.cells) == len(self.days) or not np.isfinite(self.days).all():
            raise GlocalkError("Each rated pair needs one date that is a finite number.")
        order = np.argsort(self.cells, kind="stable")
        cells, days = np.asarray(self.cells)[order], np.asarray(self.days, np.float64)[order]
        if (np.diff(cells) == 0).any():
            raise GlocalkError("A rated pair has two dates: keep one.")
        object.__setattr__(self, "cells", cells)
        object.__setattr__(self, "days", days)

    @classmethod
    def from_seconds(
        cls, users: Indices, items: Indices, seconds: Indices | Values, num_items: int
    ) -> RatingDates:
        """From Unix times.

        Args:
            users: [n] user index of each pair.
            items: [n] item index.
            seconds: [n] seconds since 1 January 1970, UTC.
            num_items: number of items.
        """
        return cls(users * num_items + items, np.asarray(seconds, np.float64) / 86_400, num_items)

    def of(self, users: Indices, items: Indices) -> Values:
        """[n] days of each pair (users[k], items[k]); NaN where it has no date."""
        wanted = np.asarray(users) * self.num_items + np.asarray(items)
        if not len(self.cells):
            return np.full(len(wanted), np.nan)
        at = np.minimum(np.searchsorted(self.cells, wanted), len(self.cells) - 1)
        return np.where(self.cells[at] == wanted, self.days[at], np.nan)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over pairs and dates."""
        digest = hashlib.sha256(str(self.num_items).encode())
        digest.update(np.ascontiguousarray(self.cells, dtype="<i8").tobytes())
        digest.update(np.ascontiguousarray(self.days, dtype="<f8").tobytes())
        return digest.hexdigest()
