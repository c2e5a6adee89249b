"""Ratings that look as if they meant "no rating": -1, 0 or 99 beside an otherwise regular scale."""

from __future__ import annotations

import numpy as np

from glocalk.data.rating_matrix import Values

_HIGHEST = 4  # where the other ratings end lower, -1 may be their lowest level
_FEW = 10  # ratings that do not show a scale
_FREQUENT = 1 / 3  # share of zeros that no level of a usual scale reaches


def suspect_values(ratings: Values) -> list[float]:
    """Values that may mean "no rating".

    - -1 where all others are 0 or more, and reach 4 at least;
    - 0 where all others are 1 or more and at least a third of the ratings are 0;
    - a value that is farther from all others than these are from each other, as 99 is from
      -10 ... 10; three or more others are needed.
    """
    if len(ratings) < _FEW:
        return []
    values, counts = np.unique(ratings, return_counts=True)
    found = []
    if len(values) > 2 and values[0] == -1 and values[1] >= 0 and values[-1] >= _HIGHEST:
        found.append(-1.0)
        values, counts = values[1:], counts[1:]
    found += _far(values)
    others = values[~np.isin(values, found)]
    zeros = counts[values == 0].sum() / len(ratings)
    if len(others) > 2 and others[0] == 0 and others[1] >= 1 and zeros >= _FREQUENT:
        found.append(0.0)
    return found


def _far(values: Values) -> list[float]:
    if len(values) < 4:
        return []
    if values[-1] - values[-2] > values[-2] - values[0]:
        return [float(values[-1])]
    if values[1] - values[0] > values[-1] - values[1]:
        return [float(values[0])]
    return []
