import tracemalloc

import numpy as np
import pytest

from glocalk.distributions import LevelDistribution, NormalDistribution
from glocalk.errors import GlocalkError
from glocalk.metrics import evaluate_distribution

LEVELS = np.arange(1.0, 6)


def test_scores_of_levels_by_hand():
    distribution = LevelDistribution(
        LEVELS, np.array([[0.1, 0.1, 0.4, 0.3, 0.1], [0.0, 0.0, 0.0, 0.5, 0.5]])
    )
    scores = evaluate_distribution(distribution, np.array([2.0, 5.0]), LEVELS)
    assert scores.nll == pytest.approx(-(np.log(0.1) + np.log(0.5)) / 2)
    assert scores.density_nll is scores.density_crps is None
    # F: .1 .2 .6 .9 1 and 0 0 0 .5 1; squares .01 + .64 + .16 + .01 and .25
    assert scores.crps == pytest.approx((0.82 + 0.25) / 2)
    # Intervals: 3–4, 1–4, 1–5 and 4–5 throughout
    assert scores.coverage == {"50": 0.5, "80": 1.0, "95": 1.0}
    assert scores.width == {"50": 1.0, "80": 2.0, "95": 2.5}
    assert scores.mean_std == pytest.approx((np.sqrt(1.16) + 0.5) / 2)


def test_right_distributions_cover_their_share_and_score_best():
    rng = np.random.default_rng(0)
    mean, std = rng.normal(3, 1, 100_000), rng.uniform(0.5, 1.5, 100_000)
    ratings = rng.normal(mean, std)
    right = evaluate_distribution(NormalDistribution(mean, std), ratings, LEVELS)
    for percent, share in right.coverage.items():
        assert share == pytest.approx(float(percent) / 100, abs=0.006)
    assert right.density_nll == pytest.approx(
        np.mean(np.log(std)) + 0.5 * np.log(2 * np.pi * np.e), abs=0.01
    )
    # E CRPS of the right normal distribution is std / √π.
    assert right.density_crps == pytest.approx(std.mean() / np.sqrt(np.pi), abs=0.01)
    assert right.mean_std == pytest.approx(std.mean())
    for factor in (0.8, 1.25):
        wrong = evaluate_distribution(NormalDistribution(mean, factor * std), ratings, LEVELS)
        assert wrong.nll > right.nll
        assert wrong.crps > right.crps
        assert wrong.density_nll > right.density_nll
        assert wrong.density_crps > right.density_crps
        assert (wrong.coverage["80"] > right.coverage["80"]) == (factor > 1)


def test_the_log_score_of_a_constant_distribution_is_the_cross_entropy():
    ratings = np.repeat(LEVELS, [5, 10, 20, 40, 25])
    shares = np.array([5, 10, 20, 40, 25]) / 100
    distribution = LevelDistribution(LEVELS, np.tile(shares, (100, 1)))
    scores = evaluate_distribution(distribution, ratings, LEVELS)
    assert scores.nll == pytest.approx(-np.sum(shares * np.log(shares)))


def test_a_normal_distribution_is_put_on_the_levels():
    distribution = NormalDistribution(np.array([3.2, 4.0]), np.array([0.8, 1.1]))
    ratings = np.array([3.0, 5.0])
    scores = evaluate_distribution(distribution, ratings, LEVELS)
    on_levels = evaluate_distribution(distribution.on_levels(LEVELS), ratings, LEVELS)
    assert (scores.nll, scores.crps) == (on_levels.nll, on_levels.crps)
    assert scores.density_crps == pytest.approx(distribution.crps(ratings).mean())
    assert scores.density_crps > scores.crps
    low, high = distribution.interval(0.8)
    assert scores.width["80"] == pytest.approx(np.mean(high - low))


def test_all_scores_under_one_name_each():
    distribution = NormalDistribution(np.array([3.0]), np.array([1.0]))
    listed = evaluate_distribution(distribution, np.array([3.0]), LEVELS).listed
    assert listed["density_nll"] == pytest.approx(0.5 * np.log(2 * np.pi))
    assert listed["coverage_80"] == 1
    assert set(listed) == {
        *("nll", "crps", "density_nll", "density_crps", "mean_std"),
        *(f"{name}_{percent}" for name in ("coverage", "width") for percent in (50, 80, 95)),
    }


def test_what_cannot_be_scored_is_refused():
    one = NormalDistribution(np.array([3.0]), np.array([1.0]))
    with pytest.raises(GlocalkError, match="2 ratings need as many distributions"):
        evaluate_distribution(one, np.array([3.0, 4.0]), LEVELS)
    infinite = NormalDistribution(np.array([3.0]), np.array([np.inf]))
    with pytest.raises(GlocalkError, match="no finite mean or standard deviation"):
        evaluate_distribution(infinite, np.array([3.0]), LEVELS)


@pytest.mark.parametrize("is_normal", [True, False])
def test_blocks_change_no_score(is_normal, monkeypatch):
    """Against the means over all pairs at once."""
    rng = np.random.default_rng(0)
    levels = np.sort(rng.uniform(0, 10, 50))
    ratings = rng.choice(levels, 31)
    if is_normal:
        made = NormalDistribution(rng.uniform(0, 10, 31), rng.uniform(0.5, 2, 31))
    else:
        made = LevelDistribution(levels, rng.dirichlet(np.ones(50), 31))
    whole = made.on_levels(levels)
    monkeypatch.setattr("glocalk.metrics.distribution._CELLS", 200)  # four pairs
    scores = evaluate_distribution(made, ratings, levels)
    assert scores.nll == pytest.approx(-whole.log_probability(ratings).mean(), rel=1e-12)
    assert scores.crps == pytest.approx(whole.crps(ratings).mean(), rel=1e-12)


def test_ratings_without_steps_need_no_matrix_of_ratings_and_levels():
    """4000 pairs on 20,000 levels would take 640 MB for each array."""
    rng = np.random.default_rng(0)
    levels = np.sort(rng.normal(size=20_000))
    mean = rng.normal(size=4000)
    tracemalloc.start()
    evaluate_distribution(NormalDistribution(mean, np.ones(4000)), mean, levels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
