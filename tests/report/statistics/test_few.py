import numpy as np
import pytest
from scipy import stats

from glocalk.report.statistics.few import t_interval


def test_it_is_the_textbook_interval():
    # 1, 2, 3: mean 2, s 1, t of two degrees of freedom 4.302653
    low, high = t_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))
    values = [0.3, -0.1, 0.25, 0.4, 0.02]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert t_interval(values) == pytest.approx((expected.low, expected.high))
    assert t_interval([0.5, 0.5]) == (0.5, 0.5)
    assert t_interval([0.5]) is None
    assert t_interval([]) is None


def test_it_covers_the_true_mean_in_nineteen_of_twenty_draws_of_three():
    rng = np.random.default_rng(0)
    draws = rng.normal(1.0, 0.5, size=(2000, 3))
    covered = np.mean([low <= 1 <= high for low, high in map(t_interval, draws.tolist())])
    assert covered == pytest.approx(0.95, abs=0.015)  # three standard errors of a share
