"""The compiled loops of local low-rank factorization over the observed ratings.

Steps of stochastic gradient descent change factors in place, one rating after another in the given
order, so that the result does not depend on the number of threads. The ratings are visited in
pieces, with a safe point to stop at between them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from glocalk.completers.blocks.rating_arrays import RatingArrays, pieces
from glocalk.sparse.compiled import Array, compile_, dot, parallel, summing, use_threads


class Kernels(NamedTuple):
    """Smoothing weights of each anchor t: K_t(u) [users, anchors], K_t(i) [items, anchors].

    The weight of a pair is K_t(u) K_t(i). No weight is negative.
    """

    users: Array
    items: Array


class Factors(NamedTuple):
    """Factors of each anchor's model: p [users, anchors, rank] and q [items, anchors, rank].

    A user's factors of all models are adjacent in memory, and so are an item's. Both arrays have
    the same floating-point type.
    """

    users: Array
    items: Array


class Step(NamedTuple):
    """Learning rate γ and regularization λ."""

    learning_rate: float
    regularization: float


def separate_steps(ratings: RatingArrays, kernels: Kernels, factors: Factors, step: Step) -> float:
    """For each rating, a step of every model by itself; models run on torch's number of threads.

    With e = r − p·q of model t, and w = K_t(u) K_t(i),

        p ← p + γ(w e q − λ p),   q ← q + γ(w e p − λ q).

    Returns:
        Σ_t Σ w e², where each error is taken before its step.
    """
    _, models, rank = factors.users.shape
    squares = np.zeros(models)
    use_threads()
    for part in pieces(len(ratings.ratings), models * rank):
        _separate_steps(*ratings.part(part), *kernels, *factors, *step, squares)
    return float(squares.sum())


def joint_steps(ratings: RatingArrays, kernels: Kernels, factors: Factors, step: Step) -> float:
    """For each rating, one step of all models together, whose weighted mean fits the rating.

    With e = r − Σ_t w_t p_t·q_t and w_t = K_t(u) K_t(i) / Σ_s K_s(u) K_s(i),

        p_t ← p_t + γ(w_t e q_t − λ p_t),   q_t ← q_t + γ(w_t e p_t − λ q_t).

    Every step depends on the one before, so this runs on one thread. Ratings that no anchor covers
    are skipped.

    Returns:
        Σ e² over the covered ratings, where each error is taken before its step.
    """
    _, models, rank = factors.users.shape
    total = 0.0
    for part in pieces(len(ratings.ratings), models * rank):
        total = _joint_steps(*ratings.part(part), *kernels, *factors, *step, total)
    return float(total)


def weighted_means(
    users: Array, items: Array, kernels: Kernels, factors: Factors, fallback: Factors
) -> Array:
    """Σ_t w_t p_t·q_t of each pair, with w_t as in `joint_steps`.

    Args:
        users: [pairs] user indices.
        items: [pairs] item indices.
        kernels: weights of T anchors, T ≥ 0.
        factors: factors of their T models.
        fallback: factors of one model, which predicts the pairs that no anchor covers.

    Returns:
        [pairs] predictions in float64.
    """
    means = np.empty(len(users))
    use_threads()
    _weighted_means(users, items, *kernels, *factors, *fallback, means)
    return means


@parallel
def _separate_steps(
    users: Array, items: Array, ratings: Array, user_weights: Array, item_weights: Array,
    user_factors: Array, item_factors: Array, learning_rate: float, regularization: float,
    squares: Array,
) -> None:  # fmt: skip
    for t in prange(len(squares)):
        # One model's factors fit into the second-level cache if they are contiguous.
        p, q = user_factors[:, t].copy(), item_factors[:, t].copy()
        u, i = user_weights[:, t].copy(), item_weights[:, t].copy()
        squares[t] = _steps(
            users, items, ratings, u, i, p, q, learning_rate, regularization, squares[t]
        )
        user_factors[:, t] = p
        item_factors[:, t] = q


@compile_
def _steps(
    users: Array, items: Array, ratings: Array, user_weights: Array, item_weights: Array,
    user_factors: Array, item_factors: Array, learning_rate: float, regularization: float,
    total: float,
) -> float:  # fmt: skip
    real = user_factors.dtype.type
    keep = real(1 - learning_rate * regularization)
    for k in range(len(ratings)):
        user, item = users[k], items[k]
        p, q = user_factors[user], item_factors[item]
        weight = user_weights[user] * item_weights[item]
        error = ratings[k] - dot(p, q)
        total += weight * error * error
        _move(p, q, real(learning_rate * weight * error), keep)
    return total


@compile_
def _joint_steps(
    users: Array, items: Array, ratings: Array, user_weights: Array, item_weights: Array,
    user_factors: Array, item_factors: Array, learning_rate: float, regularization: float,
    total: float,
) -> float:  # fmt: skip
    real = user_factors.dtype.type
    keep = real(1 - learning_rate * regularization)
    weights = np.empty(user_weights.shape[1])
    for k in range(len(ratings)):
        user, item = users[k], items[k]
        covered = _products(user_weights[user], item_weights[item], weights)
        if covered > 0:
            p, q = user_factors[user], item_factors[item]
            error = ratings[k] - _weighted_sum(weights, p, q) / covered
            total += error * error
            for t in range(len(weights)):
                _move(p[t], q[t], real(learning_rate * error * weights[t] / covered), keep)
    return total


@compile_
def _move(p: Array, q: Array, rate: float, keep: float) -> None:
    for f in range(len(p)):
        before = p[f]
        p[f] = keep * before + rate * q[f]
        q[f] = keep * q[f] + rate * before


@compile_
def _products(left: Array, right: Array, products: Array) -> float:
    """Write left · right, element by element, into `products`, and return their sum."""
    total = 0.0
    for t in range(len(left)):
        products[t] = left[t] * right[t]
        total += products[t]
    return total


@summing
def _weighted_sum(weights: Array, p: Array, q: Array) -> float:
    """Σ_t w_t p_t·q_t."""
    total = 0.0
    for t in range(len(weights)):
        total += weights[t] * dot(p[t], q[t])
    return total


@parallel
def _weighted_means(
    users: Array, items: Array, user_weights: Array, item_weights: Array, user_factors: Array,
    item_factors: Array, fallback_users: Array, fallback_items: Array, means: Array,
) -> None:  # fmt: skip
    for n in prange(len(users)):
        user, item = users[n], items[n]
        weights = np.empty(user_weights.shape[1])
        covered = _products(user_weights[user], item_weights[item], weights)
        if covered > 0:
            total = _weighted_sum(weights, user_factors[user], item_factors[item])
            means[n] = total / covered
        else:
            means[n] = dot(fallback_users[user, 0], fallback_items[item, 0])
