"""The mean of few numbers, such as one for each seed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from scipy import stats

from glocalk.report.statistics.bootstrap import LEVEL, Interval


def t_interval(values: Sequence[float]) -> Interval | None:
    """The 95 % interval of the mean by Student's t-distribution; None for fewer than two values.

    mean ± t · s / √n, where s is the sample standard deviation and t the quantile with n − 1
    degrees of freedom. A bootstrap of so few values would be too narrow.
    """
    if len(values) < 2:
        return None
    mean, error = statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
    return Interval(mean - reach, mean + reach)
