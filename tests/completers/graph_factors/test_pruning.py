"""Pruning against dense algebra and literal loops."""

import numpy as np
import pytest
from scipy import sparse

from glocalk.completers.graph_factors import pruning
from glocalk.completers.graph_factors.pruning import initial_factors, pruned, sample
from glocalk.errors import GlocalkError


def test_draws_have_the_covariance_of_the_inverse_precision():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    precision = root @ root.T + np.eye(4)
    draws = sample(precision, 200_000, rng)
    np.testing.assert_allclose(np.cov(draws), np.linalg.inv(precision), atol=0.01)


def test_a_node_of_which_nothing_is_known_takes_a_tenth_of_the_smallest_precision():
    draws = sample(np.diag([4.0, 0.0, 2.0]), 200_000, np.random.default_rng(0))
    np.testing.assert_allclose(draws.var(axis=1), [1 / 4, 1 / 0.2, 1 / 2], rtol=0.02)


def test_an_edge_stays_if_the_expected_covariance_of_its_ends_is_positive(monkeypatch):
    rng = np.random.default_rng(3)
    nodes, others, rank = 8, 5, 3
    edges = np.triu(rng.random((nodes, nodes)) < 0.6, 1)
    graph = sparse.csr_array((edges | edges.T).astype(float))
    factors, other_factors = rng.normal(size=(nodes, rank)), rng.normal(size=(others, rank))
    rated = rng.random((nodes, others)) < 0.5
    drawn, seen = rng.normal(size=(rank, nodes, 2 * rank)) * 0.3, []

    def scripted(precision, count, _):
        seen.append(precision)
        assert count == 2 * rank
        return drawn[len(seen) - 1].copy()

    monkeypatch.setattr(pruning, "sample", scripted)
    given = sparse.csr_array(rated.astype(float))
    kept = pruned(graph, factors, other_factors, given, 20.0, rng).toarray()

    degree = graph.toarray().sum(axis=0)
    for d, precision in enumerate(seen):
        for i in range(nodes):
            known = sum(other_factors[j, d] ** 2 for j in range(others) if rated[i, j])
            assert precision[i, i] == pytest.approx(degree[i] + 20 * known)
            for j in range(nodes):
                if i != j:
                    assert precision[i, j] == -graph.toarray()[i, j]
    stayed = 0
    for i in range(nodes):
        for j in range(nodes):
            if not graph.toarray()[i, j]:
                assert kept[i, j] == 0
                continue
            total = 0.0
            for d in range(rank):
                total += (factors[i, d] - factors[i].mean()) * (factors[j, d] - factors[j].mean())
                for s in range(2 * rank):
                    first = drawn[d, i, s] - drawn[d, i].mean()
                    second = drawn[d, j, s] - drawn[d, j].mean()
                    total += first * second
            assert kept[i, j] == (total > 0)
            stayed += int(total > 0)
    assert 0 < stayed < graph.nnz


def test_initial_factors_come_near_the_least_regularized_error():
    rng = np.random.default_rng(1)
    rows, columns = np.nonzero(rng.random((12, 9)) < 0.7)
    values = 0.2 * rng.integers(1, 6, len(rows))
    ratings = sparse.csr_array((values, (rows, columns)), shape=(12, 9))

    def objective(users, items):
        errors = values - np.einsum("nd,nd->n", users[rows], items[columns])
        return 0.5 * (errors @ errors + 1.2 * ((users**2).sum() + (items**2).sum()))

    found = objective(*initial_factors(ratings, 2, 1.2, 35, 3, np.random.default_rng(0)))
    users, items = rng.random((12, 2)), rng.random((9, 2))
    for _ in range(500):  # alternating least squares, each row solved exactly
        for own, other, mine, theirs in (
            (users, items, rows, columns),
            (items, users, columns, rows),
        ):
            for k in range(len(own)):
                of = other[theirs[mine == k]]
                own[k] = np.linalg.solve(of.T @ of + 1.2 * np.eye(2), of.T @ values[mine == k])
    assert found == pytest.approx(objective(users, items), rel=1e-3)


def test_too_large_a_graph_is_refused_before_it_takes_memory():
    graph = sparse.eye_array(20_001, format="csr")
    factors, rated = np.zeros((20_001, 1)), sparse.csr_array((20_001, 2))
    with pytest.raises(
        GlocalkError, match=r"20001 nodes has too many .* set the option 'prune' to false"
    ):
        pruned(graph, factors, np.zeros((2, 1)), rated, 1.0, np.random.default_rng(0))
