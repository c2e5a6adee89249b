"""A paired test with the user as unit, and Holm's correction for many tests.

Published differences between models are differences of pooled RMSE, a nonlinear function of the
users' errors, and here also means over seeds. The test therefore takes each user's contribution to
that very difference, to first order, and applies Student's t-test to the contributions: its null
hypothesis is about the number in the table. A t-test of users' mean errors would weight a user with
one rating like a user with hundreds and so judge another number; one of users' summed squared
errors agrees with this test for two models with one seed each, and for several seeds judges the
mean of the squared RMSE. Wilcoxon's test needs symmetric differences, which users with very
different numbers of ratings do not have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from glocalk.report.statistics.sample import Floats, Sample, Terms, refuse_others


def contributions(terms: Terms) -> Floats:
    """Each user's contribution to Σ_k c_k · R_k, where R_k is sample k's mean RMSE over seeds.

    A pooled RMSE is R = √(E/N) with E = Σ_u e_u and N = Σ_u n_u. To first order user u moves it by
    (e_u − R² n_u) / (2 R N), which sums to 0 over users. Scaled by the number of users and shifted
    by the estimate, these are the pseudo-values of the infinitesimal jackknife (Efron 1982): their
    mean is the estimate, and their sample variance over the number of users estimates its variance.

    Args:
        terms: factor c_k and sample k; `(1, a), (-1, b)` is the difference of a and b.

    Returns:
        [users].

    Raises:
        GlocalkError: the samples differ in their split or users.
    """
    refuse_others([sample for _, sample in terms])
    values: Floats = np.sum([factor * _pseudo_values(sample) for factor, sample in terms], axis=0)
    return values


def paired_p_value(terms: Terms, margin: float = 0.0) -> float:
    """Two-sided p-value of the hypothesis that Σ_k c_k · R_k equals `margin`.

    Returns:
        1 where users' contributions do not vary, as those of a single user: nothing is shown.

    Raises:
        GlocalkError: the samples differ in their split or users.
    """
    values = contributions(terms)
    if np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return 1.0
    return float(stats.ttest_1samp(values, margin).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for one another by Holm's step-down procedure (1979).

    The k-th smallest of m becomes max_{j ≤ k} min(1, (m − j + 1) · p_(j)). statsmodels'
    `multipletests` gives the same, but collects garbage at every call, which takes seconds beside
    many records.
    """
    values = np.array(p_values, dtype=np.float64)
    order = np.argsort(values)
    steps = np.minimum(1, values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(steps)
    return [float(p) for p in adjusted]


def _pseudo_values(sample: Sample) -> Floats:
    """[users], whose mean is the sample's mean RMSE over seeds."""
    rmse, ratings = sample.rmse, sample.counts.sum()  # [seeds], number
    residuals = sample.errors - np.outer(sample.counts, rmse**2)  # [users, seeds]; 0 for RMSE 0
    moves = residuals / (2 * np.where(rmse > 0, rmse, 1) * ratings)
    values: Floats = (rmse + len(sample.counts) * moves).mean(axis=1)
    return values
