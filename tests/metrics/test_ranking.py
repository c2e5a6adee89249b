import numpy as np
import pytest

from glocalk.data import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.metrics import ranking_at

# User 0: items in order of prediction 2, 0, 1, of which 2 and 1 are relevant. User 1: 1, 0, of
# which 0 is relevant. User 2 has none.
TEST = RatingMatrix(
    np.array([0, 0, 0, 1, 1, 2]),
    np.array([0, 1, 2, 0, 1, 2]),
    np.array([3.0, 5, 4, 4, 1, 2]),
    shape=(3, 3),
    scale=(1, 5),
)
PREDICTED = np.array([3.5, 1.0, 4.5, 2.0, 3.0, 5.0])


def test_values_of_a_small_example():
    gain = 1 / np.log2(3)
    assert ranking_at(2, PREDICTED, TEST) == pytest.approx(
        {
            "k": 2,
            "relevant": 4,
            "precision": (1 / 2 + 1 / 2) / 2,
            "recall": (1 / 2 + 1) / 2,
            "ndcg": (1 / (1 + gain) + gain) / 2,
            "map": (1 + 1 / 2) / 2,  # over the relevant ones among the two
            "mrr": (1 + 1 / 2) / 2,
            "hit_rate": 1,
            "users": 2,
        }
    )


def test_a_list_may_be_longer_than_those_of_the_users():
    made = ranking_at(10, PREDICTED, TEST)
    assert made["precision"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert made["recall"] == 1


def test_the_bound_says_what_is_relevant():
    assert ranking_at(1, PREDICTED, TEST, relevant=5)["users"] == 1
    with pytest.raises(GlocalkError, match=r"No test rating is relevant, that is 5\.5 or above"):
        ranking_at(1, PREDICTED, TEST, relevant=5.5)


def test_impossible_lists_are_refused():
    with pytest.raises(GlocalkError, match="at least 1, not 0"):
        ranking_at(0, PREDICTED, TEST)
    with pytest.raises(GlocalkError, match="6 ratings need as many predictions"):
        ranking_at(1, PREDICTED[1:], TEST)
