import math

import numpy as np
import pytest

from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.metrics import evaluate, user_ndcg


def matrix(users, items, ratings, scale=(1, 5)):
    return RatingMatrix(np.array(users), np.array(items), np.array(ratings), (4, 5), scale)


def test_errors_are_pooled_over_ratings_not_over_users():
    observed = matrix([0, 0, 0, 2], [0, 1, 2, 0], [5.0, 3.0, 1.0, 4.0])
    errors = evaluate(np.array([4.0, 3.0, 1.0, 2.0]), observed)
    assert errors.rmse == pytest.approx(math.sqrt((1 + 0 + 0 + 4) / 4), rel=1e-14)
    assert errors.mae == pytest.approx((1 + 0 + 0 + 2) / 4, rel=1e-14)
    np.testing.assert_allclose(errors.squared_errors, [1, 0, 4, 0])


def test_ndcg_by_hand():
    # Predicted order: items 1, 0, 2, whose ratings are 3, 5, 1.
    observed = matrix([1, 1, 1], [0, 1, 2], [5.0, 3.0, 1.0])
    errors = evaluate(np.array([3.5, 4.0, 1.0]), observed)
    dcg = 7 / math.log2(2) + 31 / math.log2(3) + 1 / math.log2(4)
    ideal = 31 / math.log2(2) + 7 / math.log2(3) + 1 / math.log2(4)
    assert errors.ndcg == pytest.approx(dcg / ideal, rel=1e-14)


def test_ndcg_is_a_plain_loop_over_users():
    rng = np.random.default_rng(0)
    users = np.sort(rng.integers(0, 8, 60))
    items = np.concatenate([np.arange(n) for n in np.bincount(users)])
    ratings = rng.integers(1, 6, 60).astype(float)
    predicted = rng.integers(2, 5, 60) / 2  # many ties
    expected = []
    for user in range(8):
        mine = [k for k in range(60) if users[k] == user]
        if len(mine) < 2:
            continue

        def dcg(order):
            return sum((2 ** ratings[k] - 1) / math.log2(r + 2) for r, k in enumerate(order))

        by_prediction = sorted(mine, key=lambda k: (-predicted[k], items[k]))
        by_rating = sorted(mine, key=lambda k: -ratings[k])
        expected.append(dcg(by_prediction) / dcg(by_rating))
    shuffled = rng.permutation(60)
    got = user_ndcg(predicted[shuffled], ratings[shuffled], users[shuffled], items[shuffled])
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_users_with_one_rating_do_not_count_for_ndcg():
    observed = matrix([0, 1, 1], [0, 0, 1], [5.0, 1.0, 5.0])
    worst = 1 / math.log2(2) + 31 / math.log2(3)
    best = 31 / math.log2(2) + 1 / math.log2(3)
    assert evaluate(np.array([1.0, 5.0, 1.0]), observed).ndcg == pytest.approx(worst / best)


def test_ndcg_is_left_out_where_it_says_nothing():
    assert evaluate(np.array([1.0]), matrix([0], [0], [5.0])).ndcg is None
    wide = matrix([0, 0], [0, 1], [100.0, 1.0], scale=(1, 100))
    assert evaluate(np.array([1.0, 2.0]), wide).ndcg is None


def test_a_missing_or_infinite_prediction_is_an_error():
    observed = matrix([0, 3], [0, 2], [5.0, 1.0])
    with pytest.raises(GlocalkError, match="2 ratings need as many predictions"):
        evaluate(np.array([1.0]), observed)
    with pytest.raises(GlocalkError, match="user 3, item 2 is nan"):
        evaluate(np.array([1.0, np.nan]), observed)
