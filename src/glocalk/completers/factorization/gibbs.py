"""Gibbs sampling of a Bayesian factorization machine of users and items, whose state can be saved.

The model is that of `bayesian_mf`; the order of the draws, the priors and the initial values are
those of the library `tohtsky/myFM`, and so are the samples: on x86-64 they have its bits. Its own
sampler keeps its random generator to itself, so that an interrupted chain could not be continued.

One sample draws, with E = predictions − ratings [n] of the training ratings, and for the F_g
features of each group g, users and items:

    α ~ Gamma((1 + n)/2, (1 + ‖E‖²)/2),   w₀ ~ Normal(·, (1 + α n)⁻¹)
    λ_g ~ Gamma((1 + F_g)/2, (1 + Σ (w − μ_g)²)/2)
    μ_g ~ Normal(Σ w / (1 + F_g), ((1 + F_g) λ_g)⁻¹)

then each w given all others, and likewise λ, μ and v for each of the columns of V.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from glocalk.completers.blocks.sampling.conditionals import (
    INIT_STD,
    draw_constant,
    draw_precision,
    draw_prior,
    initial,
)
from glocalk.completers.blocks.sampling.draws import normal_of, twister
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.sparse.compiled import Array, exact
from glocalk.stopping import safe_point


class GibbsSampler:
    """A chain of samples.

    Args:
        train: the ratings, from which their mean is subtracted.
        rank: number of columns of V.
        seed: seed of the chain, below 2³².

    Attributes:
        rank: number of columns of V.
        constant: w₀ of the last sample.
        biases: [users + items] w.
        vectors: [rank, users + items] Vᵀ.
        alpha: α of the last sample.
    """

    alpha: float

    def __init__(self, train: RatingMatrix, rank: int, seed: int) -> None:
        size, self.rank = sum(train.shape), rank
        self._groups = np.array([0, train.num_users, size])
        self._users, self._items = train.users, train.items + train.num_users
        self._targets = train.ratings - float(train.ratings.mean())
        features = np.concatenate([self._users, self._items])
        # Ratings of each feature, in ascending order: those of users, then those of items.
        self._ratings = np.argsort(features, kind="stable") % len(train)
        self._bounds = np.concatenate([[0], np.cumsum(np.bincount(features, minlength=size))])
        self._words, self._at = twister(seed)
        drawn = np.empty(size * rank + size + 1)
        initial(self._words, self._at, drawn, INIT_STD)
        self.vectors = drawn[: size * rank].reshape(rank, size).copy()
        self.biases = drawn[size * rank : -1].copy()
        self.constant = float(drawn[-1])
        self._bias_means, self._vector_means = np.zeros(2), np.zeros((rank, 2))
        self._errors = np.empty(len(train))
        self._compute_errors()

    def draw(self) -> None:
        """Draw the next sample."""
        random = self._words, self._at
        ratings = self._ratings, self._bounds
        alpha = draw_precision(*random, self._errors)
        self.alpha = alpha
        self.constant = draw_constant(*random, self._errors, self.constant, alpha)
        _draw_biases(
            *random, *ratings, self._groups, self._errors, alpha, self.biases, self._bias_means
        )
        lambdas = np.empty_like(self._vector_means)
        for of_column in range(2):  # all λ, then all μ
            for k, column in enumerate(self.vectors):
                draw_prior(
                    *random, self._groups, column, self._vector_means[k], lambdas[k], of_column
                )
        sums = np.empty(len(self._users))
        for k, column in enumerate(self.vectors):
            safe_point()
            np.add(column[self._users], column[self._items], out=sums)
            _draw_column(
                *random, *ratings, self._groups, self._errors, sums, alpha,
                column, self._vector_means[k], lambdas[k],
            )  # fmt: skip
        self._compute_errors()

    def state(self) -> dict[str, Any]:
        """What the next sample depends on."""
        return {
            "constant": self.constant,
            "biases": self.biases,
            "vectors": self.vectors,
            "bias_means": self._bias_means,
            "vector_means": self._vector_means,
            "words": self._words.astype(np.int64),
            "at": self._at,
        }

    def restore(self, state: Any) -> None:
        """Continue from what `state` returned."""
        self.constant, self.biases, self.vectors = (
            state["constant"], state["biases"], state["vectors"]
        )  # fmt: skip
        self._bias_means, self._vector_means = state["bias_means"], state["vector_means"]
        self._words, self._at = state["words"].astype(np.uint32), state["at"]
        self._compute_errors()

    def _compute_errors(self) -> None:
        _compute_errors(
            self._users, self._items, self._targets, self.constant, self.biases, self.vectors,
            self._errors,
        )  # fmt: skip


@exact
def _compute_errors(
    users: Array, items: Array, targets: Array, constant: float, biases: Array, vectors: Array,
    errors: Array,
) -> None:  # fmt: skip
    for n in range(len(users)):
        errors[n] = constant + (biases[users[n]] + biases[items[n]])
    for k in range(len(vectors)):
        column = vectors[k]
        for n in range(len(users)):
            p, q = column[users[n]], column[items[n]]
            errors[n] += (p + q) * (p + q) * 0.5
            errors[n] -= (p * p + q * q) * 0.5
    for n in range(len(users)):
        errors[n] -= targets[n]


@exact
def _draw_biases(
    words: Array, at: Array, ratings: Array, bounds: Array, groups: Array, errors: Array,
    alpha: float, biases: Array, means: Array,
) -> None:  # fmt: skip
    lambdas = np.empty(2)
    draw_prior(words, at, groups, biases, means, lambdas, 0)
    draw_prior(words, at, groups, biases, means, lambdas, 1)
    for f in range(len(biases)):
        group = 0 if f < groups[1] else 1
        old, first, last = biases[f], bounds[f], bounds[f + 1]
        linear = 0.0
        for n in range(first, last):
            errors[ratings[n]] -= old
            linear += -alpha * errors[ratings[n]]
        precision = lambdas[group] + alpha * (last - first)
        new = normal_of(words, at, precision, linear + lambdas[group] * means[group])
        for n in range(first, last):
            errors[ratings[n]] += new
        biases[f] = new


@exact
def _draw_column(
    words: Array, at: Array, ratings: Array, bounds: Array, groups: Array, errors: Array,
    sums: Array, alpha: float, column: Array, means: Array, lambdas: Array,
) -> None:  # fmt: skip
    for f in range(len(column)):
        group = 0 if f < groups[1] else 1
        old = column[f]
        precision, linear = 0.0, 0.0
        for n in range(bounds[f], bounds[f + 1]):
            other = sums[ratings[n]] - old
            precision += other * other
            linear += -errors[ratings[n]] * other
        linear += precision * old
        precision = precision * alpha + lambdas[group]
        linear = linear * alpha + lambdas[group] * means[group]
        new = normal_of(words, at, precision, linear)
        for n in range(bounds[f], bounds[f + 1]):
            other = sums[ratings[n]] - old
            sums[ratings[n]] += new - old
            errors[ratings[n]] += other * (new - old)
        column[f] = new
