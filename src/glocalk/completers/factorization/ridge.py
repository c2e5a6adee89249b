"""Ridge regressions of rows on the factors of columns: half an epoch of ALS, and fold-in."""

from __future__ import annotations

import numpy as np
import torch

from glocalk.completers.factorization.loops import normal_equations
from glocalk.data.rating_matrix import Values
from glocalk.errors import GlocalkError
from glocalk.inference.newcomers import Newcomers
from glocalk.sparse.compiled import Array
from glocalk.sparse.csr import CSR
from glocalk.stopping import safe_point

_CHUNK = 1 << 23  # elements of the normal equations' matrices that are held at a time


def solve_rows(ratings: CSR, targets: Array, design: Array, penalties: Array) -> Array:
    """For each row, the x [width] that minimizes Σ_c (target_c − x·z_c)² + Σ_k penalty_k x_k².

        (Σ_c z_c z_cᵀ + diag(penalty)) x = Σ_c target_c z_c

    Args:
        ratings: whose entries the targets are of, [rows, columns].
        targets: [entries].
        design: [columns, width] z.
        penalties: [rows, width].

    Returns:
        [rows, width].

    Raises:
        GlocalkError: a system is not positive definite in float64.
    """
    rows, width = penalties.shape
    solved = np.empty((rows, width))
    if not solved.size:
        return solved
    step = max(_CHUNK // width**2, 1)
    for first in range(0, rows, step):
        safe_point()
        part = slice(first, min(first + step, rows))
        gram, moments = normal_equations(ratings, part, targets, design)
        gram[:, range(width), range(width)] += penalties[part]
        solved[part] = _solve_positive(gram, moments)
    return solved


def fold_in_biased(
    newcomers: Newcomers,
    offsets: Values,
    vectors: Values,
    biases: Values,
    penalty: Values,
    weighted: bool,
) -> tuple[Values, Values]:
    """Factors [newcomers, rank] and biases [newcomers], with those of the other side fixed.

    They minimize, over the n ratings of the newcomer,

        Σ_c (r − offset − b_c − b − p·q_c)² + n Σ_k penalty_k (p, b)_k²

    Args:
        newcomers: the users or items with their ratings.
        offsets: [n] what is subtracted from each rating beside b_c.
        vectors: [columns, rank] q.
        biases: [columns] b_c.
        penalty: [rank + 1], that of b last.
        weighted: whether the penalty counts n times, as above, and not once.
    """
    shape = len(newcomers), len(vectors)
    rest = newcomers.ratings - offsets - biases[newcomers.columns]
    targets = CSR.from_triples(newcomers.rows, newcomers.columns, rest, shape)
    counts = (targets.stops - targets.starts).astype(np.float64)
    weights = counts if weighted else np.ones(len(counts))
    design = np.column_stack([vectors, np.ones(len(vectors))])
    solved = solve_rows(targets, targets.values, design, weights[:, None] * penalty)
    return solved[:, :-1], solved[:, -1]


def _solve_positive(gram: Array, moments: Array) -> Array:
    """Solutions [rows, width] of positive definite systems given by their lower triangles."""
    lower, failed = torch.linalg.cholesky_ex(torch.from_numpy(gram))
    if failed.any():
        raise GlocalkError(
            "The least squares of a user or an item have no solution in float64: raise "
            "model.regularization and model.bias_regularization."
        )
    right = torch.from_numpy(moments).unsqueeze(-1)
    solved: Array = torch.cholesky_solve(right, lower).squeeze(-1).numpy()
    return solved
