"""Kernelized probabilistic matrix factorization (KPMF) by stochastic gradient descent.

Zhou, Shan, Banerjee, Sapiro, SDM 2012. The equations are in `graem`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import laplacian

from glocalk.completers.blocks.singular import leading_singular
from glocalk.completers.graph_factors.config import GRAEMConfig
from glocalk.completers.graph_factors.factors import Factors, ScaledRatings
from glocalk.completers.resumable import refuse_divergence
from glocalk.data.rating_matrix import Indices, Values
from glocalk.data.side.graphs import Graph
from glocalk.sparse.csr import CSR
from glocalk.stopping import safe_point
from glocalk.training.loop import LoopState

_PRECISION = 1e-9  # of the singular vectors


def inverse_kernel(graph: Graph, weight: float) -> Graph:
    """[n, n] K⁻¹ = I + γ L, with the Laplacian L of the graph's edges."""
    edges: Any = laplacian((graph != 0).astype(np.float64))
    identity: Any = sparse.eye_array(graph.shape[0])
    return sparse.csr_array(identity + weight * edges)


class KPMF:
    """Stochastic gradient descent with momentum on `factors`.

    Args:
        ratings: the training ratings.
        user_kernel: [users, users] K⁻¹ of users.
        item_kernel: [items, items] K⁻¹ of items.
        config: the options.
        generator: source of the order of the ratings.
    """

    def __init__(
        self,
        ratings: ScaledRatings,
        user_kernel: Graph,
        item_kernel: Graph,
        config: GRAEMConfig,
        generator: np.random.Generator,
    ) -> None:
        self._config, self._generator, self._shape = config, generator, ratings.matrix.shape
        entries = ratings.matrix.tocoo()
        self._rows, self._columns = (index.astype(np.int64) for index in entries.coords)
        self._values = entries.data
        self._kernels = user_kernel, item_kernel
        self._counts = [
            np.maximum(np.bincount(index, minlength=size), 1)
            for index, size in zip((self._rows, self._columns), self._shape, strict=True)
        ]
        users, items = initial_values(ratings, config.rank)
        self.factors = Factors(
            ratings.origin, ratings.highest, ratings.mean, users, items, *ratings.rated
        )
        self._steps = np.zeros_like(users), np.zeros_like(items)

    def run_epoch(self) -> float:
        """Make the updates of an epoch; returns Σ e², with each error taken before its update."""
        loss = 0.0
        order = self._generator.permutation(len(self._values))
        size = round(len(order) / self._config.batches)
        bounds = [size * batch for batch in range(self._config.batches)] + [len(order)]
        for start, end in itertools.pairwise(bounds):
            if start < end:
                safe_point()
                loss += self._update(order[start:end])
        refuse_divergence(loss, "model.learning_rate")
        return loss

    def _update(self, batch: Indices) -> float:
        """One update; returns Σ e² of the batch."""
        config, factors = self._config, self.factors
        rows, columns = self._rows[batch], self._columns[batch]
        users, items = factors.users, factors.items
        errors = self._values[batch] - np.einsum("nd,nd->n", users[rows], items[columns])
        scaled = sparse.csr_array((-2 / config.noise**2 * errors, (rows, columns)), self._shape)
        gradients = (
            scaled @ items + self._prior(0, users, rows),
            scaled.T @ users + self._prior(1, items, columns),
        )
        for own, step, gradient in zip((users, items), self._steps, gradients, strict=True):
            step *= config.momentum
            step += config.learning_rate * gradient
            own -= step
        return float(errors @ errors)

    def _prior(self, side: int, own: Values, batch: Indices) -> Values:
        """What the batch's ratings add to the gradient for the prior of one side."""
        kernel, counts = self._kernels[side], self._counts[side]
        share = np.bincount(batch, minlength=len(own)) / counts
        drawn: Values = share[:, None] * (kernel @ own + kernel.diagonal()[:, None] * own)
        return drawn

    def state(self) -> LoopState:
        return {
            "users": self.factors.users,
            "items": self.factors.items,
            "user_steps": self._steps[0],
            "item_steps": self._steps[1],
            "generator": self._generator.bit_generator.state,
        }

    def restore(self, state: LoopState) -> None:
        self.factors.users, self.factors.items = state["users"], state["items"]
        self._steps = state["user_steps"], state["item_steps"]
        self._generator.bit_generator.state = state["generator"]


def initial_values(ratings: ScaledRatings, rank: int) -> tuple[Values, Values]:
    """A √S and B √S of the singular value decomposition of the matrix with gaps at the mean.

    Where the matrix has fewer singular values than `rank`, the other factors are 0.
    """
    matrix = ratings.matrix
    entries = matrix.tocoo()
    rows, columns = entries.coords
    deviations = CSR.from_triples(rows, columns, entries.data - ratings.mean, matrix.shape)
    count = min(rank, *matrix.shape)
    left, values, right = leading_singular(
        deviations, count, _PRECISION, "change model.rank", ratings.mean
    )
    root = values.sqrt()
    made = []
    for vectors in (left, right):
        factors = np.zeros((len(vectors), rank))
        factors[:, :count] = (vectors * root).numpy()
        made.append(factors)
    return made[0], made[1]
