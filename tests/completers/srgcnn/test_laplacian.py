"""Laplacians by hand, Chebyshev polynomials by eigenvalues, Dirichlet norms by edges."""

import math

import numpy as np
import pytest
import torch

from glocalk.completers.srgcnn.laplacian import Laplacian
from glocalk.data.side.graphs import as_graph

# A triangle with a tail, an edge apart, and a node without edges but for one to itself.
EDGES = {(0, 1): 1.0, (1, 2): 2.0, (0, 2): 0.5, (2, 3): 3.0, (4, 5): 1.5}
SIZE = 7


def graph():
    weights = np.zeros((SIZE, SIZE))
    for (u, v), weight in EDGES.items():
        weights[u, v] = weights[v, u] = weight
    weights[1, 1] = weights[6, 6] = 5
    return weights


def laplacian_of(weights):
    return Laplacian(as_graph(weights, "graph"), torch.float64)


LAPLACIAN = laplacian_of(graph())
SIGNALS = torch.tensor(np.random.default_rng(0).normal(size=(SIZE, 3)))


def degree(node):
    return sum(weight for edge, weight in EDGES.items() if node in edge)


def test_the_normalized_laplacian_and_its_rescaling_by_hand():
    weights = np.array([[0, 1, 0, 0], [1, 0, 4, 0], [0, 4, 0, 0], [0, 0, 0, 0]])
    laplacian = laplacian_of(weights)
    wanted = [
        [1, -1 / math.sqrt(5), 0, 0],
        [-1 / math.sqrt(5), 1, -4 / math.sqrt(20), 0],
        [0, -4 / math.sqrt(20), 1, 0],
        [0, 0, 0, 0],
    ]
    np.testing.assert_allclose(laplacian.matrix.to_dense(), wanted)
    # Without edges, the diagonal of L is 0 and that of L − I is −1.
    np.testing.assert_allclose(laplacian.shifted.to_dense(), np.array(wanted) - np.eye(4))


def test_an_edge_from_a_node_to_itself_is_left_out():
    without = graph() * (1 - np.eye(SIZE))
    np.testing.assert_array_equal(
        laplacian_of(without).matrix.to_dense(), LAPLACIAN.matrix.to_dense()
    )


def test_of_an_edge_with_two_directions_the_larger_weight_counts():
    one_way = np.triu(graph()) + 0.1 * np.tril(graph(), -1)
    np.testing.assert_array_equal(
        laplacian_of(one_way).matrix.to_dense(), LAPLACIAN.matrix.to_dense()
    )


@pytest.mark.parametrize("order", [1, 2, 3, 5, 9])
def test_polynomials_are_cosines_of_multiples_of_the_eigenvalues_angles(order):
    # T_k(cos θ) = cos(k θ) on each eigenvector
    values, vectors = np.linalg.eigh(LAPLACIAN.matrix.to_dense().numpy() - np.eye(SIZE))
    assert values.min() == pytest.approx(-1)
    angles = np.arccos(np.clip(values, -1, 1))
    wanted = [vectors * np.cos(k * angles) @ vectors.T @ SIGNALS.numpy() for k in range(order)]
    np.testing.assert_allclose(
        LAPLACIAN.chebyshev(SIGNALS, order), np.concatenate(wanted, axis=1), atol=1e-7
    )


def test_polynomials_are_those_of_the_dense_laplacian():
    shifted = LAPLACIAN.shifted.to_dense().numpy()
    powers = [np.linalg.matrix_power(shifted, k) for k in range(5)]
    for k in range(5):
        coefficients = np.polynomial.chebyshev.cheb2poly(np.eye(5)[k])
        dense = sum(c * power for c, power in zip(coefficients, powers, strict=False))
        part = LAPLACIAN.chebyshev(SIGNALS, 5)[:, 3 * k : 3 * k + 3]
        np.testing.assert_allclose(part, dense @ SIGNALS.numpy(), atol=1e-12)


def test_gradients_through_polynomials_and_norm_are_exact():
    signals = SIGNALS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: LAPLACIAN.chebyshev(x, 4), signals)
    assert torch.autograd.gradcheck(LAPLACIAN.between, signals)


def test_the_dirichlet_norm_is_a_sum_over_edges():
    scaled = [SIGNALS[v].numpy() / math.sqrt(degree(v) or 1) for v in range(SIZE)]
    wanted = sum(weight * ((scaled[u] - scaled[v]) ** 2).sum() for (u, v), weight in EDGES.items())
    assert LAPLACIAN.between(SIGNALS).trace().item() == pytest.approx(wanted)
