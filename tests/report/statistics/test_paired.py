import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from glocalk.errors import GlocalkError
from glocalk.report.statistics.paired import contributions, holm, paired_p_value
from report.statistics.population import sample, users


def rejections(factors, sets, seed):
    random = np.random.default_rng(seed)
    made = (users(random, 200, factors) for _ in range(sets))
    return sum(paired_p_value([(1, a), (-1, b)]) < 0.05 for a, b in made) / sets


def test_equal_models_differ_significantly_in_one_of_twenty_sets():
    assert 0.035 <= rejections((1, 1), 1000, seed=3) <= 0.065


def test_a_difference_of_a_tenth_is_found():
    assert rejections((1, 1.21), 100, seed=4) >= 0.95


def test_a_margin_shifts_the_hypothesis():
    random = np.random.default_rng(5)
    a, b = users(random, 200, (1, 1.21))
    terms = [(1, a), (-1, b)]
    difference = a.mean - b.mean
    assert paired_p_value(terms, margin=difference) == pytest.approx(1)
    assert paired_p_value(terms, margin=0.0) < 0.001
    # Both sides of the difference are alike.
    low, high = (paired_p_value(terms, margin=difference + side) for side in (-0.02, 0.02))
    assert low == pytest.approx(high)


def test_contributions_are_the_derivative_of_the_rmse_by_the_weight_of_a_user():
    random = np.random.default_rng(6)
    (one,) = users(random, 40, (1,))
    step = 1e-6
    for user in (0, 7, 39):
        weights = np.ones(40)
        weights[user] += step
        moved = np.sqrt((weights @ one.errors) / (weights @ one.counts)).mean()
        expected = one.mean + 40 * (moved - one.mean) / step
        assert contributions([(1, one)])[user] == pytest.approx(expected, rel=1e-4)


def test_contributions_by_hand():
    one = sample([1, 3], [4, 0])  # RMSE √(4/4); 1 ± 2 · (4 − 1) / (2 · 1 · 4)
    assert contributions([(1, one)]) == pytest.approx([1.75, 0.25])
    other = sample([1, 3], [0, 16])  # RMSE 2; 2 ∓ 2 · 4 / (2 · 2 · 4)
    assert contributions([(1, one), (-1, other)]) == pytest.approx([0.25, -2.25])


def test_the_p_value_is_students():
    random = np.random.default_rng(7)
    a, b = users(random, 30, (1, 1.1))
    values = contributions([(1, a), (-1, b)])
    t = values.mean() / (values.std(ddof=1) / np.sqrt(30))
    assert paired_p_value([(1, a), (-1, b)]) == pytest.approx(2 * stats.t.sf(abs(t), 29))


def test_nothing_is_shown_where_users_do_not_vary():
    one = sample([2, 3], [1, 2])
    assert paired_p_value([(1, one), (-1, one)]) == 1
    assert paired_p_value([(1, sample([2], [1])), (-1, sample([2], [3]))]) == 1
    assert paired_p_value([(1, sample([2, 1], [0, 0])), (-1, sample([2, 1], [0, 0]))]) == 1


@pytest.mark.parametrize(
    "other", [sample([1, 3], [4, 0], split="e1e1"), sample([3, 1], [4, 0]), sample([1], [4])]
)
def test_other_splits_and_users_are_refused(other):
    with pytest.raises(GlocalkError, match="cannot be compared: they were made on different split"):
        paired_p_value([(1, sample([1, 3], [4, 0])), (-1, other)])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_holm_is_that_of_statsmodels():
    random = np.random.default_rng(8)
    for size in (2, 5, 30):
        p_values = np.round(random.beta(0.3, 2, size=size), 3)  # some are equal
        expected = multipletests(p_values, method="holm")[1]
        assert holm(list(p_values)) == pytest.approx(list(expected))
