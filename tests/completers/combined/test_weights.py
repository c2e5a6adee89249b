"""Weights of members, against values derived in other ways."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from glocalk.completers.combined.weights import convex_weights, equal_weights, ridge_weights

RNG = np.random.default_rng(0)
RATINGS = RNG.integers(1, 6, 60).astype(float)
NOISE = RNG.normal(size=(60, 4)) * [0.6, 0.8, 0.9, 1.5]
PREDICTED = RATINGS[:, None] + NOISE


def error(weights):
    return np.mean((RATINGS - weights.combine(PREDICTED)) ** 2)


def test_the_mean_s_weights_give_the_mean():
    np.testing.assert_allclose(equal_weights(4).combine(PREDICTED), PREDICTED.mean(axis=1))


def test_two_convex_weights_are_those_of_the_closed_form_and_of_a_grid():
    one, other = NOISE[:, 0], NOISE[:, 1]
    exact = other @ (other - one) / ((one - other) @ (one - other))
    found = convex_weights(PREDICTED[:, :2], RATINGS).members
    np.testing.assert_allclose(found, [exact, 1 - exact], atol=1e-10)
    grid = np.linspace(0, 1, 10_001)
    errors = [np.mean((w * one + (1 - w) * other) ** 2) for w in grid]
    assert abs(grid[np.argmin(errors)] - found[0]) < 2e-4


def test_convex_weights_are_those_of_a_general_solver():
    found = convex_weights(PREDICTED, RATINGS)
    solved = minimize(
        lambda w: np.mean((RATINGS - PREDICTED @ w) ** 2),
        np.full(4, 0.25),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(found.members, solved.x, atol=1e-5)
    assert found.members.min() >= 0
    assert found.members.sum() == pytest.approx(1, abs=1e-12)
    assert found.intercept == 0


def test_a_member_that_adds_nothing_gets_no_convex_weight():
    worse = np.column_stack([PREDICTED[:, 0], PREDICTED[:, 0] + 3])  # the same errors and a bias
    biased = convex_weights(worse, RATINGS + 1e-9).members
    np.testing.assert_allclose(biased, [1, 0], atol=0.1)


def test_a_perfect_member_gets_all_convex_weight():
    np.testing.assert_allclose(
        convex_weights(np.column_stack([PREDICTED[:, 0], RATINGS, PREDICTED[:, 2]]), RATINGS)[0],
        [0, 1, 0],
        atol=1e-9,
    )


@pytest.mark.parametrize("solve", [convex_weights, ridge_weights])
def test_weights_follow_a_permutation_of_the_members(solve):
    order = [2, 0, 3, 1]
    found, permuted = solve(PREDICTED, RATINGS), solve(PREDICTED[:, order], RATINGS)
    np.testing.assert_allclose(permuted.members, found.members[order], atol=1e-9)
    assert permuted.intercept == pytest.approx(found.intercept, abs=1e-9)


@pytest.mark.parametrize("solve", [convex_weights, ridge_weights])
def test_identical_members_predict_as_their_one(solve):
    twins = np.repeat(PREDICTED[:, :1], 3, axis=1)
    expected = PREDICTED[:, 0] if solve is convex_weights else None
    combined = solve(twins, RATINGS).combine(twins)
    if expected is None:  # as by any one of them, whose weight is the sum
        expected = sum(solve(twins, RATINGS).members) * PREDICTED[:, 0]
        expected = expected + solve(twins, RATINGS).intercept
    np.testing.assert_allclose(combined, expected, atol=1e-9)


def ridge(predicted, ratings, penalty):
    """Weights and intercept by the normal equations of (w − 1/K, b)."""
    count, members = predicted.shape
    design = np.column_stack([predicted, np.ones(count)])
    penalties = np.diag([penalty] * members + [0.0])
    rest = ratings - predicted.mean(axis=1)
    solved = np.linalg.solve(design.T @ design + penalties, design.T @ rest)
    return solved[:-1] + 1 / members, solved[-1]


def left_out(penalty):
    """Mean squared error of fits without one rating each."""
    errors = []
    for row in range(len(RATINGS)):
        others = np.arange(len(RATINGS)) != row
        weights, intercept = ridge(PREDICTED[others], RATINGS[others], penalty)
        errors.append((RATINGS[row] - PREDICTED[row] @ weights - intercept) ** 2)
    return np.mean(errors)


def test_ridge_takes_the_penalty_of_least_error_over_ratings_left_out():
    penalties = 60 * np.logspace(-6, 2, 33)
    best = penalties[np.argmin([left_out(penalty) for penalty in penalties])]
    weights, intercept = ridge(PREDICTED, RATINGS, best)
    found = ridge_weights(PREDICTED, RATINGS)
    np.testing.assert_allclose(found.members, weights, atol=1e-9)
    assert found.intercept == pytest.approx(intercept, abs=1e-9)


def test_ridge_removes_a_common_bias():
    found = ridge_weights(PREDICTED + 0.7, RATINGS)
    same = ridge_weights(PREDICTED, RATINGS)
    np.testing.assert_allclose(found.members, same.members, atol=1e-9)
    np.testing.assert_allclose(found.combine(PREDICTED + 0.7), same.combine(PREDICTED), atol=1e-9)


def test_no_member_is_better_than_the_convex_combination_where_the_weights_are_chosen():
    assert error(convex_weights(PREDICTED, RATINGS)) <= min(np.mean(NOISE**2, axis=0)) + 1e-12
    pairs = itertools.combinations(range(4), 2)
    assert all(
        error(convex_weights(PREDICTED, RATINGS))
        <= np.mean((RATINGS - PREDICTED[:, pair].mean(axis=1)) ** 2) + 1e-12
        for pair in map(list, pairs)
    )


def test_fewer_ratings_than_members_have_weights_too():
    found = convex_weights(PREDICTED[:2], RATINGS[:2])
    assert found.members.sum() == pytest.approx(1)
    assert np.isfinite(ridge_weights(PREDICTED[:2], RATINGS[:2]).members).all()
