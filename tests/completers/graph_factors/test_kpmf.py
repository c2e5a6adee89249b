"""KPMF's updates against gradients by autograd, and the kernel against its definition."""

import numpy as np
import pytest
import torch
from scipy import sparse

from glocalk.completers.graph_factors.config import GRAEMConfig
from glocalk.completers.graph_factors.factors import ScaledRatings
from glocalk.completers.graph_factors.kpmf import KPMF, initial_values, inverse_kernel
from glocalk.data.rating_matrix import RatingMatrix
from planted import planted

TRAIN, _ = planted()
SEEDS = range(3)


def graph_of(size, seed):
    edges = np.triu(np.random.default_rng(seed).random((size, size)) < 0.1, 1)
    return sparse.csr_array((edges | edges.T).astype(float))


def laplacian_of(graph):
    dense = graph.toarray() != 0
    return np.diag(dense.sum(axis=0)) - dense


def test_the_inverse_kernel_is_that_of_the_regularized_laplacian():
    # The official code inverts the inverse of I + γ L.
    graph = graph_of(9, 0)
    kernel = np.linalg.inv(np.eye(9) + 0.7 * laplacian_of(graph))
    np.testing.assert_allclose(
        inverse_kernel(graph, 0.7).toarray(), np.linalg.inv(kernel), atol=1e-9
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_an_update_on_all_ratings_follows_the_gradient_of_the_objective(seed):
    config = GRAEMConfig(rank=3, batches=1, momentum=0.0, noise=0.3, learning_rate=1e-4)
    kernels = [inverse_kernel(graph_of(size, seed), 0.5) for size in TRAIN.shape]
    solver = KPMF(ScaledRatings(TRAIN), *kernels, config, np.random.default_rng(seed))
    users, items = (
        torch.tensor(part, requires_grad=True)
        for part in (solver.factors.users, solver.factors.items)
    )
    errors = torch.tensor(np.array(TRAIN.ratings) / 5) - (
        users[TRAIN.users] * items[TRAIN.items]
    ).sum(1)
    objective = errors.square().sum() / 0.3**2
    for factors, kernel, rows in zip(
        (users, items), kernels, (TRAIN.users, TRAIN.items), strict=True
    ):
        dense = torch.tensor(kernel.toarray())
        rated = torch.zeros(len(factors), 1, dtype=torch.float64)
        rated[np.unique(rows)] = 1
        # Nothing pulls the factors of those without ratings, but they pull their neighbors'.
        held = factors * rated + (factors * (1 - rated)).detach()
        objective = objective + 0.5 * (held * (dense @ held)).sum()
        objective = objective + 0.5 * (dense.diag().unsqueeze(1) * held.square()).sum()
    objective.backward()
    expected = [
        (factors - 1e-4 * factors.grad).detach().numpy().copy() for factors in (users, items)
    ]
    solver.run_epoch()
    np.testing.assert_allclose(solver.factors.users, expected[0], atol=1e-12)
    np.testing.assert_allclose(solver.factors.items, expected[1], atol=1e-12)


def test_momentum_repeats_a_part_of_the_last_update():
    config = GRAEMConfig(rank=2, batches=1, momentum=0.2, learning_rate=1e-5)
    kernels = [inverse_kernel(graph_of(size, 0), 0.5) for size in TRAIN.shape]

    def solver(**options):
        changed = config.model_copy(update=options)
        return KPMF(ScaledRatings(TRAIN), *kernels, changed, np.random.default_rng(0))

    whole, plain = solver(), solver(momentum=0.0)
    before = whole.factors.users.copy()
    whole.run_epoch(), plain.run_epoch()
    first = whole.factors.users - before
    plain.run_epoch()
    middle = whole.factors.users.copy()
    whole.run_epoch()
    second = plain.factors.users - middle  # without momentum, from the same factors
    np.testing.assert_allclose(whole.factors.users - middle, second + 0.2 * first, atol=1e-12)


def test_the_epochs_batches_hold_each_rating_once():
    config = GRAEMConfig(rank=2, batches=7, momentum=0.0, learning_rate=1e-12)
    kernels = [inverse_kernel(graph_of(size, 0), 0.5) for size in TRAIN.shape]
    solver = KPMF(ScaledRatings(TRAIN), *kernels, config, np.random.default_rng(0))
    users, items = solver.factors.users, solver.factors.items
    errors = TRAIN.ratings / 5 - np.einsum("nd,nd->n", users[TRAIN.users], items[TRAIN.items])
    assert solver.run_epoch() == pytest.approx(errors @ errors, rel=1e-6)


def test_the_training_starts_at_singular_vectors_of_the_filled_matrix():
    ratings = RatingMatrix([0, 0, 1, 2, 2], [0, 1, 1, 0, 2], [5.0, 3, 4, 1, 2], (3, 3), (1, 5))
    filled = np.full((3, 3), np.mean([5, 3, 4, 1, 2])) / 5
    filled[[0, 0, 1, 2, 2], [0, 1, 1, 0, 2]] = np.array([5, 3, 4, 1, 2]) / 5
    left, values, right = np.linalg.svd(filled)
    users, items = initial_values(ScaledRatings(ratings), 2)
    np.testing.assert_allclose(users @ items.T, (left[:, :2] * values[:2]) @ right[:2], atol=1e-6)
    np.testing.assert_allclose(users.T @ users, np.diag(values[:2]), atol=1e-6)
    np.testing.assert_allclose(items.T @ items, np.diag(values[:2]), atol=1e-6)
