"""The largest singular values, against NumPy's dense decomposition."""

import numpy as np
import pytest

from glocalk.completers.blocks import singular
from glocalk.completers.blocks.singular import dense_singular, leading_singular
from glocalk.errors import GlocalkError
from glocalk.sparse.csr import CSR

RNG = np.random.default_rng(0)
# Rows that sum to 0: a constant start vector is taken to 0, and all columns have equal counts.
CENTERED = RNG.normal(size=(30, 20))
CENTERED -= CENTERED.mean(axis=1, keepdims=True)
EQUAL = np.linalg.qr(RNG.normal(size=(30, 20)))[0]  # every singular value is 1


def sparse(dense):
    rows, columns = np.indices(dense.shape).reshape(2, -1)
    return CSR.from_triples(rows, columns, dense.ravel(), dense.shape)


@pytest.mark.parametrize(
    "dense",
    [
        RNG.normal(size=(30, 20)),
        CENTERED,
        CENTERED.T,
        EQUAL,
        np.zeros((30, 20)),
        1e-14 * CENTERED,
        np.outer(np.ones(30), np.ones(20)),
    ],
    ids=["random", "centered", "centered columns", "equal", "zero", "rounding", "rank one"],
)
@pytest.mark.parametrize("count", [1, 3, 15])
def test_the_largest_singular_values_are_those_of_the_dense_decomposition(dense, count):
    found = leading_singular(sparse(dense), count, 1e-9, "give up")
    left, values, right = (part.numpy() for part in found)
    expected = np.linalg.svd(dense, compute_uv=False)[:count]
    scale = max(expected[0], 1e-300)
    np.testing.assert_allclose(values / scale, expected / scale, atol=1e-7)
    np.testing.assert_allclose(dense @ right / scale, left * values / scale, atol=1e-6)


@pytest.mark.parametrize("count", [2, 15])  # by ARPACK, and densely
def test_a_level_is_added_to_every_cell(count):
    dense = RNG.normal(size=(30, 20)) * (RNG.random((30, 20)) < 0.2)
    found = leading_singular(sparse(dense), count, 1e-9, "give up", 0.7)
    left, values, right = (part.numpy() for part in found)
    u, s, v = np.linalg.svd(dense + 0.7)
    np.testing.assert_allclose(
        left * values @ right.T, u[:, :count] * s[:count] @ v[:count], atol=1e-7
    )


def test_a_large_matrix_that_arpack_fails_on_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(singular, "_MOST_DENSE", 100)
    with pytest.raises(GlocalkError, match=r"singular values cannot be .*ARPACK.*: give up\.$"):
        leading_singular(sparse(np.zeros((30, 20))), 3, 1e-3, "give up")


def test_the_slower_driver_takes_over_where_the_fast_one_fails(monkeypatch):
    def fail(*_, **__):
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(np.linalg, "svd", fail)
    # By hand: [[0, 3], [2, 0], [0, 0]] swaps the axes and stretches them by 3 and 2.
    matrix = np.array([[0.0, 3.0], [2.0, 0.0], [0.0, 0.0]])
    left, values, right = dense_singular(matrix)
    np.testing.assert_allclose(values, [3, 2])
    np.testing.assert_allclose((left * values) @ right, matrix, atol=1e-12)
    assert left.shape == (3, 2)
