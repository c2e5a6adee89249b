"""Graphs of users or of items, as sparse matrices of edge weights."""

from __future__ import annotations

import hashlib
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from glocalk.data.ids import Ids
from glocalk.data.labels import Kind
from glocalk.data.rating_matrix import Indices
from glocalk.errors import GlocalkError, shown

Graph: TypeAlias = Any  # scipy.sparse.csr_array; scipy-stubs has it generic
"""[n, n] weight of the edge from row to column; 0 where there is none."""

_LARGEST = 1e18  # of a weight: its square is finite in float32
_BLOCK = 512  # rows whose distances to all others are held at once


def as_graph(matrix: Any, title: str) -> Graph:
    """A copy in canonical form: compressed rows, ascending columns, no stored zeros.

    Args:
        matrix: [n, n] sparse or full.
        title: for error messages.

    Raises:
        GlocalkError: it is not square, or a weight is not between 0 and 1e18.
    """
    graph = sparse.csr_array(matrix, dtype=np.float64, copy=True)
    if graph.shape[0] != graph.shape[1]:
        raise GlocalkError(f"The {title} has shape {graph.shape}, which is not square.")
    graph.sum_duplicates()
    wrong = ~((graph.data >= 0) & (graph.data <= _LARGEST))  # true for NaN
    if wrong.any():
        raise GlocalkError(
            f"The {title} has the weight {graph.data[np.argmax(wrong)]:g}: weights must be between "
            f"0 and {_LARGEST:.0e}."
        )
    graph.eliminate_zeros()
    return graph


def from_edges(
    sources: Indices, targets: Indices, size: int, weights: NDArray[Any] | None = None
) -> Graph:
    """The undirected graph with these edges; of an edge given twice, the larger weight counts.

    Args:
        sources: [e] index of one end of each edge.
        targets: [e] index of the other end.
        size: number of nodes.
        weights: [e] weights; None takes 1.
    """
    values = np.ones(len(sources)) if weights is None else np.asarray(weights, np.float64)
    ends = np.concatenate([[sources, targets], [targets, sources]], axis=1)
    order = np.lexsort((np.tile(values, 2), ends[1], ends[0]))  # the largest of equal ones last
    rows, columns = ends[:, order]
    last = np.append((np.diff(rows) != 0) | (np.diff(columns) != 0), True)[: len(rows)]
    kept = np.tile(values, 2)[order][last]
    return as_graph(sparse.coo_array((kept, (rows[last], columns[last])), (size, size)), "graph")


def from_edge_table(kind: Kind, edges: pd.DataFrame, ids: Ids) -> Graph:
    """The undirected graph of a table of edges.

    Args:
        kind: `user` or `item`.
        edges: the ids of both ends in the first two columns, and weights if there is a third.
        ids: the ids of the ratings. Edges of others are left out.

    Raises:
        GlocalkError: there are not two columns, a weight is not a positive number up to 1e18, or
            no edge is between ids of the ratings.
    """
    if edges.shape[1] < 2:
        raise GlocalkError(f"An edge needs the ids of both {kind}s that it connects.")
    find, size = ids.find_users, len(ids.users)
    if kind == "item":
        find, size = ids.find_items, len(ids.items)
    sources, targets = (find(edges.iloc[:, end].to_numpy()) for end in (0, 1))
    weights = np.ones(len(edges))
    if edges.shape[1] > 2:
        weights = pd.to_numeric(edges.iloc[:, 2], errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~((weights > 0) & (weights <= _LARGEST))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise GlocalkError(
            f"The weight '{shown(edges.iloc[row, 2])}' in row {row + 1} of the edges of {kind}s is "
            f"not a positive number up to {_LARGEST:.0e}: fix it, or remove the third column."
        )
    known = (sources >= 0) & (targets >= 0)
    if not known.any():
        raise GlocalkError(f"No edge connects two {kind}s of the ratings: check the ids.")
    return from_edges(sources[known], targets[known], size, weights[known])


def symmetric(graph: Graph) -> Graph:
    """The undirected graph: an edge has the larger weight of its two directions."""
    return as_graph(graph.maximum(graph.T), "graph")


def nearest_neighbors(features: NDArray[Any], count: int, rng: np.random.Generator) -> Graph:
    """The directed graph from each node to those with the nearest features, without itself.

    Distances are Euclidean. Which of equally distant nodes at the cut are neighbors is random.

    Args:
        features: [n, f] features of each node.
        count: number of neighbors of each node, less than n.
        rng: decides between equal distances.

    Returns:
        [n, n] with `count` ones in each row.

    Raises:
        GlocalkError: there are too few nodes.
    """
    # Every command on data imports this module, and this would be a third of its start.
    from scipy.spatial.distance import cdist

    size = len(features)
    if not 0 < count < size:
        raise GlocalkError(f"{size} nodes cannot have {count} neighbors each.")
    nearest = np.empty((size, count), dtype=np.int64)
    for start in range(0, size, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, size))
        distances = cdist(features[rows], features, "sqeuclidean")
        distances[np.arange(len(rows)), rows] = np.inf
        ties = rng.random(distances.shape)
        nearest[rows] = np.lexsort((ties, distances), axis=1)[:, :count]
    starts = np.arange(size) * count
    ones = np.ones(size * count)
    return as_graph(
        sparse.csr_array((ones, nearest.ravel(), np.append(starts, size * count)), (size, size)),
        "graph",
    )


def graph_checksum(graph: Graph) -> str:
    """SHA-256 over the edges of a graph that `as_graph` returned."""
    digest = hashlib.sha256(str(graph.shape[0]).encode())
    for array, form in ((graph.indptr, "<i8"), (graph.indices, "<i8"), (graph.data, "<f8")):
        digest.update(np.ascontiguousarray(array, dtype=form).tobytes())
    return digest.hexdigest()
