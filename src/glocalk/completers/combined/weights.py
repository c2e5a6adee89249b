"""Weights of members, from their predictions of ratings that none of them was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from glocalk.data.rating_matrix import Values

# Penalties that are tried, relative to the number of ratings.
_PENALTIES = np.logspace(-6, 2, 33)


class Weights(NamedTuple):
    """A linear combination of members.

        r̂ = b + Σₖ wₖ pₖ

    Attributes:
        members: [members] wₖ.
        intercept: b.
    """

    members: Values
    intercept: float = 0.0

    def combine(self, predicted: Values) -> Values:
        """[n] the combination of `predicted` [n, members]."""
        combined: Values = predicted @ self.members + self.intercept
        return combined


def equal_weights(members: int) -> Weights:
    """The weights of the mean."""
    return Weights(np.full(members, 1 / members))


def mean_weights(of_seeds: Sequence[Weights]) -> Weights:
    """The weights of the mean of several combinations of the same members.

    Args:
        of_seeds: [seeds] weights of the members, whose trainings differ in their seeds.

    Returns:
        [members · seeds] weights of the trainings, those of a member side by side.
    """
    each = np.stack([weights.members for weights in of_seeds], axis=1)
    intercept = sum(weights.intercept for weights in of_seeds) / len(of_seeds)
    return Weights(each.ravel() / len(of_seeds), intercept)


def convex_weights(predicted: Values, ratings: Values) -> Weights:
    """Weights w ≥ 0, Σ w = 1, that minimize Σ (r − P w)².

    Because the weights sum to one, the errors are E w, where column k of E = P − r 1ᵀ has those of
    member k. Without that constraint, the minimum over v ≥ 0 of ‖E v‖²/n + (1 − Σ v)² lies at a
    multiple of w: for v = t w with mean square q = ‖E w‖²/n, it is q/(1 + q) at t = 1/(1 + q),
    which increases with q. It is found by non-negative least squares (Lawson and Hanson 1974).

    Args:
        predicted: [n, members] P.
        ratings: [n] r.

    Source: Breiman, "Stacked Regressions", Machine Learning 24, 1996, whose weights are
    non-negative.
    """
    errors = (predicted - ratings[:, None]) / np.sqrt(len(ratings))
    # The triangle has the products of the errors, in as many rows as there are members.
    triangle = np.linalg.qr(errors, mode="r")
    rows = np.vstack([triangle, np.ones(errors.shape[1])])
    found, _ = nnls(rows, np.append(np.zeros(len(triangle)), 1.0))
    return Weights(found / found.sum())


def ridge_weights(predicted: Values, ratings: Values) -> Weights:
    """Weights near those of the mean, with an intercept.

    They minimize Σ (r − b − P w)² + λ Σₖ (wₖ − 1/K)² over w and b. λ has the lowest error of
    leaving out one rating at a time: that of rating i is its error in the fit with all of them,
    divided by 1 − hᵢᵢ, where H is the matrix that makes fitted values of ratings.

    Args:
        predicted: [n, members] P.
        ratings: [n] r.

    Source: Hoerl and Kennard, Technometrics 12, 1970; Golub, Heath and Wahba, Technometrics 21,
    1979, equation 1.6 (Allen's PRESS).
    """
    count, members = predicted.shape
    start = equal_weights(members).members
    means, rest = predicted.mean(axis=0), ratings - predicted @ start
    left, sizes, right = np.linalg.svd(predicted - means, full_matrices=False)
    along = left.T @ (rest - rest.mean())  # [rank]
    lowest, weights = np.inf, start
    for penalty in _PENALTIES * count:
        shrunk = sizes**2 / (sizes**2 + penalty)
        errors = rest - rest.mean() - left @ (shrunk * along)
        influence = 1 / count + (left**2) @ shrunk  # [n] hᵢᵢ
        left_out = float(np.mean((errors / np.maximum(1 - influence, 1e-12)) ** 2))
        if left_out < lowest:
            lowest = left_out
            weights = start + right.T @ (sizes / (sizes**2 + penalty) * along)
    return Weights(weights, float(ratings.mean() - means @ weights))
