"""How good predictive distributions are: proper scores, and coverage of intervals.

The continuous ranked probability score of torchmetrics and of `properscoring` is that of samples;
here it is that of the distributions themselves, in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glocalk.data.rating_matrix import Values
from glocalk.distributions import Distribution, NormalDistribution
from glocalk.errors import GlocalkError

_CELLS = 1 << 20  # pairs × levels at a time, which bounds the memory
SHARES = (0.5, 0.8, 0.95)
"""Shares of the central intervals whose coverage is measured."""


@dataclass(frozen=True)
class DistributionScores:
    """How good predictive distributions are, as means over ratings.

    Attributes:
        nll: −log probability of the rating's level, in nats.
        crps: continuous ranked probability score, in rating units; see `glocalk.distributions`.
            `nll` and `crps` are comparable between all models on the same levels: a normal
            distribution is put on the levels first.
        density_nll: −log density at the rating, of a normal distribution as it is; it depends on
            the unit of the ratings, and is not comparable with `nll`. None for levels.
        density_crps: CRPS of a normal distribution as it is, likewise; higher than `crps`, because
            it does not know that ratings are on levels.
        mean_std: mean standard deviation, in rating units.
        coverage: share of the ratings within the central interval, ends included, by the share that
            the interval is of, in percent: `80`.
        width: mean length of the interval, in rating units, likewise.
    """

    nll: float
    crps: float
    density_nll: float | None
    density_crps: float | None
    mean_std: float
    coverage: dict[str, float]
    width: dict[str, float]

    @property
    def listed(self) -> dict[str, float | None]:
        """All of them under one name each, such as `coverage_80`."""
        names = ("nll", "crps", "density_nll", "density_crps", "mean_std")
        of_intervals = {
            f"{name}_{percent}": value
            for name, by_percent in (("coverage", self.coverage), ("width", self.width))
            for percent, value in by_percent.items()
        }
        return {**{name: getattr(self, name) for name in names}, **of_intervals}


def evaluate_distribution(
    distribution: Distribution, ratings: Values, levels: Values
) -> DistributionScores:
    """Score the predictive distributions of observed ratings.

        NLL = −mean log P(level of y),   CRPS = mean ∫ (F(x) − 1[y ≤ x])² dx,   F on the levels

    Intervals are those of the distribution as it is, not clipped to the rating scale. On levels
    they cover at least their share, because a quantile is a level, even if probabilities are right.

    Args:
        distribution: the predictions.
        ratings: [n] the observed ratings, one for each pair, at least one.
        levels: [levels] distinct ratings that can occur, ascending: those of the training ratings.
            A rating that is none of them counts as the nearest one in `nll`.

    Raises:
        GlocalkError: there is not one distribution for each rating, or a mean or a standard
            deviation is not finite.
    """
    mean, std = distribution.mean, distribution.std
    if mean.shape != ratings.shape or not len(ratings):
        raise GlocalkError(
            f"{len(ratings)} ratings need as many distributions, at least one, not {len(mean)}."
        )
    if not (np.isfinite(mean) & np.isfinite(std)).all():
        raise GlocalkError("A predicted distribution has no finite mean or standard deviation.")
    density_nll = density_crps = None
    if isinstance(distribution, NormalDistribution):
        density_nll = -float(distribution.log_density(ratings).mean())
        density_crps = float(distribution.crps(ratings).mean())
    nll, crps = _on_levels(distribution, ratings, levels)
    coverage, width = {}, {}
    for share in SHARES:
        low, high = distribution.interval(share)
        percent = f"{100 * share:g}"
        coverage[percent] = float(np.mean((low <= ratings) & (ratings <= high)))
        width[percent] = float(np.mean(high - low))
    return DistributionScores(
        nll=nll,
        crps=crps,
        density_nll=density_nll,
        density_crps=density_crps,
        mean_std=float(std.mean()),
        coverage=coverage,
        width=width,
    )


def _on_levels(distribution: Distribution, ratings: Values, levels: Values) -> tuple[float, float]:
    """NLL and CRPS, a block of pairs at a time: there may be as many levels as ratings."""
    size = max(1, _CELLS // len(levels))
    logs, scores = [], []
    for start in range(0, len(ratings), size):
        rows = slice(start, start + size)
        on_levels = distribution.part(rows).on_levels(levels)
        logs.append(on_levels.log_probability(ratings[rows]))
        scores.append(on_levels.crps(ratings[rows]))
    return -float(np.concatenate(logs).mean()), float(np.concatenate(scores).mean())
