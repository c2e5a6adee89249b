import math

import numpy as np
import pytest

from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.metrics import evaluate, user_ndcg, why_no_ndcg


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


def test_a_user_whose_ratings_are_all_0_is_left_out_of_the_mean():
    observed = matrix([0, 0, 1, 1], [2, 3, 1, 3], [0.0, 0.0, 9.0, 6.0], scale=(0, 10))
    dcg = 63 / math.log2(2) + 511 / math.log2(3)
    ideal = 511 / math.log2(2) + 63 / math.log2(3)
    errors = evaluate(np.array([4.0, 3.0, 5.0, 8.0]), observed)
    assert errors.ndcg == pytest.approx(dcg / ideal, rel=1e-14)
    assert errors.rmse == pytest.approx(math.sqrt((16 + 9 + 16 + 4) / 4), rel=1e-14)


UNDEFINED = {
    "negative ratings": (
        matrix([0, 0], [0, 1], [-1.0, -8.0], (-9, 9.5)),
        "NDCG is not defined on the rating scale -9 … 9.5: the gain 2^r − 1 is negative below 0.",
    ),
    "a scale that goes below 0, without a rating there": (
        matrix([0, 0], [0, 1], [1.0, 2.0], (-2, 2)),
        "NDCG is not defined on the rating scale -2 … 2: the gain 2^r − 1 is negative below 0.",
    ),
    "a wide scale": (
        matrix([0, 0], [0, 1], [1.0, 2.0], (1, 100)),
        "NDCG is left out on the rating scale 1 … 100: above 10 the gain 2^r − 1 of the highest "
        "ratings outgrows all others.",
    ),
    "ratings of 0 alone": (
        matrix([0, 0, 1], [0, 1, 0], [0.0, 0.0, 1.0], (0, 1)),
        "NDCG is not defined, because no user has two test ratings, one of them above 0.",
    ),
    "one rating a user": (
        matrix([0, 1, 2], [0, 0, 0], [1.0, 4.0, 5.0]),
        "NDCG is not defined, because no user has two test ratings, one of them above 0.",
    ),
    "gains below the precision of float64": (
        matrix([0, 0], [0, 1], [0.0, 1e-200], (0, 1e-200)),
        "NDCG is not defined, because no user has two test ratings, one of them above 0.",
    ),
}


@pytest.mark.parametrize(("observed", "sentence"), UNDEFINED.values(), ids=UNDEFINED)
def test_where_ndcg_is_not_defined_there_is_none_and_a_sentence(observed, sentence):
    errors = evaluate(np.full(len(observed), 1.0), observed)
    assert errors.ndcg is None
    assert math.isfinite(errors.rmse)
    assert why_no_ndcg(observed) == sentence


def test_where_ndcg_is_defined_there_is_nothing_to_say():
    assert why_no_ndcg(matrix([0, 0], [0, 1], [0.0, 0.5], (0, 1))) is None


@pytest.mark.parametrize("scale", [(0, 1), (0, 10), (0.5, 5), (1, 5), (9.9, 10)])
def test_ndcg_never_leaves_its_range(scale):
    rng = np.random.default_rng(0)
    for _ in range(50):
        users, items = np.nonzero(rng.random((4, 5)) < 0.8)
        # Neighboring floats, too: their gains differ by less than the rounding of the sums.
        ratings = np.clip(rng.choice([*scale, np.nextafter(scale[1], 0)], len(users)), *scale)
        for predicted in (rng.normal(size=len(users)), -ratings, ratings):
            per_user = user_ndcg(predicted, ratings, users, items)
            assert ((per_user >= 0) & (per_user <= 1)).all()


def test_a_negative_gain_is_refused():
    with pytest.raises(GlocalkError, match=r"rating -0\.5 has a negative gain"):
        user_ndcg(np.array([1.0, 2.0]), np.array([1.0, -0.5]), np.array([0, 0]), np.array([0, 1]))


def test_a_prediction_whose_squared_error_overflows_is_an_error():
    observed = matrix([0, 3], [0, 2], [5.0, 1.0])
    assert evaluate(np.array([1e140, 1.0]), observed).rmse == pytest.approx(1e140 / math.sqrt(2))
    with pytest.raises(
        GlocalkError, match=r"user index 0, item index 0 is 1e\+200: the training has diverged"
    ):
        evaluate(np.array([1e200, 1.0]), observed)


def test_a_missing_or_infinite_prediction_is_an_error():
    observed = matrix([0, 3], [0, 2], [5.0, 1.0])
    with pytest.raises(GlocalkError, match="2 ratings need as many predictions"):
        evaluate(np.array([1.0]), observed)
    with pytest.raises(GlocalkError, match="user index 3, item index 2 is nan"):
        evaluate(np.array([1.0, np.nan]), observed)
