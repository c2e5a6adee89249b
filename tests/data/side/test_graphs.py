import numpy as np
import pytest
from scipy import sparse

from glocalk.data.side.graphs import (
    as_graph,
    from_edges,
    graph_checksum,
    nearest_neighbors,
    symmetric,
)
from glocalk.errors import GlocalkError


def test_a_graph_is_copied_into_one_form():
    given = sparse.coo_array(([1.0, 2.0, 0.0, 1.0], ([0, 1, 2, 0], [1, 0, 2, 1])), (3, 3))
    made = as_graph(given, "graph")
    assert made.toarray().tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]  # duplicates are added
    assert made.nnz == 2
    full = as_graph(made.toarray(), "graph")
    assert graph_checksum(full) == graph_checksum(made)
    full.data[:] = 7
    assert made.data.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (np.zeros((2, 3)), "shape .2, 3., which is not square"),
        ([[0, -1], [0, 0]], "has the weight -1: weights must be between 0"),
        ([[0, np.nan], [0, 0]], "has the weight nan"),
        ([[0, 1], [1e19, 0]], "has the weight 1e.19"),
    ],
)
def test_what_is_not_a_graph_is_refused(matrix, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        as_graph(matrix, "user graph")


def test_edges_go_both_ways_and_the_larger_weight_counts():
    made = from_edges(np.array([0, 1, 2]), np.array([1, 0, 2]), 4, np.array([0.5, 3.0, 1.0]))
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = 3
    expected[2, 2] = 1
    np.testing.assert_array_equal(made.toarray(), expected)
    plain = from_edges(np.array([0]), np.array([1]), 2)
    assert plain.toarray().tolist() == [[0, 1], [1, 0]]
    assert from_edges(np.array([], int), np.array([], int), 2).nnz == 0


def test_neighbors_are_the_nearest_without_the_node_itself():
    points = np.array([[0.0], [1.0], [3.0], [10.0]])
    made = nearest_neighbors(points, 2, np.random.default_rng(0))
    assert made.toarray().tolist() == [
        *([0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 0]),
    ]
    both = symmetric(made).toarray()
    assert both.tolist() == np.maximum(made.toarray(), made.toarray().T).tolist()


def test_neighbors_agree_with_a_sort_of_all_distances():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(1100, 3))  # more than two blocks of rows
    made = nearest_neighbors(points, 5, rng)
    for row in (0, 511, 512, 1099):
        distances = ((points - points[row]) ** 2).sum(axis=1)
        distances[row] = np.inf
        assert set(made.indices[made.indptr[row] : made.indptr[row + 1]]) == set(
            np.argsort(distances)[:5]
        )


def test_ties_at_the_cut_are_decided_at_random():
    points = np.zeros((5, 1))  # all at one place
    counts = np.zeros(5)
    for seed in range(200):
        made = nearest_neighbors(points, 1, np.random.default_rng(seed))
        counts += made.toarray()[0]
    assert counts[0] == 0
    # Each of four others in a quarter of 200 draws: 50 ± 6.1, five standard deviations
    np.testing.assert_allclose(counts[1:], 50, atol=31)


@pytest.mark.parametrize("count", [0, 3])
def test_a_node_has_no_more_neighbors_than_there_are_others(count):
    with pytest.raises(GlocalkError, match="3 nodes cannot have"):
        nearest_neighbors(np.zeros((3, 1)), count, np.random.default_rng(0))
