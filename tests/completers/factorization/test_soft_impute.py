"""Soft-Impute against dense proximal gradient descent run to convergence."""

import logging

import numpy as np
import pytest
import torch

from glocalk.completers.factorization.alternating import Factors, Observed, relative_gap
from glocalk.completers.factorization.soft_impute import SoftImpute
from glocalk.data.rating_matrix import RatingMatrix
from planted import planted

NO_BIASES = {"item_damping": 1e15, "user_damping": 1e15}  # the baseline is the mean


def fitted(train, penalty, rank=100, tolerance=1e-9, iterations=3000):
    completer = SoftImpute(
        SoftImpute.Config.check(
            {
                "nuclear_penalty": penalty,
                "rank": rank,
                "tolerance": tolerance,
                "iterations": iterations,
                "baseline": NO_BIASES,
            },
            "model",
        )
    )
    completer.fit(train)
    return completer


def dense(train):
    """Deviations from the mean [users, items], 0 where unobserved, and the mask of the observed."""
    deviations, observed = np.zeros(train.shape), np.zeros(train.shape, dtype=bool)
    deviations[train.users, train.items] = train.ratings - train.ratings.mean()
    observed[train.users, train.items] = True
    return deviations, observed


def shrunk(matrix, penalty):
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return left * np.maximum(values - penalty, 0) @ right


def proximal_gradient(train, penalty, steps=20000):
    """The minimum, by steps of length 1 from 0 until a step changes nearly nothing."""
    deviations, observed = dense(train)
    completed = np.zeros(train.shape)
    for _ in range(steps):
        before, completed = completed, shrunk(np.where(observed, deviations, completed), penalty)
        if np.abs(completed - before).max() < 1e-11:
            return completed
    raise AssertionError("the reference has not converged")


def objective(train, completed, penalty):
    deviations, observed = dense(train)
    return ((deviations - completed)[observed] ** 2).sum() / 2 + penalty * np.linalg.svd(
        completed, compute_uv=False
    ).sum()


def completion(completer, train):
    users, items = np.indices(train.shape).reshape(2, -1)
    predicted = completer.predict_pairs(users, items).reshape(train.shape)
    return predicted - train.ratings.mean()


SMALL, _ = planted(num_users=14, num_items=9)


@pytest.mark.parametrize("penalty", [1.0, 1.5, 2.0])
def test_the_result_is_the_minimum_of_the_convex_problem(penalty):
    expected = proximal_gradient(SMALL, penalty)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(
        completion(fitted(SMALL, penalty), SMALL), expected, rtol=0, atol=1e-4
    )


def test_the_minimum_is_found_from_singular_vectors_of_the_sparse_matrix():
    train, _ = planted()
    expected = proximal_gradient(train, 4.0)
    rank = np.linalg.matrix_rank(expected, tol=1e-6)
    assert 1 < rank < 15
    completer = fitted(train, 4.0, rank=15)
    np.testing.assert_allclose(completion(completer, train), expected, rtol=0, atol=1e-4)
    assert completer.state()["left"].shape == (60, rank)


def test_the_result_satisfies_the_subgradient_condition():
    """P(D − Z) = λ U Vᵀ + a rest that is orthogonal to U and V and has spectral norm ≤ λ."""
    penalty = 2.0
    completer = fitted(SMALL, penalty)
    deviations, observed = dense(SMALL)
    completed = completion(completer, SMALL)
    residual = np.where(observed, deviations - completed, 0)
    left, values, right = np.linalg.svd(completed, full_matrices=False)
    rank = (values > 1e-6).sum()
    assert rank == completer.state()["left"].shape[1]
    np.testing.assert_allclose(left[:, :rank].T @ residual, penalty * right[:rank], atol=2e-4)
    np.testing.assert_allclose(residual @ right[:rank].T, penalty * left[:, :rank], atol=2e-4)
    assert np.linalg.norm(residual, 2) == pytest.approx(penalty, rel=1e-4)


def test_singular_values_are_shrunk_if_everything_is_observed():
    rng = np.random.default_rng(0)
    users, items = np.indices((10, 7)).reshape(2, -1)
    train = RatingMatrix(users, items, rng.integers(1, 6, 70).astype(float), (10, 7), (1, 5))
    deviations, _ = dense(train)
    np.testing.assert_allclose(
        completion(fitted(train, 1.5), train), shrunk(deviations, 1.5), atol=1e-4
    )


def test_a_penalty_above_the_largest_singular_value_leaves_the_baseline():
    largest = np.linalg.norm(dense(SMALL)[0], 2)
    above, below = fitted(SMALL, largest * 1.0001), fitted(SMALL, largest * 0.99)
    np.testing.assert_allclose(completion(above, SMALL), 0, atol=1e-13)
    assert above.num_parameters == 1 + sum(SMALL.shape)  # the baseline's
    assert np.abs(completion(below, SMALL)).max() > 1e-3


def test_the_duality_gap_bounds_the_distance_from_the_minimum():
    penalty = 2.0
    least = objective(SMALL, proximal_gradient(SMALL, penalty), penalty)
    deviations = SMALL.ratings - SMALL.ratings.mean()
    observed = Observed(SMALL.users, SMALL.items, deviations, SMALL.shape)
    rng = np.random.default_rng(0)
    for size in (0.1, 0.5, 1.0):
        left, right = size * rng.normal(size=(14, 3)), size * rng.normal(size=(9, 3))
        factors = Factors(torch.from_numpy(left), torch.from_numpy(right))
        here = ((dense(SMALL)[0] - left @ right.T)[dense(SMALL)[1]] ** 2).sum() / 2 + penalty * (
            (left**2).sum() + (right**2).sum()
        ) / 2
        gap = relative_gap(observed, factors, penalty, 1e-9)
        assert (here - least) / here <= gap <= 1.5


def test_iterations_stop_within_the_tolerance():
    penalty = 2.0
    least = objective(SMALL, proximal_gradient(SMALL, penalty), penalty)
    distances = []
    for tolerance in (1e-2, 1e-4, 1e-8):
        completed = completion(fitted(SMALL, penalty, tolerance=tolerance), SMALL)
        distances.append(objective(SMALL, completed, penalty) / least - 1)
        assert -1e-12 < distances[-1] <= tolerance
    assert distances[0] > 10 * distances[-1]


def test_too_small_a_rank_is_reported(caplog):
    with caplog.at_level(logging.WARNING):
        completer = fitted(SMALL, 1.0, rank=1, iterations=200)
    assert "at rank 1 of at most 1: raise model.rank" in caplog.text
    least = objective(SMALL, proximal_gradient(SMALL, 1.0), 1.0)
    assert objective(SMALL, completion(completer, SMALL), 1.0) > 1.01 * least
    caplog.clear()
    fitted(SMALL, 1.0)
    assert not caplog.text


def test_the_result_at_too_small_a_rank_is_stationary():
    penalty = 1.0
    completer = fitted(SMALL, penalty, rank=1, iterations=500)
    left, right = (completer.state()[name].numpy() for name in ("left", "right"))
    deviations, observed = dense(SMALL)
    residual = np.where(observed, deviations - left @ right.T, 0)
    assert np.abs(left).max() > 0.5
    np.testing.assert_allclose(residual @ right, penalty * left, atol=1e-8)
    np.testing.assert_allclose(residual.T @ left, penalty * right, atol=1e-8)


def test_a_full_matrix_that_takes_the_start_vector_to_0_is_completed():
    # Every row sums to 0 and every column has the same count. With all cells observed, the minimum
    # shrinks the only singular value, σ = 2 √(40 · 60), by λ.
    users, items = np.indices((40, 60)).reshape(2, -1)
    signs = np.where((users + items) % 2, -1.0, 1.0)
    train = RatingMatrix(users, items, 3 + 2 * signs, (40, 60), (1, 5))
    predicted = fitted(train, penalty=1, rank=10).predict_pairs(users, items)
    sigma = 2 * np.sqrt(40 * 60)
    np.testing.assert_allclose(predicted, 3 + 2 * signs * (sigma - 1) / sigma, rtol=1e-6)


@pytest.mark.parametrize("rating", [1.0, 3.1, 5.0])
def test_constant_ratings_are_completed_by_themselves(rating):
    users, items = np.nonzero(np.random.default_rng(0).random((60, 80)) < 0.3)
    train = RatingMatrix(users, items, np.full(len(users), rating), (60, 80), (1, 5))
    predicted = fitted(train, penalty=13, rank=20).predict_pairs(users, items)
    np.testing.assert_allclose(predicted, rating, rtol=1e-15)
