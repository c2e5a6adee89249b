"""The compiled loops of matrix factorization over the observed ratings.

Biases and factors are float64. Steps of stochastic gradient descent change them in place, one
rating after another on one thread, so that the order of the ratings determines the result. The
ratings are visited in pieces, with a safe point to stop at between them, in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numba import prange

from glocalk.completers.blocks.rating_arrays import RatingArrays, pieces
from glocalk.sparse.compiled import Array, compile_, dot, parallel, use_threads
from glocalk.sparse.csr import CSR


class Weights(NamedTuple):
    """The arrays that steps change.

    Attributes:
        user_biases: [users] bᵤ.
        item_biases: [items] bᵢ.
        user_factors: [users, rank] pᵤ.
        item_factors: [items, rank] qᵢ.
    """

    user_biases: Array
    item_biases: Array
    user_factors: Array
    item_factors: Array

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Self:
        """The arrays under their names, as in `_asdict()`."""
        return cls(*(arrays[name] for name in cls._fields))


class Step(NamedTuple):
    """Size and shrinkage of a step: learning rate γ, λ of the factors, λ_b of the biases."""

    learning_rate: float
    regularization: float
    bias_regularization: float


def normal_equations(
    ratings: CSR, rows: slice, targets: Array, design: Array
) -> tuple[Array, Array]:
    """Gram matrices and right-hand sides of the regression of each row's targets.

    Args:
        ratings: the pattern of the targets, [rows, columns].
        rows: the rows to regress.
        targets: [entries] a target for each entry of `ratings`.
        design: [columns, width] regressors z.

    Returns:
        Σ z zᵀ [rows, width, width], of which only the lower triangle is filled, and Σ target z
        [rows, width].
    """
    starts, stops = ratings.starts[rows], ratings.stops[rows]
    width = design.shape[1]
    gram, moments = np.zeros((len(starts), width, width)), np.zeros((len(starts), width))
    use_threads()
    _normal_equations(starts, stops, ratings.columns, targets, design, gram, moments)
    return gram, moments


def sgd_steps(
    ratings: RatingArrays, order: Array, mean: float, weights: Weights, step: Step
) -> float:
    """One SGD step of r̂ = μ + bᵤ + bᵢ + pᵤ·qᵢ for each rating in `order`.

        b ← b + γ(e − λ_b b),   pᵤ ← pᵤ + γ(e qᵢ − λ pᵤ),   qᵢ ← qᵢ + γ(e pᵤ − λ qᵢ)

    Args:
        ratings: all training ratings.
        order: positions of the ratings, in the order of the steps.
        mean: μ.
        weights: changed in place.
        step: γ, λ, λ_b.

    Returns:
        Σ e², where each error e = r − r̂ is taken before its step.
    """
    total = 0.0
    for part in pieces(len(order), weights.user_factors.shape[1]):
        total = _sgd_steps(*ratings, order[part], mean, *weights, *step, total)
    return float(total)


def svd_pp_steps(
    ratings: RatingArrays,
    bounds: Array,
    order: Array,
    mean: float,
    weights: Weights,
    implicit_factors: Array,
    step: Step,
) -> float:
    """One SGD step of r̂ = μ + bᵤ + bᵢ + qᵢ·(pᵤ + sᵤ) for each rating in `order`.

    With sᵤ = |N(u)|^−½ Σ_{j ∈ N(u)} yⱼ, where N(u) are the items that the user rated in training,

        b ← b + γ(e − λ_b b),   pᵤ ← pᵤ + γ(e qᵢ − λ pᵤ),   qᵢ ← qᵢ + γ(e (pᵤ + sᵤ) − λ qᵢ),
        yⱼ ← yⱼ + γ(e |N(u)|^−½ qᵢ − λ yⱼ)   for every j ∈ N(u).

    Computed literally, a rating costs |N(u)| vectors. But at each step all yⱼ of a user shrink by
    1 − γλ and move by the same vector, so sᵤ ← sᵤ + γ(e qᵢ − λ sᵤ) follows without them; and after
    n steps of one user, yⱼ is (1 − γλ)ⁿ times its old value plus a vector that sᵤ determines. The
    result is that of single updates, and a rating costs only as many operations as the rank.

    Args:
        ratings: all training ratings.
        bounds: [users + 1] position of each user's first rating, then the number of ratings.
        order: positions of the ratings, with those of each user adjacent.
        mean: μ.
        weights: changed in place.
        implicit_factors: [items, rank] y; changed in place.
        step: γ, λ, λ_b.

    Returns:
        Σ e², where each error e = r − r̂ is taken before its step.
    """
    total, at = 0.0, 0
    for part in pieces(len(order), weights.user_factors.shape[1]):
        # A piece goes on to the end of its last user, and the next begins there.
        total, at = _svd_pp_steps(
            *ratings, bounds, order, mean, *weights, implicit_factors, *step, total, at, part.stop
        )
    return float(total)


@parallel
def _normal_equations(
    starts: Array, stops: Array, columns: Array, targets: Array, design: Array, gram: Array,
    moments: Array,
) -> None:  # fmt: skip
    for row in prange(len(starts)):
        for k in range(starts[row], stops[row]):
            z, target = design[columns[k]], targets[k]
            for a in range(len(z)):
                moments[row, a] += target * z[a]
                for b in range(a + 1):
                    gram[row, a, b] += z[a] * z[b]


@compile_
def _sgd_steps(
    users: Array, items: Array, ratings: Array, order: Array, mean: float, user_biases: Array,
    item_biases: Array, user_factors: Array, item_factors: Array, learning_rate: float,
    regularization: float, bias_regularization: float, total: float,
) -> float:  # fmt: skip
    for k in order:
        user, item = users[k], items[k]
        p, q = user_factors[user], item_factors[item]
        error = ratings[k] - (mean + user_biases[user] + item_biases[item] + dot(p, q))
        total += error * error
        user_biases[user] += learning_rate * (error - bias_regularization * user_biases[user])
        item_biases[item] += learning_rate * (error - bias_regularization * item_biases[item])
        for f in range(len(p)):
            pf, qf = p[f], q[f]
            p[f] += learning_rate * (error * qf - regularization * pf)
            q[f] += learning_rate * (error * pf - regularization * qf)
    return total


@compile_
def _svd_pp_steps(
    users: Array, items: Array, ratings: Array, bounds: Array, order: Array, mean: float,
    user_biases: Array, item_biases: Array, user_factors: Array, item_factors: Array,
    implicit_factors: Array, learning_rate: float, regularization: float,
    bias_regularization: float, total: float, at: int, stop: int,
) -> tuple[float, int]:  # fmt: skip
    rank = item_factors.shape[1]
    before, s = np.empty(rank), np.empty(rank)
    keep = 1 - learning_rate * regularization
    while at < stop:
        user = users[order[at]]
        first, last = bounds[user], bounds[user + 1]
        norm = 1 / np.sqrt(last - first)
        before[:] = 0
        for n in range(first, last):
            before += implicit_factors[items[n]]
        before *= norm
        s[:] = before
        shrinkage = 1.0
        p = user_factors[user]
        while at < len(order) and users[order[at]] == user:
            item = items[order[at]]
            q = item_factors[item]
            predicted = mean + user_biases[user] + item_biases[item] + dot(p, q) + dot(s, q)
            error = ratings[order[at]] - predicted
            total += error * error
            user_biases[user] += learning_rate * (error - bias_regularization * user_biases[user])
            item_biases[item] += learning_rate * (error - bias_regularization * item_biases[item])
            for f in range(rank):
                pf, qf, sf = p[f], q[f], s[f]
                p[f] += learning_rate * (error * qf - regularization * pf)
                q[f] += learning_rate * (error * (pf + sf) - regularization * qf)
                s[f] += learning_rate * (error * qf - regularization * sf)
            shrinkage *= keep
            at += 1
        # Each yⱼ becomes shrinkage · yⱼ + shift, so s = shrinkage · before + √|N| · shift.
        for f in range(rank):
            s[f] = norm * (s[f] - shrinkage * before[f])
        for n in range(first, last):
            y = implicit_factors[items[n]]
            for f in range(rank):
                y[f] = shrinkage * y[f] + s[f]
    return total, at
