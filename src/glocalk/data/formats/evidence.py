"""What the first rows of a file without names say about its columns.

Nothing here decides against evidence: what may be two things is called so, and the caller refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glocalk.data.formats.cells import is_missing, to_number
from glocalk.data.labels import is_whole

_EARLIEST = 10**8  # seconds since 1970: no rating and no id of few items is as large
_LARGE = 10  # the highest rating of the usual scales
_FEW_CHANCES = 5  # collisions expected by chance, so that none at all is evidence


class Head:
    """The first rows of a file.

    Args:
        rows: [n][width] their cells.
    """

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self.count = len(rows)
        self.columns = [list(column) for column in zip(*rows, strict=True)]
        self._numbers = [_numbers(column) for column in self.columns]

    def is_numeric(self, position: int) -> bool:
        """Whether every cell of a column is a number or missing."""
        return self._numbers[position] is not None

    def repeats(self, position: int) -> bool:
        """Whether a value occurs more than once in a column."""
        return len(set(self.columns[position])) < self.count

    def counts_rows(self, position: int) -> bool:
        """Whether a column counts the rows, from any number."""
        cells = self.columns[position]
        return all(map(is_whole, cells)) and (np.diff([int(cell) for cell in cells]) == 1).all()

    def may_be_index(self, position: int) -> bool:
        """Whether a column may number the rows, in order or not: whole numbers, each once."""
        return all(map(is_whole, self.columns[position])) and not self.repeats(position)

    def holds_ids(self, position: int) -> bool:
        """Whether a column may hold ids: whole numbers or text."""
        values = self._numbers[position]
        return values is None or not (values != np.floor(values))[~np.isnan(values)].any()

    def holds_times(self, position: int) -> bool:
        """Whether a column holds numbers as large as seconds since 1970."""
        values = self._numbers[position]
        return values is not None and bool(len(values)) and bool((values >= _EARLIEST).all())

    def holds_ratings(self, position: int) -> bool:
        """Whether a column looks like ratings: few levels, or small numbers."""
        values = self._numbers[position]
        if values is None or self.holds_times(position):
            return False
        known = values[~np.isnan(values)]
        few = len(np.unique(known)) <= len(known) / 2
        return bool(len(known)) and (few or bool((np.abs(known) <= _LARGE).all()))

    def holds_likelier_ratings(self, position: int) -> bool:
        """Whether the next column is on a usual scale of ratings, and this one is not.

        This one may hold the categories of items, or the items after an id of each row. Whole
        numbers may, and two levels in the next column are a flag.
        """
        if position + 1 >= len(self.columns) or self.count < 5 or not self.holds_ids(position):
            return False
        this, following = self._numbers[position], self._numbers[position + 1]
        if this is None or following is None or np.isnan(following).any():
            return False
        usual = len(np.unique(following)) > 2 and (np.abs(following) <= _LARGE).all()
        return bool(usual and (this > _LARGE).any())

    def may_be_matrix(self, first: int = 0) -> bool:
        """Whether the rows may be users and the columns, from `first` on, items.

        In a table, the second column holds ids of items and the third ratings. They may be ratings
        of two items if most of the one lie in the range of the other, unless the pairs of the first
        two columns tell that these are ids: none of them occurs twice, although chance would repeat
        some. Three columns may be three items, but not two items after the ids of users.
        """
        columns = self._numbers[first:]
        if len(columns) < 3 or any(column is None for column in columns[1:]):
            return False
        likely = [column for column in columns[1:] if column is not None]
        items, others = likely[0], likely[1:]
        if len(columns) > 3 and self.holds_times(first + 3):
            return False
        if len(columns) == 3 and (columns[0] is None or not _lies_in(columns[0], others[0])):
            return False
        if not self.holds_ids(first + 1) or (len(columns) > 3 and not self.holds_ids(first)):
            return True  # ratings, because no id is fractional
        if np.mean([_lies_in(items, other) for other in others]) < 0.5:
            return False
        if len(columns) < 5 and np.mean(others[0] != np.floor(others[0])) > 0.2:
            return False
        return not self._are_pairs_of_ids(first, first + 1)

    def _are_pairs_of_ids(self, user: int, item: int) -> bool:
        users, items = self.columns[user], self.columns[item]
        if len(set(zip(users, items, strict=True))) < self.count or not self.repeats(user):
            return False
        if not self.is_numeric(user):
            return True  # neither ratings nor the ids of a matrix, which occur once
        for column in (self._numbers[user], self._numbers[item]):
            assert column is not None
            if len(np.unique(column)) > 2 and (np.diff(column) >= 0).all() and self.count > 5:
                return True  # a table is often sorted, a column of ratings hardly ever
        same = [
            (np.unique(column, return_counts=True)[1] / self.count) ** 2
            for column in (users, items)
        ]
        chances = float(self.count**2 / 2 * same[0].sum() * same[1].sum())
        return bool(len(set(users)) <= self.count / 2 and chances >= _FEW_CHANCES)


def _numbers(cells: Sequence[str]) -> NDArray[Any] | None:
    """The cells as numbers, NaN for missing ones; None if one is neither."""
    values = [to_number(cell) for cell in cells]
    if any(
        value is None and not is_missing(cell) for value, cell in zip(values, cells, strict=True)
    ):
        return None
    return np.array([np.nan if value is None else value for value in values])


def _lies_in(values: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether half of the values at least lie in the range of others; missing ones do not count."""
    known, bounds = values[~np.isnan(values)], other[~np.isnan(other)]
    if not len(known) or not len(bounds):
        return True
    return bool(np.mean((bounds.min() <= known) & (known <= bounds.max())) >= 0.5)
