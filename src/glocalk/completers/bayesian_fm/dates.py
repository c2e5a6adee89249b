"""Which pair has which date."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch

from glocalk.completers.base import State, take
from glocalk.data.rating_matrix import Indices, RatingMatrix
from glocalk.data.side.dates import RatingDates
from glocalk.errors import GlocalkError


class PairDates:
    """The dates of training ratings, and the row of each pair: 0 if its date is none of them.

    Args:
        days: [dates] the dates, as ascending whole days.
        lookup: the date of each pair that has one.
    """

    def __init__(self, days: Indices, lookup: RatingDates) -> None:
        self._days, self._lookup = days, lookup

    @classmethod
    def of(cls, train: RatingMatrix, lookup: RatingDates) -> Self:
        """The dates of `train`."""
        days = np.floor(lookup.of(train.users, train.items))
        return cls(np.unique(days[~np.isnan(days)]).astype(np.int64), lookup)

    @property
    def size(self) -> int:
        """Number of rows: one for each date, and row 0."""
        return len(self._days) + 1

    def rows(self, users: Indices, items: Indices) -> Indices:
        """[pairs] row of each pair's date."""
        days = np.floor(self._lookup.of(users, items))
        at = np.searchsorted(self._days, days)  # NaN comes last
        known = np.isin(days, self._days)
        return np.where(known, at + 1, 0)

    def state(self) -> State:
        """Everything, for `of_state`."""
        return {
            "dates": torch.from_numpy(self._days),
            "dated_pairs": torch.from_numpy(self._lookup.cells),
            "dates_of_pairs": torch.from_numpy(self._lookup.days),
        }

    @classmethod
    def of_state(cls, state: State, num_items: int) -> Self:
        """Become what `state` was taken of.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """
        days = take(state, "dates", _length(state, "dates"), whole=True).long().numpy()
        if (np.diff(days) <= 0).any():
            raise GlocalkError("The saved 'dates' do not ascend.")
        pairs = _length(state, "dated_pairs")
        cells = take(state, "dated_pairs", pairs, whole=True).long().numpy()
        of_pairs = take(state, "dates_of_pairs", pairs).double().numpy()
        return cls(days, RatingDates(cells, of_pairs, num_items))


def _length(state: State, name: str) -> tuple[int]:
    return (state[name].numel() if name in state else 0,)
