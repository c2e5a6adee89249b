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

from glocalk.completers.factorization.draws import WORDS, gamma, normal_of, normals
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.sparse.compiled import Array, exact
from glocalk.stopping import safe_point

_INIT_STD = 0.1


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
    """

    def __init__(self, train: RatingMatrix, rank: int, seed: int) -> None:
        size, self._num_users, self.rank = sum(train.shape), train.num_users, rank
        self._users, self._items = train.users, train.items + train.num_users
        self._targets = train.ratings - float(train.ratings.mean())
        features = np.concatenate([self._users, self._items])
        # Ratings of each feature, in ascending order: those of users, then those of items.
        self._ratings = np.argsort(features, kind="stable") % len(train)
        self._bounds = np.concatenate([[0], np.cumsum(np.bincount(features, minlength=size))])
        twister = np.random.RandomState(seed).get_state(legacy=False)
        self._words, self._at = twister["state"]["key"].copy(), np.array([WORDS])
        drawn = np.empty(size * rank + size + 1)
        _initial(self._words, self._at, drawn, _INIT_STD)
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
        alpha, self.constant = _draw_constant(*random, self._errors, self.constant)
        _draw_biases(
            *random, *ratings, self._num_users, self._errors, alpha, self.biases, self._bias_means
        )
        lambdas = np.empty_like(self._vector_means)
        for of_column in range(2):  # all λ, then all μ
            for k, column in enumerate(self.vectors):
                _draw_prior(
                    *random, self._num_users, column, self._vector_means[k], lambdas[k], of_column
                )
        sums = np.empty(len(self._users))
        for k, column in enumerate(self.vectors):
            safe_point()
            np.add(column[self._users], column[self._items], out=sums)
            _draw_column(
                *random, *ratings, self._num_users, self._errors, sums, alpha,
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
def _initial(words: Array, at: Array, drawn: Array, std: float) -> None:
    for n in range(0, len(drawn), 2):
        first, second = normals(words, at)
        drawn[n] = first * std
        if n + 1 < len(drawn):
            drawn[n + 1] = second * std


@exact
def _draw_constant(words: Array, at: Array, errors: Array, constant: float) -> tuple[float, float]:
    """α and w₀; the errors change with w₀."""
    squares = _sum(errors, 0.0, True)
    alpha = gamma(words, at, (1.0 + len(errors)) / 2, 1 / ((1.0 + squares) / 2))
    linear = alpha * _sum(errors, constant, False)
    new = normal_of(words, at, alpha * len(errors) + 1.0, linear)
    for n in range(len(errors)):
        errors[n] += new - constant
    return alpha, new


@exact
def _sum(errors: Array, constant: float, square: bool) -> float:
    """Σ e², or Σ (constant − e), in four interleaved sums, as the library Eigen adds up."""
    sums = np.zeros(4)
    size = len(errors)
    paired, fours = size // 2 * 2, size // 4 * 4
    for n in range(fours):
        e = errors[n]
        sums[n % 4] += e * e if square else constant - e
    first, second = sums[0] + sums[2], sums[1] + sums[3]
    if paired > fours:
        e, f = errors[fours], errors[fours + 1]
        first += e * e if square else constant - e
        second += f * f if square else constant - f
    total: float = first + second
    if size > paired:
        e = errors[paired]
        total += e * e if square else constant - e
    return total


@exact
def _draw_prior(
    words: Array, at: Array, num_users: int, weights: Array, means: Array, lambdas: Array,
    of_means: int,
) -> None:  # fmt: skip
    """λ [users, items] of the weights, or their μ given λ."""
    for group in range(2):
        members = weights[:num_users] if group == 0 else weights[num_users:]
        if of_means:
            linear = 0.0
            for w in members:
                linear += w
            precision = lambdas[group] * (1.0 + len(members))
            means[group] = normal_of(words, at, precision, linear * lambdas[group])
        else:
            beta = 1.0
            for w in members:
                beta += (w - means[group]) * (w - means[group])
            lambdas[group] = gamma(words, at, (1.0 + len(members)) / 2, 2 / beta)


@exact
def _draw_biases(
    words: Array, at: Array, ratings: Array, bounds: Array, num_users: int, errors: Array,
    alpha: float, biases: Array, means: Array,
) -> None:  # fmt: skip
    lambdas = np.empty(2)
    _draw_prior(words, at, num_users, biases, means, lambdas, 0)
    _draw_prior(words, at, num_users, biases, means, lambdas, 1)
    for f in range(len(biases)):
        group = 0 if f < num_users else 1
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
    words: Array, at: Array, ratings: Array, bounds: Array, num_users: int, errors: Array,
    sums: Array, alpha: float, column: Array, means: Array, lambdas: Array,
) -> None:  # fmt: skip
    for f in range(len(column)):
        group = 0 if f < num_users else 1
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
