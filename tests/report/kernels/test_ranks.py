import numpy as np
import pytest
from scipy import stats

from glocalk.report.kernels import ranks
from glocalk.report.kernels.ranks import rank_correlation

RNG = np.random.default_rng(0)


def test_rho_is_spearman_s_with_ties():
    x, y = RNG.integers(0, 5, 15).tolist(), RNG.normal(size=15).tolist()
    found = rank_correlation(x, y)
    assert found.rho == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.interval.low < found.rho < found.interval.high


def test_the_p_value_is_that_of_all_permutations_of_few_pairs():
    x, y = [1.0, 2, 3, 4, 5, 6, 7], [2.0, 1, 4, 3, 7, 5, 6]
    exact = stats.permutation_test(
        (x,), lambda a: stats.spearmanr(a, y).statistic, permutation_type="pairings"
    ).pvalue
    assert rank_correlation(x, y).p_value == pytest.approx(exact, abs=0.005)


def test_the_interval_covers_the_true_correlation_as_often_as_it_says():
    covered, true = 0, 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's ρ of a normal pair with r = .6
    for _ in range(300):
        x = RNG.normal(size=15)
        y = 0.6 * x + 0.8 * RNG.normal(size=15)
        low, high = _interval(x, y)
        covered += low <= true <= high
    assert 0.9 <= covered / 300 <= 0.985


def _interval(x, y):
    """Without the random pairings of `rank_correlation`, which take time."""
    return ranks._interval(stats.spearmanr(x, y).statistic, len(x))


@pytest.mark.parametrize(
    ("x", "y"), [([1, 2, 3, 4], [1, 2, 3, 4]), ([1] * 6, range(6)), (range(6), [1] * 6)]
)
def test_few_pairs_or_equal_values_tell_nothing(x, y):
    assert rank_correlation(x, list(y)) is None
