import numpy as np
import pytest

from glocalk.completers.baselines import Bias, GlobalMean
from glocalk.data.rating_matrix import RatingMatrix

USERS, ITEMS, RATINGS = [0, 0, 1, 2], [0, 1, 0, 1], [5.0, 3.0, 4.0, 2.0]  # mean 3.5
TRAIN = RatingMatrix(np.array(USERS), np.array(ITEMS), np.array(RATINGS), (4, 3), (1, 5))


def fitted(completer):
    completer.fit(TRAIN)
    return completer


def test_global_mean_predicts_the_mean_rating():
    completer = fitted(GlobalMean())
    assert completer.predict_pairs(np.array([0, 3]), np.array([2, 0])).tolist() == [3.5, 3.5]


def test_bias_by_hand():
    completer = fitted(Bias(item_damping=2, user_damping=1))
    item_0 = (1.5 + 0.5) / (2 + 2)  # ratings 5 and 4
    item_1 = (-0.5 - 1.5) / (2 + 2)  # ratings 3 and 2
    user_0 = ((1.5 - item_0) + (-0.5 - item_1)) / (1 + 2)
    expected = [3.5 + item_0 + user_0, 3.5 + item_1, 3.5 + user_0, 3.5]
    predicted = completer.predict_pairs(np.array([0, 3, 0, 3]), np.array([0, 1, 2, 2]))
    np.testing.assert_allclose(predicted, expected, rtol=1e-14)


def test_bias_without_damping_takes_plain_means():
    completer = fitted(Bias(item_damping=0, user_damping=0))
    # Item 0 has mean 4.5, so bias 1; user 1 rated it 4, which is 0.5 below that.
    assert completer.predict_pairs(np.array([1]), np.array([0])) == pytest.approx([4.0])
    assert completer.predict_pairs(np.array([3]), np.array([2])) == pytest.approx([3.5])
