"""Compiled loops of the ordered probit: probabilities of levels, and latent scores."""

from __future__ import annotations

import math

import numpy as np

from glocalk.completers.blocks.sampling.draws import normals, uniform
from glocalk.sparse.compiled import Array, exact

_ROOT = math.sqrt(2)
_PEAK = 1 / math.sqrt(2 * math.pi)  # of the normal density
_WIDE = 2.5  # about √(2π): above it, normal draws are rejected less often than uniform ones
_FAR = 25.0  # from here on, exp(x²) erfc(x) by its asymptotic series


@exact
def log_likelihood(
    scores: Array, labels: Array, cut_points: Array, gradient: Array, hessian: Array
) -> float:
    """Σ log P(level) of all ratings.

    Args:
        scores: [n].
        labels: [n] level of each.
        cut_points: [levels − 1] γ, ascending.
        gradient: [levels − 1] zeros; gets the derivatives by γ.
        hessian: [levels − 1, levels − 1] likewise.

    Returns:
        The sum; −∞ if an interval has no probability.
    """
    total, last = 0.0, len(cut_points)
    for n in range(len(scores)):
        k = labels[n]
        upper = cut_points[k] - scores[n] if k < last else math.inf
        lower = cut_points[k - 1] - scores[n] if k > 0 else -math.inf
        log_p, at_upper, at_lower = interval(lower, upper)
        if not log_p > -math.inf:
            return -math.inf
        total += log_p
        if k < last:
            gradient[k] += at_upper
            hessian[k, k] -= at_upper * (upper + at_upper)
        if k > 0:
            gradient[k - 1] -= at_lower
            hessian[k - 1, k - 1] += at_lower * (lower - at_lower)
        if 0 < k < last:
            hessian[k, k - 1] += at_upper * at_lower
            hessian[k - 1, k] += at_upper * at_lower
    return total


@exact
def interval(lower: float, upper: float) -> tuple[float, float, float]:
    """Log P of an interval under the standard normal, and the densities at its ends over P.

    Args:
        lower: its lower end, or −∞.
        upper: its upper end, or ∞; an interval without width has log P = −∞.

    Returns:
        log P, φ(upper) / P, φ(lower) / P; exact to rounding however far from 0 it lies.
    """
    flipped = lower > 0
    if flipped:
        lower, upper = -upper, -lower
    if not lower < upper:
        return -math.inf, 0.0, 0.0
    # P = share · exp(exponent): both ends below 0, their densities would underflow.
    if upper < 0:
        ratio = math.exp((upper * upper - lower * lower) / 2)
        share = _scaled_tail(-upper / _ROOT) / 2
        if ratio > 0:
            share -= ratio * _scaled_tail(-lower / _ROOT) / 2
        exponent, near, far = -upper * upper / 2, _PEAK, _PEAK * ratio
    else:
        share = (math.erf(upper / _ROOT) - math.erf(lower / _ROOT)) / 2
        exponent = 0.0
        near, far = _PEAK * math.exp(-upper * upper / 2), _PEAK * math.exp(-lower * lower / 2)
    if not share > 0:
        return -math.inf, 0.0, 0.0
    log_p, near, far = math.log(share) + exponent, near / share, far / share
    if flipped:
        return log_p, far, near
    return log_p, near, far


@exact
def _scaled_tail(x: float) -> float:
    """exp(x²) erfc(x) for x ≥ 0."""
    if x < _FAR:
        return math.exp(x * x) * math.erfc(x)
    s = 1 / (2 * x * x)
    return (1 - s * (1 - 3 * s * (1 - 5 * s * (1 - 7 * s)))) / (x * math.sqrt(math.pi))


@exact
def draw_latent(
    words: Array, at: Array, scores: Array, labels: Array, cut_points: Array, errors: Array
) -> None:
    """Draw each z between the cut points of its rating's level; errors get scores − z."""
    last = len(cut_points)
    for n in range(len(scores)):
        k = labels[n]
        upper = cut_points[k] - scores[n] if k < last else math.inf
        lower = cut_points[k - 1] - scores[n] if k > 0 else -math.inf
        errors[n] = -truncated_normal(words, at, lower, upper)


@exact
def truncated_normal(words: Array, at: Array, lower: float, upper: float) -> float:
    """A standard normal value between two ends; see Robert, Statistics and Computing, 1995."""
    if upper < 0:
        return -_above_zero(words, at, -upper, -lower)
    if lower > 0:
        return _above_zero(words, at, lower, upper)
    while True:
        if upper - lower > _WIDE:
            first, second = normals(words, at)
            if lower < first < upper:
                return first
            if lower < second < upper:
                return second
        else:
            z = lower + (upper - lower) * uniform(words, at)
            if uniform(words, at) < math.exp(-z * z / 2):
                return z


@exact
def _above_zero(words: Array, at: Array, lower: float, upper: float) -> float:
    """Between two ends above 0."""
    rate = (lower + math.sqrt(lower * lower + 4)) / 2
    while True:
        if (upper - lower) * rate < 1:
            z = lower + (upper - lower) * uniform(words, at)
            accepted = math.exp((lower * lower - z * z) / 2)
        else:
            z = lower - math.log(uniform(words, at)) / rate
            accepted = math.exp(-(z - rate) * (z - rate) / 2) if z < upper else 0.0
        if uniform(words, at) < accepted:
            return z


@exact
def add_sampled_probabilities(
    users: Array, items: Array, dates: Array, of_users: Array, of_items: Array, of_dates: Array,
    cut_points: Array, probabilities: Array,
) -> None:  # fmt: skip
    """Add P(level) of each pair under each sample.

    Args:
        users: [pairs] user of each.
        items: [pairs] item.
        dates: [pairs] date; none if there are no dates.
        of_users: [users, samples, 1 + rank] bias and factors.
        of_items: [items, samples, 1 + rank].
        of_dates: [dates, samples, 1 + rank].
        cut_points: [samples, levels − 1] γ − w₀.
        probabilities: [pairs, levels].
    """
    width, last = of_users.shape[2], cut_points.shape[1]
    for n in range(len(users)):
        for s in range(len(cut_points)):
            p, q = of_users[users[n], s], of_items[items[n], s]
            score = np.float64(p[0]) + np.float64(q[0])
            for k in range(1, width):
                score += np.float64(p[k]) * q[k]
            if len(dates):
                d = of_dates[dates[n], s]
                score += d[0]
                for k in range(1, width):
                    score += (np.float64(p[k]) + q[k]) * d[k]
            below = 0.0
            for k in range(last):
                up_to = math.erfc((score - cut_points[s, k]) / _ROOT) / 2
                probabilities[n, k] += up_to - below
                below = up_to
            probabilities[n, last] += 1 - below
