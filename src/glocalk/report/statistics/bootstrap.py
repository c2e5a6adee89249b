"""The bootstrap over users: how far a mean RMSE would move with other users of the same kind.

Users are the unit, because the errors of one user's ratings are related. Each resample draws as
many users as there are, with replacement; a user drawn twice counts twice, with all test ratings
(Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 6 and 13). The models stay
as they are trained: what another seed would change is not in the interval.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glocalk.report.statistics.sample import Floats

RESAMPLES = 10_000
LEVEL = 0.95

_SEED = 20210830  # any; fixed, so that the same records give the same interval
_AT_ONCE = 250  # resamples whose weights are in memory at once


class Interval(NamedTuple):
    """An interval of confidence."""

    low: float
    high: float


def resampled_rmse(counts: Floats, errors: Floats, resamples: int = RESAMPLES) -> Floats:
    """Pooled RMSE of every column in every resample of the users.

    √(Σ_u w_u e_u / Σ_u w_u n_u), where w_u is the number of times that user u is drawn. All columns
    see the same draws, and so do two calls with the same number of users: what is computed from
    two columns is paired.

    Args:
        counts: [users] number of test ratings, each above 0.
        errors: [users, columns] sums of squared errors.
        resamples: number of resamples.

    Returns:
        [resamples, columns].
    """
    users = len(counts)
    # The legacy generator, because its stream is the same in all versions of numpy (NEP 19).
    random = np.random.RandomState(_SEED)
    made = np.empty((resamples, errors.shape[1]))
    for start in range(0, resamples, _AT_ONCE):
        rows = min(_AT_ONCE, resamples - start)
        drawn = random.randint(users, size=(rows, users)) + users * np.arange(rows)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * users).reshape(rows, users)
        weights = weights.astype(np.float64)
        made[start : start + rows] = (weights @ errors) / (weights @ counts)[:, None]
    return np.sqrt(made, out=made)


def percentile_interval(values: Floats, level: float = LEVEL) -> Interval:
    """The interval between the quantiles (1 − level)/2 and (1 + level)/2 of resampled values."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
