"""Largest singular values of a sparse matrix."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import svd
from scipy.sparse import csr_array
from scipy.sparse.linalg import ArpackError, LinearOperator, svds
from torch import Tensor

from glocalk.data.rating_matrix import Values
from glocalk.errors import GlocalkError
from glocalk.sparse.csr import CSR
from glocalk.stopping import safe_point

_MOST_DENSE = 10**8  # cells of a matrix that is decomposed densely where ARPACK fails; 800 MB


def leading_singular(
    matrix: CSR, count: int, precision: float, remedy: str, level: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """The largest singular values and their vectors.

    Args:
        matrix: the matrix.
        count: number of singular values, at most the smaller side of the matrix.
        precision: relative precision at which the iteration may stop.
        remedy: what to change where they are not found, for the error message.
        level: a number that is added to every cell, without the whole matrix.

    Returns:
        Left vectors [rows, count], singular values [count] in descending order, right vectors
        [columns, count].

    Raises:
        GlocalkError: ARPACK does not find them, and the matrix is too large for a dense
            decomposition.
    """
    starts = np.append(matrix.starts, len(matrix.values))
    sparse = csr_array((matrix.values, matrix.columns, starts), shape=matrix.shape)
    dense = 2 * count >= min(matrix.shape)  # it is at most twice as large as the vectors
    if not dense:
        # A start vector that does not depend on the numbering of users and items; a constant one
        # would be orthogonal to deviations whose rows sum to 0.
        short = min((0, 1), key=lambda axis: matrix.shape[axis])
        counts = np.bincount(sparse.nonzero()[short], minlength=matrix.shape[short])
        try:
            left, values, right = svds(
                _stoppable(sparse, level), k=count, v0=counts + 1.0, tol=precision
            )
            left, values, right = left[:, ::-1], values[::-1], right[::-1]
        except ArpackError as error:
            # The matrix takes the start vector to 0, or its singular values are too close together.
            if matrix.shape[0] * matrix.shape[1] > _MOST_DENSE:
                raise GlocalkError(
                    f"The largest singular values cannot be computed ({error}): {remedy}."
                ) from error
            dense = True
    if dense:
        left, values, right = dense_singular(sparse.toarray() + level)
    return (
        torch.tensor(left[:, :count].copy()),
        torch.tensor(values[:count].copy()),
        torch.tensor(right[:count].T.copy()),
    )


def dense_singular(matrix: Values) -> tuple[Values, Values, Values]:
    """All singular values of a matrix in descending order, between left and right vectors (rows).

    LAPACK's fast driver, numpy's only one, fails for a few finite matrices of low rank.
    """
    try:
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:
        left, values, right = svd(matrix, full_matrices=False, lapack_driver="gesvd")
    return left, values, right


def _stoppable(matrix: csr_array, level: float) -> LinearOperator:
    """The matrix plus `level` in every cell, with products that are safe points to stop at."""
    transposed = matrix.T

    def multiply(dense: Values) -> Values:
        safe_point()
        product: Values = matrix @ dense + level * dense.sum(axis=0)
        return product

    def multiply_transposed(dense: Values) -> Values:
        product: Values = transposed @ dense + level * dense.sum(axis=0)
        return product

    return LinearOperator(
        matrix.shape,
        matvec=multiply,
        matmat=multiply,
        rmatvec=multiply_transposed,
        rmatmat=multiply_transposed,
        dtype=matrix.dtype,
    )
