"""Predictive distributions of ratings: probabilities of the rating levels, or normal.

A completer that predicts more than a mean returns one of two forms, for all pairs at once:
`LevelDistribution`, a probability for each rating level, and `NormalDistribution`. Both answer the
same questions. With F the distribution function of a pair and y its rating, the continuous ranked
probability score is

    CRPS(F, y) = ∫ (F(x) − 1[y ≤ x])² dx = E|X − y| − E|X − X'| / 2,   X and X' from F

in rating units: the absolute error, if F is a point. Gneiting, Raftery, "Strictly Proper Scoring
Rules, Prediction, and Estimation", JASA 2007, equations 20 and 21; its closed form for the normal
distribution is in their section 4.2.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr, ndtr, ndtri
from scipy.stats import norm

from glocalk.data.rating_matrix import Indices, Values
from glocalk.errors import GlocalkError

_LEAST = float(np.finfo(np.float64).eps)  # probability that any level has, for its logarithm
_SINGLE = 1e-4  # difference of means by rounding, as a share of the scale
_STEPS = 60  # of bisection
_STEEPEST = 1e4  # θ, with the levels on 0 … 1


class Distribution(ABC):
    """Predictive distributions of the ratings of pairs."""

    @property
    @abstractmethod
    def mean(self) -> Values:
        """[pairs] means: the predictions, not clipped to the rating scale."""

    @property
    @abstractmethod
    def std(self) -> Values:
        """[pairs] standard deviations."""

    @abstractmethod
    def part(self, rows: slice) -> Distribution:
        """The distributions of some of the pairs."""

    @abstractmethod
    def on_levels(self, levels: ArrayLike) -> LevelDistribution:
        """The distribution of the level that is nearest to the rating.

        A level has the mass between the midpoints to its neighbors, upper end included; the lowest
        and the highest level have the tails.

        Args:
            levels: [levels] ascending ratings.

        Raises:
            GlocalkError: they do not ascend, or there are none.
        """

    @abstractmethod
    def crps(self, ratings: ArrayLike) -> Values:
        """[pairs] continuous ranked probability score of a rating each; see the module.

        Raises:
            GlocalkError: there is not one rating for each pair.
        """

    @abstractmethod
    def interval(self, share: float) -> tuple[Values, Values]:
        """Ends [pairs] of the central interval: the quantiles at (1 − share)/2 and (1 + share)/2.

        The quantile at q is the lowest x with F(x) ≥ q. On levels, an interval therefore contains
        at least the share, and often more.

        Args:
            share: between 0 and 1.

        Raises:
            GlocalkError: it is not.
        """

    def _one_each(self, ratings: ArrayLike) -> Values:
        """[pairs] The ratings."""
        array = _numbers(ratings)
        if array.shape != self.mean.shape:
            raise GlocalkError(
                f"{len(self.mean)} distributions need as many ratings, not {array.shape}."
            )
        return array


class LevelDistribution(Distribution):
    """A probability for each rating level.

    Args:
        levels: [levels] ascending ratings.
        probabilities: [pairs, levels], not negative; each row is divided by its sum.

    Attributes:
        levels: as given.
        probabilities: [pairs, levels], float64.
    """

    def __init__(self, levels: Values, probabilities: Values) -> None:
        self.levels = np.asarray(levels, np.float64)
        rows = np.asarray(probabilities, np.float64)
        self.probabilities: Values = rows / rows.sum(axis=1, keepdims=True)

    @property
    def mean(self) -> Values:
        means: Values = self.probabilities @ self.levels
        return means

    @property
    def std(self) -> Values:
        away = self.levels - self.mean[:, np.newaxis]
        variance: Values = np.einsum("nk,nk->n", self.probabilities, away**2)
        return np.sqrt(variance)

    def part(self, rows: slice) -> LevelDistribution:
        return LevelDistribution(self.levels, self.probabilities[rows])

    def on_levels(self, levels: ArrayLike) -> LevelDistribution:
        wanted = _ascending(levels)
        if np.array_equal(wanted, self.levels):
            return self
        nearest = nearest_level(self.levels, wanted)
        grouped = nearest[:, np.newaxis] == np.arange(len(wanted))
        return LevelDistribution(wanted, self.probabilities @ grouped)

    def log_probability(self, ratings: ArrayLike) -> Values:
        """[pairs] log probability of the level nearest to a rating each.

        Probabilities below 2.2e-16, the distance of 1 to the next number, count as that.
        """
        at = nearest_level(self._one_each(ratings), self.levels)
        chosen: Values = self.probabilities[np.arange(len(at)), at]
        return np.log(np.maximum(chosen, _LEAST))

    def crps(self, ratings: ArrayLike) -> Values:
        away = np.abs(self.levels - self._one_each(ratings)[:, np.newaxis])
        below = self._below()[:, :-1]
        error: Values = np.einsum("nk,nk->n", self.probabilities, away)
        spread: Values = (below * (1 - below)) @ np.diff(self.levels)  # E|X − X'| / 2
        return error - spread

    def interval(self, share: float) -> tuple[Values, Values]:
        tail = _tail(share)
        below = self._below()
        # Rounding must not move a quantile that is reached exactly, as at probabilities of .1.
        low, high = (self.levels[np.argmax(below >= q - 1e-12, axis=1)] for q in (tail, 1 - tail))
        return low, high

    def _below(self) -> Values:
        """[pairs, levels] F at each level."""
        return np.minimum(np.cumsum(self.probabilities, axis=1), 1)


class NormalDistribution(Distribution):
    """Normal distributions.

    Args:
        mean: [pairs].
        std: [pairs], above 0.
    """

    def __init__(self, mean: Values, std: Values) -> None:
        self._mean, self._std = mean, std

    @property
    def mean(self) -> Values:
        return self._mean

    @property
    def std(self) -> Values:
        return self._std

    def part(self, rows: slice) -> NormalDistribution:
        return NormalDistribution(self._mean[rows], self._std[rows])

    def log_density(self, ratings: ArrayLike) -> Values:
        """[pairs] log density at a rating each; it depends on the unit of the ratings."""
        densities: Values = np.asarray(norm.logpdf(self._one_each(ratings), self._mean, self._std))
        return densities

    def on_levels(self, levels: ArrayLike) -> LevelDistribution:
        wanted = _ascending(levels)
        inner = np.concatenate([[-np.inf], _midpoints(wanted), [np.inf]])
        ends = (inner - self._mean[:, np.newaxis]) / self._std[:, np.newaxis]
        lower, upper = ends[:, :-1], ends[:, 1:]
        # Of a bin above the mean, the mirrored one: its mass is not a difference of numbers near 1.
        mirrored = lower > 0
        lower, upper = np.where(mirrored, -upper, lower), np.where(mirrored, -lower, upper)
        masses = np.exp(log_ndtr(upper)) - np.exp(log_ndtr(lower))
        return LevelDistribution(wanted, masses)

    def crps(self, ratings: ArrayLike) -> Values:
        """Return std · (z (2 Φ(z) − 1) + 2 φ(z) − 1/√π) with z = (y − mean) / std."""
        z = (self._one_each(ratings) - self._mean) / self._std
        scores: Values = z * (2 * ndtr(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi)
        return self._std * scores

    def interval(self, share: float) -> tuple[Values, Values]:
        half = -ndtri(_tail(share)) * self._std
        return self._mean - half, self._mean + half


def nearest_level(ratings: Values, levels: Values) -> Indices:
    """[ratings] position of the nearest of the ascending levels; the lower one of two as near."""
    return np.searchsorted(_midpoints(levels), ratings, side="left")


def with_means(levels: Values, probabilities: Values, means: Values) -> LevelDistribution:
    """Distributions with these means, as close to the given ones as can be.

        p'_k ∝ p_k exp(θ level_k),   θ such that Σ_k p'_k level_k is the mean

    Of all distributions with that mean, it is the one of least Kullback–Leibler divergence from p.
    It is for pairs where a model does not predict the mean of its probabilities. Those whose means
    differ by no more than single precision makes them differ stay as they are, and so does a single
    level.

    Args:
        levels: [levels] ascending ratings.
        probabilities: [pairs, levels] p.
        means: [pairs], between the lowest and the highest level.
    """
    given = LevelDistribution(levels, probabilities)
    lowest, highest = given.levels[0], given.levels[-1]
    moved = np.abs(given.mean - means) > _SINGLE * (highest - lowest)
    if not moved.any() or highest == lowest:
        return given
    places = (given.levels - lowest) / (highest - lowest)
    wanted = (means[moved] - lowest) / (highest - lowest)
    logs = np.log(np.maximum(given.probabilities[moved], _LEAST))

    def at(theta: Values) -> Values:
        scores = logs + theta[:, np.newaxis] * places
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        tilted: Values = scores / scores.sum(axis=1, keepdims=True)
        return tilted

    low, high = np.full(len(wanted), -_STEEPEST), np.full(len(wanted), _STEEPEST)
    for _ in range(_STEPS):  # the mean rises with θ
        middle = (low + high) / 2
        too_low = at(middle) @ places < wanted
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    given.probabilities[moved] = at((low + high) / 2)
    return given


def _ascending(levels: ArrayLike) -> Values:
    array = np.asarray(levels, np.float64)
    ascends = array.ndim == 1 and len(array) and (np.diff(array) > 0).all()
    if not ascends or not np.isfinite(array).all():
        raise GlocalkError(f"Levels must be a list of ascending ratings, not {levels!r}.")
    return array


def _midpoints(levels: Values) -> Values:
    return (levels[1:] + levels[:-1]) / 2


def _numbers(ratings: ArrayLike) -> Values:
    """The ratings as finite numbers.

    Raises:
        GlocalkError: they are not.
    """
    try:
        array = np.asarray(ratings, np.float64)
    except (TypeError, ValueError) as error:
        raise GlocalkError(f"Ratings must be numbers ({error}).") from error
    if not np.isfinite(array).all():
        raise GlocalkError("A rating is not a finite number.")
    return array


def _tail(share: float) -> float:
    """The probability on each side of a central interval."""
    if not isinstance(share, int | float) or not 0 < share < 1:  # true for NaN
        raise GlocalkError(f"The share of an interval must be between 0 and 1, not {share!r}.")
    return (1 - share) / 2
