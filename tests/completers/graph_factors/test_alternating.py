"""Alternating conjugate gradients against dense solutions."""

import numpy as np
import pytest
from scipy import sparse

from glocalk.completers.graph_factors.alternating import Alternating, descend
from glocalk.completers.graph_factors.factors import ScaledRatings
from planted import planted

TRAIN, _ = planted()


def penalty_of(size, seed):
    """[size, size] symmetric positive definite, of a random graph's Laplacian."""
    edges = np.triu(np.random.default_rng(seed).random((size, size)) < 0.3, 1)
    weights = edges.astype(float) + edges.T
    return 0.4 * (np.diag(weights.sum(axis=0)) - weights) + 0.1 * np.eye(size)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    observed = rng.random((7, 5)) < 0.6
    ratings = np.where(observed, rng.integers(1, 6, (7, 5)) / 5, 0)
    return sparse.csr_array(ratings), observed, rng.normal(size=(7, 3)), rng.normal(size=(5, 3))


def solved(ratings, observed, other, penalty):
    """The X whose gradient is 0, by one dense system over all of its entries."""
    (size, _), rank = observed.shape, other.shape[1]
    matrix = np.kron(penalty, np.eye(rank))
    for i in range(size):
        known = other[observed[i]]
        matrix[i * rank : (i + 1) * rank, i * rank : (i + 1) * rank] += known.T @ known
    return np.linalg.solve(matrix, (ratings @ other).ravel()).reshape(size, rank)


def test_enough_steps_solve_the_coupled_least_squares(problem):
    ratings, observed, own, other = problem
    penalty = penalty_of(7, 0)
    expected = solved(ratings, observed, other, penalty)
    for _ in range(40):  # each call ends at a tenth of the gradient
        own = descend(ratings, own, other, sparse.csr_array(penalty), 50)
    np.testing.assert_allclose(own, expected, atol=1e-9)


def test_one_step_goes_down_the_gradient_to_the_minimum_along_it(problem):
    ratings, observed, own, other = problem
    penalty = penalty_of(7, 1)
    gradient = np.where(observed, own @ other.T - ratings.toarray(), 0) @ other + penalty @ own
    along = np.where(observed, gradient @ other.T, 0)
    curvature = (along**2).sum() + (gradient * (penalty @ gradient)).sum()
    expected = own - (gradient**2).sum() / curvature * gradient
    made = descend(ratings, own, other, sparse.csr_array(penalty), 1)
    np.testing.assert_allclose(made, expected, atol=1e-12)


def test_a_turn_ends_at_a_tenth_of_the_gradient(problem):
    ratings, observed, own, other = problem
    penalty = penalty_of(7, 2)

    def gradient(factors):
        errors = np.where(observed, factors @ other.T - ratings.toarray(), 0)
        return np.linalg.norm(errors @ other + penalty @ factors)

    sizes = [gradient(own)]
    for steps in range(1, 30):
        sizes.append(gradient(descend(ratings, own, other, sparse.csr_array(penalty), steps)))
    first = next(steps for steps, size in enumerate(sizes) if size <= 0.1 * sizes[0])
    assert first > 1
    assert len(set(sizes[first:])) == 1


def test_the_loss_is_the_objective_after_both_turns():
    penalties = [penalty_of(size, 0) for size in TRAIN.shape]
    solver = Alternating(
        ScaledRatings(TRAIN),
        tuple(sparse.csr_array(penalty) for penalty in penalties),
        3,
        2,
        np.random.default_rng(0),
    )
    losses = [solver.run_epoch() for _ in range(5)]
    users, items = solver.factors.users, solver.factors.items
    errors = np.array(TRAIN.ratings) / 5 - (users[TRAIN.users] * items[TRAIN.items]).sum(axis=1)
    expected = 0.5 * (
        (errors**2).sum()
        + np.trace(users.T @ penalties[0] @ users)
        + np.trace(items.T @ penalties[1] @ items)
    )
    assert losses[-1] == pytest.approx(expected, rel=1e-9)
    assert sorted(losses, reverse=True) == losses
