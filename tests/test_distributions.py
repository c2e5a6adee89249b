"""Distributions of ratings against numeric integration, other libraries and values by hand."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torchmetrics.functional.regression import continuous_ranked_probability_score

from glocalk.distributions import (
    LevelDistribution,
    NormalDistribution,
    nearest_level,
    with_means,
)
from glocalk.errors import GlocalkError

HALF_STARS = np.array([0.5, 1, 2, 3.5, 5])  # unequal gaps
RNG = np.random.default_rng(0)
SHARES = RNG.dirichlet(np.ones(5), size=6)
LEVELS = LevelDistribution(HALF_STARS, SHARES)
NORMAL = NormalDistribution(RNG.normal(3, 1, 6), RNG.uniform(0.3, 1.5, 6))
RATINGS = np.array([0.5, 1, 2, 3.5, 5, 2.7])  # the last is between levels


def step(shares):
    return lambda x: shares[x >= HALF_STARS].sum()


def integrated(below, rating):
    """∫ (F(x) − 1[y ≤ x])² dx between the jumps."""
    jumps = np.unique([-20, *HALF_STARS, rating, 25])
    return sum(quad(lambda x: (below(x) - (rating <= x)) ** 2, a, b)[0] for a, b in pairwise(jumps))


def test_the_crps_of_levels_is_that_of_the_integral():
    expected = [integrated(step(p), y) for p, y in zip(SHARES, RATINGS, strict=True)]
    np.testing.assert_allclose(LEVELS.crps(RATINGS), expected, rtol=1e-10)


def test_the_crps_of_a_normal_distribution_is_that_of_the_integral():
    below = [norm(mean, std).cdf for mean, std in zip(NORMAL.mean, NORMAL.std, strict=True)]
    expected = [integrated(each, y) for each, y in zip(below, RATINGS, strict=True)]
    np.testing.assert_allclose(NORMAL.crps(RATINGS), expected, rtol=1e-7)


def test_the_crps_of_levels_is_that_of_torchmetrics_for_as_many_samples():
    counts = RNG.multinomial(20, np.full(5, 0.2), size=6)
    samples = np.array([np.repeat(HALF_STARS, row) for row in counts])
    theirs = continuous_ranked_probability_score(torch.tensor(samples), torch.tensor(RATINGS))
    ours = LevelDistribution(HALF_STARS, counts).crps(RATINGS).mean()
    assert ours == pytest.approx(float(theirs), rel=1e-12)


def test_the_crps_by_hand():
    # Levels 1, 2, 4 with .5, .25, .25; y = 2: (.5)² · 1 + (.75 − 1)² · 2
    distribution = LevelDistribution(np.array([1.0, 2, 4]), np.array([[0.5, 0.25, 0.25]]))
    assert distribution.crps(np.array([2.0])) == pytest.approx([0.25 + 0.125])
    # A point: the absolute error.
    point = LevelDistribution(np.array([1.0, 2, 4]), np.array([[0, 0, 1.0]]))
    assert point.crps(np.array([1.0])) == pytest.approx([3])


def test_moments_of_levels():
    samples = np.repeat(HALF_STARS, [1, 2, 3, 0, 4])
    distribution = LevelDistribution(HALF_STARS, np.array([[1, 2, 3, 0, 4]]))
    assert distribution.mean == pytest.approx([samples.mean()])
    assert distribution.std == pytest.approx([samples.std()])


def test_intervals_of_levels_end_at_quantiles():
    tenths = LevelDistribution(np.arange(1.0, 6), np.array([[0.1, 0.1, 0.4, 0.3, 0.1]]))
    for share, ends in {0.8: (1, 4), 0.79: (2, 4), 0.81: (1, 5), 0.5: (3, 4), 0.1: (3, 3)}.items():
        assert tuple(np.concatenate(tenths.interval(share))) == ends


def test_intervals_of_a_normal_distribution_are_symmetric():
    low, high = NORMAL.interval(0.95)
    np.testing.assert_allclose((low + high) / 2, NORMAL.mean)
    np.testing.assert_allclose(high - low, 2 * 1.959963984540054 * NORMAL.std)


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan"), 80])
@pytest.mark.parametrize("distribution", [LEVELS, NORMAL])
def test_a_share_is_between_0_and_1(distribution, share):
    with pytest.raises(GlocalkError, match="must be between 0 and 1"):
        distribution.interval(share)


def test_a_normal_distribution_on_levels_has_the_mass_between_midpoints():
    masses = NORMAL.on_levels(HALF_STARS).probabilities
    ends = [-np.inf, 0.75, 1.5, 2.75, 4.25, np.inf]
    for k in range(5):
        cells = [
            quad(norm(m, s).pdf, max(ends[k], m - 12 * s), min(ends[k + 1], m + 12 * s))[0]
            for m, s in zip(NORMAL.mean, NORMAL.std, strict=True)
        ]
        np.testing.assert_allclose(masses[:, k], cells, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(masses.sum(axis=1), 1)


def test_masses_far_above_the_mean_are_not_lost_to_rounding():
    far = NormalDistribution(np.array([1.0, 5.0]), np.array([0.4, 0.4]))
    above, below = far.on_levels(np.arange(1.0, 6)).probabilities
    np.testing.assert_allclose(above, below[::-1], rtol=1e-10)
    assert 0 < above[-1] < 1e-17


def test_the_log_probability_is_that_of_the_nearest_level():
    chosen = [SHARES[0, 0], SHARES[1, 1], SHARES[2, 2], SHARES[3, 3], SHARES[4, 4], SHARES[5, 2]]
    np.testing.assert_allclose(LEVELS.log_probability(RATINGS), np.log(chosen))
    sure = LevelDistribution(HALF_STARS, np.eye(5)[[0]])
    assert sure.log_probability(np.array([5.0])) == pytest.approx([np.log(2.0**-52)])


def test_the_lower_one_of_two_nearest_levels():
    assert nearest_level(np.array([-9, 0.75, 0.76, 4.25, 9]), HALF_STARS).tolist() == [
        *(0, 0, 1, 3, 4)
    ]


def test_levels_on_fewer_levels_are_added_up():
    merged = LEVELS.on_levels(np.array([1.0, 4])).probabilities  # .5, 1, 2 and 3.5, 5
    np.testing.assert_allclose(merged, np.stack([SHARES[:, :3].sum(1), SHARES[:, 3:].sum(1)], 1))
    assert LEVELS.on_levels(HALF_STARS) is LEVELS


def test_the_log_density():
    expected = -0.5 * ((RATINGS - NORMAL.mean) / NORMAL.std) ** 2
    expected -= np.log(NORMAL.std * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(NORMAL.log_density(RATINGS), expected)


def test_with_means_is_the_nearest_distribution_with_those_means():
    means = LEVELS.mean + np.array([0, 1e-6, 0.5, -0.5, 0.2, -0.1])
    changed = with_means(HALF_STARS, SHARES, means)
    np.testing.assert_allclose(changed.mean[2:], means[2:], rtol=1e-12)
    np.testing.assert_allclose(changed.probabilities[:2], SHARES[:2])  # rounding alone
    # log p' − log p is linear in the level: the condition of least divergence.
    slopes = np.diff(np.log(changed.probabilities[2:] / SHARES[2:]), axis=1) / np.diff(HALF_STARS)
    np.testing.assert_allclose(slopes, np.repeat(slopes[:, :1], 4, axis=1), rtol=1e-6)


def test_with_means_at_the_ends_of_the_scale():
    changed = with_means(HALF_STARS, SHARES[:2], np.array([0.5001, 4.9999]))
    np.testing.assert_allclose(changed.mean, [0.5001, 4.9999], rtol=1e-8)
    assert with_means(np.array([3.0]), np.ones((2, 1)), np.array([3.0, 3])).mean.tolist() == [3, 3]


@pytest.mark.parametrize("distribution", [LEVELS, NORMAL])
def test_there_is_one_rating_for_each_distribution(distribution):
    with pytest.raises(GlocalkError, match=r"6 distributions need as many ratings, not \(2,\)"):
        distribution.crps([3, 4])
    assert distribution.crps(RATINGS.tolist()).tolist() == distribution.crps(RATINGS).tolist()


def test_a_single_level_is_certain_whatever_rounding_made_of_the_mean():
    certain = with_means(np.array([3.0]), np.ones((2, 1)), np.array([3.0, np.float32(2.9999998)]))
    np.testing.assert_array_equal(certain.probabilities, [[1], [1]])


@pytest.mark.parametrize(
    "levels", [[2, 1], [1, 1], [], [[1, 2]], [1, np.nan], [np.nan], [1, np.inf]]
)
@pytest.mark.parametrize("distribution", [LEVELS, NORMAL])
def test_levels_ascend(distribution, levels):
    with pytest.raises(GlocalkError, match="Levels must be a list of ascending ratings"):
        distribution.on_levels(levels)


@pytest.mark.parametrize("ratings", [["a"], [np.nan], [np.inf], [None]])
def test_ratings_that_are_no_finite_numbers_are_refused(ratings):
    for distribution in (
        LevelDistribution(np.array([1.0, 2.0]), np.array([[0.5, 0.5]])),
        NormalDistribution(np.array([1.5]), np.array([1.0])),
    ):
        with pytest.raises(GlocalkError):
            distribution.crps(ratings)


@pytest.mark.parametrize("share", ["a", None, 0, 1, np.nan])
def test_the_share_of_an_interval_is_between_0_and_1(share):
    with pytest.raises(GlocalkError, match="must be between 0 and 1"):
        NormalDistribution(np.array([1.5]), np.array([1.0])).interval(share)
