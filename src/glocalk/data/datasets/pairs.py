"""Ratings as read from one file, and one rating for each (user, item) pair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glocalk.data.formats.columns import Columns
from glocalk.data.ids import Ids
from glocalk.data.rating_matrix import Indices, Values
from glocalk.errors import GlocalkError, shown


@dataclass(frozen=True)
class Rated:
    """Ratings of one file, in its order.

    Attributes:
        users: [n] user indices, of 32 bits to save memory.
        items: [n] item indices, likewise.
        ratings: [n] values.
        times: [n] numbers that ascend with the timestamps; None if these were not read.
        num_items: number of items.
        parts: [n] the part of the split that each belongs to; None if no file says it.
        parts_name: name of the split into these parts.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: Values
    times: NDArray[Any] | None
    num_items: int
    parts: NDArray[np.int8] | None = None
    parts_name: str = "given"

    @property
    def cells(self) -> Indices:
        """[n] position of each pair in the matrix, row by row."""
        return self.users.astype(np.int64) * self.num_items + self.items

    def keep(self, rows: Indices) -> Rated:
        """The ratings of these rows."""
        return replace(
            self,
            users=self.users[rows],
            items=self.items[rows],
            ratings=self.ratings[rows],
            times=None if self.times is None else self.times[rows],
            parts=None if self.parts is None else self.parts[rows],
        )


def one_per_pair(rated: Rated, ids: Ids, on_duplicate: str, file: Columns) -> tuple[Rated, str]:
    """One rating for each pair, at the place of its last row, and what was done, for the user.

    The last row is that of the highest timestamp if these were read; of equal ones the later row.

    Raises:
        GlocalkError: there are several ratings of a pair, and `on_duplicate` is `error`.
    """
    if (np.diff(np.sort(rated.cells)) > 0).all():
        return rated, ""
    _, first, pair, counts = np.unique(
        rated.cells, return_index=True, return_inverse=True, return_counts=True
    )
    rows = np.arange(len(rated.ratings))
    if on_duplicate == "error":
        again = int(np.argmax(first[pair] != rows))
        numbers = [file.look(int(row))[0] for row in (first[pair[again]], again)]
        raise GlocalkError(
            f"User '{shown(ids.users[rated.users[again]])}' rates item "
            f"'{shown(ids.items[rated.items[again]])}' in rows {numbers[0]} and {numbers[1]} of "
            f"'{file.path}': keep one, or choose data.on_duplicate=mean or last."
        )
    in_time = rows if rated.times is None else np.argsort(rated.times, kind="stable")
    last = np.zeros(len(first), dtype=np.int64)  # positions in `in_time`
    np.maximum.at(last, pair[in_time], rows)
    kept = np.sort(in_time[last])
    merged = rated.keep(kept)
    several = int(np.count_nonzero(counts > 1))
    repeated = (
        f"{several:,} {'pair has' if several == 1 else 'pairs have'} several ratings, of which"
    )
    if on_duplicate == "last":
        by = "by row" if rated.times is None else f"by time ({shown(file.taken['timestamp'])})"
        return merged, f"{repeated} the last {by} is taken"
    means = np.bincount(pair, rated.ratings) / counts
    # The mean of .1, .1 and .1 is a little more than .1, and would be off the scale.
    means = np.clip(means, rated.ratings.min(), rated.ratings.max())
    return replace(merged, ratings=means[pair[kept]]), f"{repeated} the mean is taken"
