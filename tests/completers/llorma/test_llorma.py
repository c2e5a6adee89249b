import math

import numpy as np
import pytest
import torch

from glocalk.completers.blocks.rating_arrays import RatingArrays
from glocalk.completers.llorma.anchors import arc_distances, draw_anchors, epanechnikov
from glocalk.completers.llorma.llorma import LLORMA, LLORMAConfig
from glocalk.completers.llorma.loops import (
    Factors,
    Kernels,
    Step,
    joint_steps,
    separate_steps,
    weighted_means,
)
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from planted import planted

TRAIN, TEST = planted(num_users=14, num_items=11)  # the last user and item have no ratings
USERS, ITEMS = TRAIN.shape
GRID = np.repeat(np.arange(USERS), ITEMS), np.tile(np.arange(ITEMS), USERS)
RATINGS = RatingArrays.of(TRAIN)
STEPS = {"parallel": separate_steps, "global": joint_steps}
ALGORITHMS = list(STEPS)


def config_of(**options):
    defaults = {
        "algorithm": "global",
        "anchors": 4,
        "kernel_width": 0.3,
        "base": {"rank": 3, "epochs": 5, "learning_rate": 0.02, "regularization": 0.05},
        "local": {"rank": 2, "epochs": 3, "learning_rate": 0.03, "regularization": 0.01},
    }
    return LLORMAConfig.check({**defaults, **options}, "model")


def fit(config, train=TRAIN, seed=0):
    completer, monitor = LLORMA(config), Monitor(TEST)
    completer.fit(train, context=FitContext(seed=seed, observer=monitor.observer()))
    return completer, monitor


def state_of(completer):
    return {name: tensor.numpy().copy() for name, tensor in completer.state().items()}


def some_models(anchors=3, rank=2, seed=3):
    """Random kernels with a third of the weights 0, and random factors."""
    rng = np.random.default_rng(seed)
    kernels = Kernels(*(np.maximum(rng.random((n, anchors)) - 1 / 3, 0) for n in TRAIN.shape))
    factors = Factors(*(rng.random((n, anchors, rank)) + 0.5 for n in TRAIN.shape))
    return kernels, factors


def single_rating(user, item, rating):
    # Of a RatingMatrix, whose arrays are read-only: the loops are compiled for that type already.
    return RatingArrays.of(RatingMatrix([user], [item], [rating], TRAIN.shape, (1, 5)))


def copied(factors):
    return Factors(*(side.copy() for side in factors))


def test_distances_are_angles_in_units_of_right_angles():
    vectors = np.array(
        [[2.0, 0.0], [3.0, 3.0], [0.0, 5.0], [-1.0, 0.0], [1.0, math.sqrt(3)], [0, 0]]
    )
    expected = [[0, 0.5], [0.5, 0], [1, 0.5], [2, 1.5], [2 / 3, 1 / 6], [1, 1]]
    np.testing.assert_allclose(arc_distances(vectors, np.array([0, 1])), expected, atol=1e-7)


def test_a_vector_s_angle_to_itself_is_0_in_spite_of_rounding():
    vectors = np.random.default_rng(0).normal(size=(200, 10))
    distances = arc_distances(vectors, np.arange(200))
    assert np.isfinite(distances).all()
    assert np.diag(distances).max() < 1e-7


def test_the_kernel_is_that_of_epanechnikov():
    found = epanechnikov(np.array([[0.0, 0.4], [0.8, 0.79], [1.3, 2.0]]), 0.8)
    expected = [[0.75, 0.5625], [0.0, 0.75 * (1 - 0.9875**2)], [0.0, 0.0]]
    np.testing.assert_allclose(found, expected, atol=1e-15)


def test_the_weights_of_a_fit_follow_from_its_base_factors_one_by_one():
    completer, _ = fit(config_of())
    state = state_of(completer)
    reached = 0
    for side, rated in (("user", TRAIN.users), ("item", TRAIN.items)):
        vectors, weights = state[f"base_{side}_factors"][:, 0], state[f"{side}_weights"]
        for t in range(4):
            # An anchor has the largest possible weight at itself.
            anchor = vectors[np.argmax(weights[:, t])]
            assert weights[:, t].max() == pytest.approx(0.75)
            for row, vector in enumerate(vectors):
                cosine = sum(a * b for a, b in zip(vector, anchor, strict=True))
                cosine /= math.hypot(*vector) * math.hypot(*anchor)
                distance = 2 / math.pi * math.acos(min(cosine, 1))
                weight = 0.75 * (1 - (distance / 0.3) ** 2) if distance < 0.3 else 0
                expected = weight if row in rated else 0
                assert weights[row, t] == pytest.approx(expected, abs=1e-7)
                reached += 0 < weight < 0.75
    assert reached > 20


def test_anchors_are_rated_pairs_with_uniformly_drawn_users():
    users, items = draw_anchors(TRAIN, 26000, np.random.default_rng(0))
    pairs = set(zip(TRAIN.users.tolist(), TRAIN.items.tolist(), strict=True))
    drawn = set(zip(users.tolist(), items.tolist(), strict=True))
    assert drawn == pairs
    counts = np.bincount(users, minlength=USERS)
    np.testing.assert_allclose(counts[:-1], 2000, rtol=0.1)
    assert counts[-1] == 0
    mine = TRAIN.users == 0
    of_first = np.bincount(items[users == 0], minlength=ITEMS)[TRAIN.items[mine]]
    np.testing.assert_allclose(of_first, counts[0] / mine.sum(), rtol=0.2)


def test_predictions_are_the_kernel_weighted_mean_of_the_models_by_hand():
    # Two anchors, rank 1: models predict 2·1 = 2 and 4·1 = 4 for user 0, weights ½·½ and ¼·1.
    kernels = Kernels(
        np.array([[0.5, 0.25], [0.5, 0.0], [0.0, 0.0]]), np.array([[0.5, 1.0], [0, 0.3]])
    )
    factors = Factors(
        np.array([[[2.0], [4.0]], [[3.0], [9.0]], [[7.0], [7.0]]]), np.array([[[1.0], [1.0]]] * 2)
    )
    fallback = Factors(np.array([[[1.0, 2.0]]] * 3), np.array([[[0.5, 0.5]], [[1.0, 0.0]]]))
    users, items = np.array([0, 1, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 0, 1])
    found = weighted_means(users, items, kernels, factors, fallback)
    # (0, 0): both weigh ¼. (1, 0): only the first. (0, 1): only the second. Others: no anchor.
    np.testing.assert_allclose(found, [3.0, 3.0, 4.0, 1.0, 1.5, 1.0], rtol=1e-15)


def plain_steps(algorithm, ratings, kernels, factors, step):
    """The updates of the docstring, one rating and one model at a time."""
    rate, reg = step
    p, q = copied(factors)
    loss = 0.0
    anchors = range(kernels.users.shape[1])
    for u, i, r in zip(*ratings, strict=True):
        weights = [kernels.users[u, t] * kernels.items[i, t] for t in anchors]
        products = [sum(p[u, t] * q[i, t]) for t in anchors]
        if algorithm == "parallel":
            errors = [r - products[t] for t in anchors]
            loss += sum(weights[t] * errors[t] ** 2 for t in anchors)
        elif sum(weights) > 0:
            weights = [weight / sum(weights) for weight in weights]
            errors = [r - sum(w * x for w, x in zip(weights, products, strict=True))] * len(anchors)
            loss += errors[0] ** 2
        else:
            continue
        for t in anchors:
            p[u, t], q[i, t] = (
                p[u, t] + rate * (weights[t] * errors[t] * q[i, t] - reg * p[u, t]),
                q[i, t] + rate * (weights[t] * errors[t] * p[u, t] - reg * q[i, t]),
            )
    return Factors(p, q), loss


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_steps_equal_a_plain_loop_over_the_ratings(algorithm):
    kernels, factors = some_models()
    step = Step(0.03, 0.02)
    expected, loss = plain_steps(algorithm, RATINGS, kernels, factors, step)
    found = copied(factors)
    assert STEPS[algorithm](RATINGS, kernels, found, step) == pytest.approx(loss, rel=1e-12)
    for side, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(side, value, rtol=1e-12)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_step_follows_the_gradient_of_half_of_one_rating_s_summands(algorithm):
    kernels, factors = some_models()
    u, i = 1, 2
    kernels.users[u], kernels.items[i] = [0.7, 0.2, 0.4], [0.3, 0.6, 0.5]
    weights = np.array([0.21, 0.12, 0.20])

    def half_summands(p, q):
        products = (p[u] * q[i]).sum(axis=1)
        penalty = 0.3 * ((p[u] ** 2).sum() + (q[i] ** 2).sum())
        if algorithm == "parallel":
            return (weights @ (4.0 - products) ** 2 + penalty) / 2
        return ((4.0 - weights @ products / weights.sum()) ** 2 + penalty) / 2

    moved = copied(factors)
    rating = single_rating(u, i, 4.0)
    STEPS[algorithm](rating, kernels, moved, Step(1e-3, 0.3))
    for part in range(2):
        for at in np.ndindex(factors[part].shape):
            sides = []
            for sign in (1, -1):
                shifted = copied(factors)
                shifted[part][at] += sign * 1e-5
                sides.append(half_summands(*shifted))
            gradient = (sides[0] - sides[1]) / 2e-5
            assert moved[part][at] - factors[part][at] == pytest.approx(-1e-3 * gradient, abs=1e-11)


def test_separate_steps_of_the_users_converge_to_the_weighted_ridge_solution():
    # With the items fixed, a user's p solves (Σ w q qᵀ + n λ I) p = Σ w r q.
    kernels, factors = some_models(anchors=2)
    kernels.users[:, 1], kernels.items[:, 1] = 0.6, 0.9
    reg, found = 0.1, copied(factors)
    for rate, times in ((0.02, 2000), (0.001, 4000)):
        for _ in range(times):
            separate_steps(RATINGS, kernels, found, Step(rate, reg))
            found.items[:] = factors.items
    for t in range(2):
        for user in range(USERS - 1):
            mine = TRAIN.users == user
            q = factors.items[TRAIN.items[mine], t]
            w = kernels.users[user, t] * kernels.items[TRAIN.items[mine], t]
            gram = q.T @ (w[:, None] * q) + mine.sum() * reg * np.eye(2)
            solved = np.linalg.solve(gram, q.T @ (w * TRAIN.ratings[mine]))
            np.testing.assert_allclose(found.users[user, t], solved, rtol=0.02, atol=0.005)


def plain_factorization(p, q, rate, reg, epochs, weight=1.0):
    for _ in range(epochs):
        for u, i, r in zip(*RATINGS, strict=True):
            e = weight * (r - p[u] @ q[i])
            p[u], q[i] = (
                p[u] + rate * (e * q[i] - reg * p[u]),
                q[i] + rate * (e * p[u] - reg * q[i]),
            )
    return p, q


@pytest.mark.parametrize(("algorithm", "weight"), [("parallel", 0.75**2), ("global", 1.0)])
def test_one_anchor_of_unlimited_width_is_a_single_factorization(algorithm, weight):
    config = config_of(algorithm=algorithm, anchors=1, kernel_width=1e12)
    completer, _ = fit(config)
    # Drawn in this order: base factors of users and items, the anchor, then local factors.
    rng = np.random.default_rng(0)
    base = [rng.random((n, 3)) / 3 for n in TRAIN.shape]
    draw_anchors(TRAIN, 1, rng)
    highest = 2 * np.sqrt(TRAIN.ratings.mean() / 2)
    start = [highest * rng.random((n, 2)) for n in TRAIN.shape]
    p, q = plain_factorization(*start, 0.03, 0.01, 3, weight)
    predicted = completer.predict_pairs(*GRID).reshape(TRAIN.shape)
    np.testing.assert_allclose(predicted[:-1, :-1], (p @ q.T)[:-1, :-1], rtol=1e-10)
    x, y = plain_factorization(*base, 0.02, 0.05, 5)
    np.testing.assert_allclose(predicted[-1, :-1], x[:-1].mean(axis=0) @ y[:-1].T, rtol=1e-10)


def test_the_base_predicts_the_pairs_that_no_anchor_reaches():
    narrow, monitor = fit(config_of(kernel_width=1e-3))
    state = state_of(narrow)
    base = state["base_user_factors"][:, 0] @ state["base_item_factors"][:, 0].T
    predicted = narrow.predict_pairs(*GRID).reshape(TRAIN.shape)
    reached = np.einsum("ut,it->ui", state["user_weights"], state["item_weights"]) > 0
    assert 0 < reached.sum() <= 4  # the anchors themselves
    reached[-1, -1] = True  # neither has ratings
    np.testing.assert_allclose(predicted[~reached], base[~reached], rtol=1e-12)
    assert np.isfinite(monitor.curves.loss).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_user_or_item_without_ratings_is_predicted_like_the_mean_of_all_others(algorithm):
    completer, _ = fit(config_of(algorithm=algorithm, kernel_width=2.0))
    state = state_of(completer)
    x, y = state["base_user_factors"][:, 0], state["base_item_factors"][:, 0]
    items = np.arange(ITEMS - 1)
    found = completer.predict_pairs(np.full(ITEMS - 1, USERS - 1), items)
    np.testing.assert_allclose(found, (x[:-1] @ y[:-1].T).mean(axis=0), rtol=1e-12)
    users = np.arange(USERS - 1)
    found = completer.predict_pairs(users, np.full(USERS - 1, ITEMS - 1))
    np.testing.assert_allclose(found, (x[:-1] @ y[:-1].T).mean(axis=1), rtol=1e-12)
    both = completer.predict_pairs(np.array([USERS - 1]), np.array([ITEMS - 1]))
    assert both[0] == TRAIN.ratings.mean()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_number_of_threads_changes_no_bit(algorithm):
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(fit(config_of(algorithm=algorithm))[0].predict_pairs(*GRID))
    torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ratings_ten_times_as_high_give_predictions_ten_times_as_high(algorithm):
    # Local factors are √10 times as long; with γ and λ scaled accordingly, the steps are the same.
    high = RatingMatrix(TRAIN.users, TRAIN.items, 10 * TRAIN.ratings, TRAIN.shape, (10, 50))
    plain, _ = fit(config_of(algorithm=algorithm, kernel_width=1e12))
    local = {"rank": 2, "epochs": 3, "learning_rate": 0.003, "regularization": 0.1}
    base = {"rank": 3, "epochs": 5, "learning_rate": 0.002, "regularization": 0.5}
    other, _ = fit(config_of(algorithm=algorithm, kernel_width=1e12, local=local, base=base), high)
    pairs = TEST.users, TEST.items
    np.testing.assert_allclose(
        other.predict_pairs(*pairs), 10 * plain.predict_pairs(*pairs), rtol=1e-10
    )


@pytest.mark.parametrize("stage", ["base", "local"])
def test_a_diverging_descent_raises_one_sentence(stage):
    options = {"rank": 2, "epochs": 9, "learning_rate": 50.0, "regularization": 0.0}
    with pytest.raises(GlocalkError, match=rf"diverged, so lower model\.{stage}\.learning_rate"):
        fit(config_of(**{stage: options}))


def test_the_number_of_parameters_is_that_of_all_factors():
    completer, _ = fit(config_of())
    assert completer.num_parameters == (USERS + ITEMS) * (3 + 4 * 2)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kernel_width": 0}, "'model.kernel_width' cannot be 0"),
        ({"anchors": 0}, "'model.anchors' cannot be 0"),
        ({"algorithm": "local"}, "'model.algorithm' cannot be 'local'"),
        ({"local": {"rank": 0}}, "model.local"),
    ],
)
def test_invalid_options_raise_one_sentence(options, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        config_of(**options)
