"""Alternating conjugate gradients on squared errors with a quadratic penalty of each side.

Rao, Yu, Ravikumar, Dhillon, NIPS 2015 (GRALS). With the factors of one side fixed, those of the
other minimize a quadratic function whose rows the penalty couples. Its Hessian is never formed: a
product with it takes time in proportion to the number of ratings and of edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from glocalk.completers.graph_factors.factors import Factors, ScaledRatings
from glocalk.completers.resumable import refuse_divergence
from glocalk.data.rating_matrix import Values
from glocalk.data.side.graphs import Graph
from glocalk.stopping import safe_point
from glocalk.training.loop import LoopState

_DECREASE = 0.1  # of the gradient, at which a turn ends


def descend(ratings: Any, own: Values, other: Values, penalty: Graph, steps: int) -> Values:
    """Some steps of conjugate gradients on ½ Σ (r − xᵢᵀyⱼ)² + ½ tr(Xᵀ P X) in X.

    They end before if the gradient is a tenth of what it was.

    Args:
        ratings: [n, m] observed ratings, in compressed rows.
        own: [n, D] X to begin with.
        other: [m, D] Y.
        penalty: [n, n] P, symmetric and positive definite.
        steps: their most.

    Returns:
        [n, D] X after the steps.
    """
    rows = np.repeat(np.arange(ratings.shape[0]), np.diff(ratings.indptr))
    columns = ratings.indices

    def product(direction: Values) -> Values:
        fitted = np.einsum("nd,nd->n", direction[rows], other[columns])
        weighted = sparse.csr_array((fitted, columns, ratings.indptr), shape=ratings.shape)
        result: Values = weighted @ other + penalty @ direction
        return result

    residual = ratings @ other - product(own)  # the negative gradient
    direction, size = residual.copy(), float((residual**2).sum())
    limit = _DECREASE**2 * size
    made = own.copy()
    for _ in range(steps):
        if size <= limit or size == 0:
            break
        curved = product(direction)
        length = size / float((direction * curved).sum())
        made += length * direction
        residual -= length * curved
        before, size = size, float((residual**2).sum())
        direction = residual + size / before * direction
    return made


class Alternating:
    """Turns of both sides, one after the other, on `factors`.

    Args:
        ratings: the training ratings.
        penalties: P of users [users, users] and of items [items, items].
        rank: number of factors.
        steps: most steps of conjugate gradients in a turn.
        generator: source of the initial factors, uniform numbers in [0, 1).
    """

    def __init__(
        self,
        ratings: ScaledRatings,
        penalties: tuple[Graph, Graph],
        rank: int,
        steps: int,
        generator: np.random.Generator,
    ) -> None:
        self._by_user, self._by_item = ratings.matrix, ratings.matrix.T.tocsr()
        self._penalties, self._steps = penalties, steps
        users, items = (generator.random((size, rank)) for size in ratings.matrix.shape)
        self.factors = Factors(
            ratings.origin, ratings.highest, ratings.mean, users, items, *ratings.rated
        )

    def run_epoch(self) -> float:
        """A turn of the users and one of the items; returns what they minimize."""
        factors, (of_users, of_items) = self.factors, self._penalties
        safe_point()
        factors.users = descend(self._by_user, factors.users, factors.items, of_users, self._steps)
        safe_point()
        factors.items = descend(self._by_item, factors.items, factors.users, of_items, self._steps)
        entries = self._by_user.tocoo()
        rows, columns = entries.coords
        errors = entries.data - np.einsum("nd,nd->n", factors.users[rows], factors.items[columns])
        penalty = sum(
            float((own * (matrix @ own)).sum())
            for own, matrix in ((factors.users, of_users), (factors.items, of_items))
        )
        loss = 0.5 * (float(errors @ errors) + penalty)
        refuse_divergence(loss, "model.regularization")
        return loss

    def state(self) -> LoopState:
        return {"users": self.factors.users, "items": self.factors.items}

    def restore(self, state: LoopState) -> None:
        self.factors.users, self.factors.items = state["users"], state["items"]
