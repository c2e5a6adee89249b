import numpy as np
import pytest
import torch

from glocalk.sparse import csr
from glocalk.sparse.csr import CSR


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [1, 32, 75])
def test_matmul_is_the_dense_product_for_rows_of_any_length(dtype, width):
    rng = np.random.default_rng(0)
    dense_matrix = rng.normal(size=(10, 12)).astype(dtype)
    dense_matrix[np.arange(12) >= np.arange(10)[:, None]] = 0  # row i has i entries
    rows, columns = dense_matrix.nonzero()
    matrix = CSR.from_triples(rows, columns, dense_matrix[rows, columns], (10, 12))
    dense = rng.normal(size=(12, width)).astype(dtype)
    product = csr.matmul(matrix, dense)
    assert product.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(product, dense_matrix @ dense, rtol=tolerance, atol=tolerance)


def test_matmul_of_a_matrix_without_columns_is_zero():
    matrix = CSR.from_triples(*(np.empty(0, int) for _ in range(2)), np.empty(0), (3, 0))
    np.testing.assert_array_equal(csr.matmul(matrix, np.empty((0, 2))), np.zeros((3, 2)))


def test_matmul_adds_the_entries_of_a_row_in_their_order():
    # In float32, 2²⁴ + 1 is rounded to 2²⁴: the first 1 is lost, the last is not.
    values = np.array([2**24, 1, -(2**24), 0, 0, 0, 1], np.float32)
    columns = np.arange(7)
    matrix = CSR.from_triples(np.zeros(7, int), columns, values, (1, 7))
    np.testing.assert_array_equal(
        csr.matmul(matrix, np.ones((7, 40), np.float32)), np.ones((1, 40), np.float32)
    )


def test_matmul_gives_the_same_bits_with_any_number_of_threads():
    rng = np.random.default_rng(1)
    rows, columns = (rng.random((50, 60)) < 0.3).nonzero()
    values = rng.normal(size=len(rows)).astype(np.float32)
    matrix = CSR.from_triples(rows, columns, values, (50, 60))
    dense = rng.normal(size=(60, 33)).astype(np.float32)
    before = torch.get_num_threads()
    try:
        products = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            products.append(csr.matmul(matrix, dense))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*products)
