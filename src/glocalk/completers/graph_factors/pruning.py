"""Removes the edges of a graph that the ratings contest.

An edge says that two users, or two items, are alike. It is contested, and removed, if the expected
covariance of their factors given the ratings is not positive. For an edge between i and j, with
factors x [nodes, D] that fit the ratings without any graph and x̃ᵢ = xᵢ − mean of its D entries,

    (1/D) Σ_d [x̃ᵢ_d x̃ⱼ_d + Σ_s (z_dsᵢ − z̄_dᵢ)(z_dsⱼ − z̄_dⱼ)],   z_ds ~ Normal(0, Λ_d⁻¹), s = 1 … 2 D
    Λ_d = L + α diag(c_d),   c_dᵢ = Σ_{j rated by i} y_jd²

L is the Laplacian of the graph, y the factors of the other side, z̄ a mean over the draws s.
Strahl, Peltonen, Mamitsuka, Kaski, AAAI 2020, Eq. 10; `strahl2e/GPMF-GBP-AAAI-20`. As in that code,
the products of the draws are summed and not averaged. It sums c_dᵢ over the test ratings; here it
is over the training ratings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.csgraph import laplacian

from glocalk.completers.graph_factors.alternating import descend
from glocalk.data.rating_matrix import Values
from glocalk.data.side.graphs import Graph, as_graph, from_edges
from glocalk.errors import GlocalkError
from glocalk.sparse.compiled import Array
from glocalk.stopping import safe_point

_RIDGE = 1e-8  # of the largest entry of the diagonal, where no rating makes Λ definite
_MOST_NODES = 20_000  # draws take a few matrices of nodes × nodes, 3 GB each at this number


def initial_factors(
    ratings: sparse.csr_array,
    rank: int,
    regularization: float,
    alternations: int,
    steps: int,
    generator: np.random.Generator,
) -> tuple[Values, Values]:
    """Factors that minimize ½ Σ (r − uᵀv)² + ½ λ (‖U‖² + ‖V‖²), approximately.

    From uniform numbers in [0, 1), the sides alternate; each turn makes a few steps of the
    conjugate gradient method from the last factors, until the gradient is a tenth of what it was.

    Args:
        ratings: [users, items] the observed ratings.
        rank: number of factors.
        regularization: λ.
        alternations: number of turns of each side.
        steps: most steps of a turn.
        generator: source of the initial values.

    Returns:
        [users, rank] and [items, rank].
    """
    rows, columns = ratings.shape
    left, right = generator.random((rows, rank)), generator.random((columns, rank))
    transposed = ratings.T.tocsr()
    penalties: list[Any] = [regularization * sparse.eye_array(size) for size in ratings.shape]
    for _ in range(alternations):
        left = descend(ratings, left, right, penalties[0], steps)
        right = descend(transposed, right, left, penalties[1], steps)
    return left, right


def pruned(
    graph: Graph,
    factors: Values,
    others: Values,
    rated: sparse.csr_array,
    precision: float,
    generator: np.random.Generator,
) -> Graph:
    """The graph without contested edges, with weights 1.

    Args:
        graph: [n, n] symmetric; its weights are not used.
        factors: [n, D] of its nodes.
        others: [m, D] of the other side.
        rated: [n, m] with an entry for each training rating.
        precision: α, of the ratings.
        generator: source of the draws.

    Raises:
        GlocalkError: the graph has too many nodes.
    """
    if graph.shape[0] > _MOST_NODES:
        raise GlocalkError(
            f"A graph of {graph.shape[0]} nodes has too many to find contested edges, at most "
            f"{_MOST_NODES}: set the option 'prune' to false."
        )
    edges = sparse.triu(graph, 1).tocoo()
    rows, columns = edges.coords
    if not len(rows):
        return as_graph(sparse.csr_array(graph.shape), "graph")
    dimension = factors.shape[1]
    centered = factors - factors.mean(axis=1, keepdims=True)
    scores = (centered[rows] * centered[columns]).sum(axis=1) / dimension
    binary = as_graph((graph != 0).astype(np.float64), "graph")
    parts = np.ones(len(rated.data)), rated.indices, rated.indptr  # a rating may be 0
    weights: Any = sparse.csr_array(parts, shape=rated.shape) @ others**2
    edges_of: Any = laplacian(binary)
    dense = edges_of.toarray()
    for of_dimension in weights.T:
        safe_point()
        draws = sample(dense + np.diag(precision * of_dimension), 2 * dimension, generator)
        draws -= draws.mean(axis=1, keepdims=True)
        scores += (draws[rows] * draws[columns]).sum(axis=1) / dimension
    kept = scores > 0
    return from_edges(rows[kept].astype(np.int64), columns[kept].astype(np.int64), graph.shape[0])


def sample(precision: Array, count: int, generator: np.random.Generator) -> Values:
    """[n, count] draws from Normal(0, Λ⁻¹), Λ [n, n] positive semidefinite.

    A node of which nothing is known, with a 0 on the diagonal, takes a tenth of the smallest entry
    that is not 0.
    """
    diagonal = np.diag(precision).copy()
    known = diagonal[diagonal > 0]
    diagonal[diagonal == 0] = 0.1 * known.min() if len(known) else 1.0
    definite = precision.copy()
    np.fill_diagonal(definite, diagonal + _RIDGE * diagonal.max())
    lower = linalg.cholesky(definite, lower=True, overwrite_a=True, check_finite=False)
    normal = generator.standard_normal((len(definite), count))
    drawn: Values = linalg.solve_triangular(lower, normal, lower=True, trans="T")
    return drawn
