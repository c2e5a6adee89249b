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


@pytest.mark.parametrize("dampings", [(3.0, 7.0), (0.5, 40.0)])
def test_joint_biases_are_those_of_a_ridge_regression(dampings):
    rng = np.random.default_rng(5)
    users, items = np.divmod(rng.permutation(12 * 9)[:50], 9)
    train = RatingMatrix(users, items, rng.uniform(1, 5, 50), (13, 10), (1, 5))
    of_user, of_item = dampings
    model = Bias(user_damping=of_user, item_damping=of_item, joint=True).fit(train)

    design = np.hstack([np.eye(13)[train.users], np.eye(10)[train.items]])
    penalty = np.diag([of_user] * 13 + [of_item] * 10)
    mean = train.ratings.mean()
    biases = np.linalg.solve(design.T @ design + penalty, design.T @ (train.ratings - mean))
    expected = mean + biases[:13, None] + biases[None, 13:]
    np.testing.assert_allclose(model.predict_grid(np.arange(13), np.arange(10)), expected)
    assert biases[12] == biases[22] == 0  # nobody rated there


def test_joint_biases_without_damping_have_the_least_squared_error():
    rng = np.random.default_rng(6)
    users, items = np.divmod(rng.permutation(12 * 9)[:60], 9)
    train = RatingMatrix(users, items, rng.uniform(1, 5, 60), (13, 10), (1, 5))
    model = Bias(user_damping=0, item_damping=0, joint=True).fit(train)
    design = np.hstack([np.eye(13)[train.users], np.eye(10)[train.items]])
    rest = train.ratings - train.ratings.mean()
    best = np.linalg.lstsq(design, rest, rcond=None)[0]
    fitted = model.predict_pairs(train.users, train.items) - train.ratings.mean()
    np.testing.assert_allclose(fitted, design @ best, atol=1e-8)
