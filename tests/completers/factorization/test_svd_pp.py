import numpy as np
import pytest

from glocalk.completers.blocks.rating_arrays import RatingArrays
from glocalk.completers.factorization.loops import Step, Weights, svd_pp_steps
from glocalk.completers.factorization.svd_pp import (
    SVDPlusPlus,
    SVDPlusPlusConfig,
    draw_order,
    normalized_ratings,
)
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from planted import planted

TRAIN, TEST = planted(num_users=14, num_items=11)  # the last user and item have no ratings
USERS, ITEMS = TRAIN.shape
RATED = [TRAIN.items[TRAIN.users == user] for user in range(USERS)]  # N(u)
RATINGS = RatingArrays.of(TRAIN)
BOUNDS = np.searchsorted(TRAIN.users, np.arange(USERS + 1))
MEAN = TRAIN.ratings.mean()


def config_of(**options):
    defaults = {
        "rank": 3,
        "epochs": 4,
        "learning_rate": 0.03,
        "decay": 0.8,
        "regularization": 0.07,
        "bias_regularization": 0.02,
        "init_std": 0.3,
    }
    return SVDPlusPlusConfig.check({**defaults, **options}, "model")


def fit(config, seed=0):
    completer, monitor = SVDPlusPlus(config), Monitor(TEST)
    completer.fit(TRAIN, context=FitContext(seed=seed, observer=monitor.observer()))
    return completer, monitor


def predicted(user, item, b, c, p, q, y):
    """The paper's equation, the implicit sum term by term."""
    taste = p[user].copy()
    for j in RATED[user]:
        taste += y[j] / np.sqrt(len(RATED[user]))
    return MEAN + b[user] + c[item] + q[item] @ taste


def single_updates(order, b, c, p, q, y, rate, reg, bias_reg):
    """The paper's updates: after each rating, every yⱼ of its user moves."""
    loss = 0.0
    for k in order:
        u, i = TRAIN.users[k], TRAIN.items[k]
        e = TRAIN.ratings[k] - predicted(u, i, b, c, p, q, y)
        loss += e**2
        norm = len(RATED[u]) ** -0.5
        pu, qi, implicit = p[u].copy(), q[i].copy(), norm * y[RATED[u]].sum(axis=0)
        b[u] += rate * (e - bias_reg * b[u])
        c[i] += rate * (e - bias_reg * c[i])
        p[u] += rate * (e * qi - reg * pu)
        q[i] += rate * (e * (pu + implicit) - reg * qi)
        for j in RATED[u]:
            y[j] += rate * (e * norm * qi - reg * y[j])
    return loss


def random_start(rng):
    shapes = USERS, ITEMS, (USERS, 3), (ITEMS, 3), (ITEMS, 3)
    return [0.5 * rng.normal(size=shape) for shape in shapes]


def test_updates_once_per_user_equal_the_paper_s_updates_once_per_rating():
    rng = np.random.default_rng(0)
    expected = random_start(rng)
    found = [part.copy() for part in expected]
    order = draw_order(TRAIN, rng)
    loss = svd_pp_steps(
        RATINGS, BOUNDS, order, MEAN, Weights(*found[:4]), found[4], Step(0.1, 0.07, 0.02)
    )
    assert loss == pytest.approx(single_updates(order, *expected, 0.1, 0.07, 0.02), rel=1e-12)
    for part, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(part, value, atol=1e-12)


@pytest.mark.parametrize("k", [0, 17])
def test_a_step_follows_the_gradient_of_half_of_one_rating_s_summands(k):
    start = random_start(np.random.default_rng(1))
    user, item = TRAIN.users[k], TRAIN.items[k]

    def half_summands(b, c, p, q, y):
        e = TRAIN.ratings[k] - predicted(user, item, b, c, p, q, y)
        factors = p[user] @ p[user] + q[item] @ q[item] + (y[RATED[user]] ** 2).sum()
        return (e**2 + 0.3 * factors + 0.1 * (b[user] ** 2 + c[item] ** 2)) / 2

    moved = [part.copy() for part in start]
    svd_pp_steps(
        RATINGS, BOUNDS, np.array([k]), MEAN, Weights(*moved[:4]), moved[4], Step(1e-3, 0.3, 0.1)
    )
    for part, (before, after) in enumerate(zip(start, moved, strict=True)):
        for at in np.ndindex(before.shape):
            sides = []
            for sign in (1, -1):
                shifted = [array.copy() for array in start]
                shifted[part][at] += sign * 1e-5
                sides.append(half_summands(*shifted))
            gradient = (sides[0] - sides[1]) / 2e-5
            assert (after - before)[at] == pytest.approx(-1e-3 * gradient, abs=1e-11)


def test_a_training_makes_the_paper_s_updates_and_predicts_by_its_equation():
    completer, monitor = fit(config_of(), seed=5)
    rng = np.random.default_rng(5)
    p, q = (0.3 * rng.standard_normal((size, 3)) for size in TRAIN.shape)
    p[-1], q[-1] = 0, 0  # no ratings
    y = 0.3 * rng.standard_normal((ITEMS, 3))
    parts = [np.zeros(USERS), np.zeros(ITEMS), p, q, y]
    losses = [
        single_updates(draw_order(TRAIN, rng), *parts, 0.03 * 0.8**epoch, 0.07, 0.02)
        for epoch in range(4)
    ]
    np.testing.assert_allclose(monitor.curves.loss, losses, rtol=1e-12)
    for user in range(USERS):
        for item in range(ITEMS):
            assert completer.predict_pairs(np.array([user]), np.array([item])) == pytest.approx(
                [predicted(user, item, *parts)], abs=1e-12
            )


def test_the_implicit_sum_is_over_training_ratings_by_hand():
    train = RatingMatrix(
        np.array([0, 0, 0, 0, 2]), np.array([0, 1, 3, 4, 1]), np.full(5, 3.0), (3, 5), (1, 5)
    )
    implicit = normalized_ratings(train) @ np.array([[1.0], [10.0], [100.0], [1000.0], [10000.0]])
    np.testing.assert_allclose(implicit[:, 0], [(1 + 10 + 1000 + 10000) / 2, 0, 10])


def test_each_epoch_draws_a_new_order_of_users_and_of_their_ratings():
    rng = np.random.default_rng(0)
    first, second = draw_order(TRAIN, rng), draw_order(TRAIN, rng)
    for order in (first, second):
        assert sorted(order) == list(range(len(TRAIN)))
        users = TRAIN.users[order]
        assert np.count_nonzero(np.diff(users)) == len(set(users)) - 1  # each user once

    def turns(order):
        return list(dict.fromkeys(TRAIN.users[order]))

    assert turns(first) != turns(second) != sorted(turns(second))
    assert any(
        list(first[TRAIN.users[first] == user]) != list(second[TRAIN.users[second] == user])
        for user in range(USERS)
    )


def test_a_diverging_descent_raises_one_sentence():
    with pytest.raises(GlocalkError, match=r"diverged, so lower model\.learning_rate"):
        fit(config_of(learning_rate=50.0, decay=1.0))


def test_users_and_items_without_ratings_are_predicted_by_the_other_side_s_bias():
    completer, _ = fit(config_of())
    items, users = np.arange(ITEMS), np.arange(USERS)
    np.testing.assert_allclose(
        completer.predict_pairs(np.full(ITEMS, USERS - 1), items),
        MEAN + completer.factors.item_biases,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        completer.predict_pairs(users, np.full(USERS, ITEMS - 1)),
        MEAN + completer.factors.user_biases,
        atol=1e-12,
    )


def test_the_number_of_parameters_is_that_of_the_equation():
    completer, _ = fit(config_of())
    assert completer.num_parameters == 1 + USERS * (1 + 3) + ITEMS * (1 + 3 + 3)
