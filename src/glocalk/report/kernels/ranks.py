"""Rank correlation of what a training starts with and where it ends, over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from glocalk.report.statistics.bootstrap import Interval

DRAWS = 10_000

_SEED = 20210830  # any; fixed, so that the same records give the same p-value
_QUANTILE = 1.959964  # of the standard normal distribution, for 95 %


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation.

    Attributes:
        rho: its value.
        interval: its 95 % interval; None for ρ = ±1.
        p_value: of the hypothesis that the two are unrelated, by random permutations.
    """

    rho: float
    interval: Interval | None
    p_value: float


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> RankCorrelation | None:
    """Spearman's ρ of x and y; None for fewer than five pairs, or if all of one are equal.

    The interval is that of Fisher's z with the variance (1 + ρ²/2)/(n − 3) of Bonett and Wright
    (Psychometrika 65, 2000). The p-value is the share of random pairings whose |ρ| is at least as
    large, the observed one included.
    """
    if len(x) < 5 or len(set(x)) == 1 or len(set(y)) == 1:
        return None
    ranks = [stats.rankdata(values) - (len(values) + 1) / 2 for values in (x, y)]
    a, b = (centered / np.linalg.norm(centered) for centered in ranks)
    rho = float(np.clip(a @ b, -1, 1))
    # The legacy generator, because its stream is the same in all versions of numpy (NEP 19).
    random = np.random.RandomState(_SEED)
    others = np.array([a @ b[random.permutation(len(b))] for _ in range(DRAWS)])
    as_large = int((np.abs(others) >= abs(rho) - 1e-12).sum())
    return RankCorrelation(rho, _interval(rho, len(x)), (as_large + 1) / (DRAWS + 1))


def _interval(rho: float, pairs: int) -> Interval | None:
    if abs(rho) > 1 - 1e-12:
        return None
    z = math.atanh(rho)
    reach = _QUANTILE * math.sqrt((1 + rho**2 / 2) / (pairs - 3))
    return Interval(math.tanh(z - reach), math.tanh(z + reach))
