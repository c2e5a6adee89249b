"""Anchors of local models, and the kernels around them."""

from __future__ import annotations

import numpy as np

from glocalk.data.rating_matrix import Indices, RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.sparse.compiled import Array


def draw_anchors(
    train: RatingMatrix, count: int, generator: np.random.Generator
) -> tuple[Indices, Indices]:
    """Draw users uniformly and one of each user's rated items: [count] each.

    Users without ratings are not drawn; a pair may be drawn more than once.
    """
    counts = np.bincount(train.users, minlength=train.num_users)
    users = generator.choice(np.flatnonzero(counts), count)
    starts = np.cumsum(counts) - counts  # ratings are in ascending order of users
    chosen = starts[users] + generator.integers(counts[users])
    return users, train.items[chosen]


def arc_distances(vectors: Array, anchors: Indices) -> Array:
    """2/π arccos of the cosine between each vector and each anchor's: [n, rank] → [n, anchors].

    Distances are from 0 to 2; a vector of length 0 is at a right angle to all others.

    Raises:
        GlocalkError: a vector is too long for float64, because the training has diverged.
    """
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise GlocalkError(
            "The factors of the base stage have overflowed: the gradient descent has diverged, so "
            "lower model.base.learning_rate."
        )
    directions = vectors / np.where(lengths > 0, lengths, 1)
    cosines = np.clip(directions @ directions[anchors].T, -1, 1)
    return 2 / np.pi * np.arccos(cosines)


def epanechnikov(distances: Array, width: float) -> Array:
    """¾ max(0, 1 − (d/h)²) of each distance d [rows, anchors], with h the width."""
    kernel: Array = 0.75 * np.maximum(0, 1 - np.square(distances / width))
    return kernel
