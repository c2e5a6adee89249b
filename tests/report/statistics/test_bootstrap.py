from math import sqrt

import numpy as np
import pytest

from glocalk.report.statistics.bootstrap import percentile_interval, resampled_rmse
from report.statistics.population import TRUE_RMSE, users


def test_intervals_cover_the_true_values_in_nineteen_of_twenty_sets():
    random = np.random.default_rng(1)
    covered = {"RMSE": 0, "difference": 0}
    for _ in range(400):
        # The second model's squared errors are 1.21 times as large: its RMSE 1.1 times.
        first, second = users(random, 250, (1, 1.21))
        both = np.hstack([first.errors, second.errors])
        made = resampled_rmse(first.counts, both, resamples=400)
        rmse, other = made[:, :2].mean(axis=1), made[:, 2:].mean(axis=1)
        for name, values, true in (
            ("RMSE", rmse, TRUE_RMSE),
            ("difference", other - rmse, 0.1 * TRUE_RMSE),
        ):
            low, high = percentile_interval(values)
            covered[name] += low <= true <= high
    assert all(0.92 <= times / 400 <= 0.98 for times in covered.values()), covered


def test_two_users_are_drawn_as_often_as_chance_has_it():
    counts, errors = np.array([1.0, 3.0]), np.array([[4.0], [12 * 0.25]])
    values, times = np.unique(resampled_rmse(counts, errors, 10_000), return_counts=True)
    # Twice the second: √(3/3); once each: √(7/4); twice the first: √(4/1).
    assert values == pytest.approx([1, sqrt(7 / 4), 2])
    assert times / 10_000 == pytest.approx([0.25, 0.5, 0.25], abs=0.02)


def test_columns_see_the_same_users():
    random = np.random.default_rng(2)
    counts, errors = random.integers(1, 30, size=50).astype(float), random.gamma(2, size=50)
    made = resampled_rmse(counts, np.column_stack([errors, 4 * errors]), 300)
    assert made[:, 1] == pytest.approx(2 * made[:, 0])
    again = resampled_rmse(counts, errors[:, None], 300)
    assert made[:, :1] == pytest.approx(again, rel=1e-12)
    assert len(np.unique(made[:, 0])) == 300


def test_each_resample_is_the_rmse_of_as_many_drawn_users():
    # The only user with errors: its number of draws out of 5 tells the RMSE.
    counts, errors = np.ones(5), np.zeros((5, 1))
    errors[3] = 1
    made = resampled_rmse(counts, errors, 2_000)[:, 0]
    assert set(np.round(5 * made**2, 9)) <= {0, 1, 2, 3, 4, 5}
    assert (made**2).mean() == pytest.approx(1 / 5, abs=0.01)


def test_the_draws_do_not_depend_on_the_versions_of_libraries():
    # Of 3 users with 1 rating and squared errors 1, 10 and 100: the digits of 3 · RMSE² are the
    # number of draws of each. The stream of numpy's legacy generator is fixed for good.
    made = resampled_rmse(np.ones(3), np.array([[1.0], [10.0], [100.0]]), 4)
    legacy = np.random.RandomState(20210830).randint(3, size=(4, 3))
    expected = [sum(10 ** int(user) for user in row) for row in legacy]
    assert 3 * made[:, 0] ** 2 == pytest.approx(expected)


def test_the_interval_lies_between_quantiles():
    values = np.arange(1001.0)
    assert percentile_interval(values) == pytest.approx((25, 975))
    assert percentile_interval(values, level=0.5) == pytest.approx((250, 750))
