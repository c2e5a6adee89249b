"""How ratings follow from scores: with normal errors, or as the levels between cut points.

Ordered probit: a rating is the level k whose cut points have the latent score between them,

    z ~ Normal(s, 1),   γ_{k−1} < z ≤ γ_k,   P(k) = Φ(γ_k − s) − Φ(γ_{k−1} − s)

with γ_{−1} = −∞ and, for the last level, ∞. In terms of τ, with γ₀ = τ₀, γ_k = γ_{k−1} + exp(τ_k)
and τ_k ~ Normal(0, 1), the cut points ascend. They are drawn with z integrated out, by a step of
Metropolis and Hastings: proposed is a draw from the multivariate t-distribution (5 degrees of
freedom) around the mode of τ given the scores, with the curvature there. All z are drawn after it.
This is the scheme of the library `tohtsky/myFM`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtri

from glocalk.completers.bayesian_fm.probit import draw_latent, log_likelihood
from glocalk.completers.blocks.sampling.conditionals import draw_precision
from glocalk.completers.blocks.sampling.draws import gamma, normals, uniform
from glocalk.data.rating_matrix import Values
from glocalk.sparse.compiled import Array
from glocalk.stopping import safe_point

_DEGREES = 5.0  # of freedom
_MOST_STEPS = 50
_LONGEST_STEP = 2.0
_CLOSE = 1e-8  # twice the log posterior that may be missing at the mode
_ROUNDING = 1e-6  # of the log posterior, a sum over all ratings


class Normal:
    """r ~ Normal(mean of the training ratings + s, α⁻¹).

    Args:
        ratings: [n] training ratings.
    """

    def __init__(self, ratings: Values) -> None:
        self.cut_points = np.empty(0)
        self._targets = ratings - ratings.mean()

    def precision(self, words: Array, at: Array, errors: Values) -> float:
        return draw_precision(words, at, errors)

    def start(self, scores: Values) -> None:
        """Do nothing: there is nothing but α."""

    def draw(self, words: Array, at: Array, scores: Values) -> Values:
        del words, at
        errors: Values = scores - self._targets
        return errors

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Any) -> None:
        """Do nothing: there is nothing but α."""


class OrderedProbit:
    """Levels between cut points; α is 1.

    Args:
        labels: [n] level of each training rating, 0 … levels − 1, each of which occurs.

    Attributes:
        cut_points: [levels − 1] γ.
    """

    def __init__(self, labels: Array) -> None:
        self._labels = labels.astype(np.int64)
        shares = np.cumsum(np.bincount(labels))[:-1] / len(labels)
        self._steps = _steps_of(ndtri(shares))
        self.cut_points = _cut_points(self._steps)

    def precision(self, words: Array, at: Array, errors: Values) -> float:
        del words, at, errors
        return 1.0

    def start(self, scores: Values) -> None:
        """Move the cut points, which are at the shares of the levels, to their mode."""
        if len(self._steps):
            self._move(self._mode(scores)[0])

    def draw(self, words: Array, at: Array, scores: Values) -> Values:
        if len(self._steps):
            self._draw_steps(words, at, scores)
        errors = np.empty_like(scores)
        safe_point()
        draw_latent(words, at, scores, self._labels, self.cut_points, errors)
        return errors

    def state(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def restore(self, state: Any) -> None:
        self._move(state["steps"])

    def _move(self, steps: Values) -> None:
        self._steps, self.cut_points = steps, _cut_points(steps)

    def _draw_steps(self, words: Array, at: Array, scores: Values) -> None:
        mode, curvature, now = self._mode(scores)
        size = len(mode)
        drawn = np.array([normals(words, at)[0] for _ in range(size)])
        drawn /= math.sqrt(gamma(words, at, _DEGREES / 2, 1.0) * 2 / _DEGREES)
        proposed = mode + np.linalg.solve(np.linalg.cholesky(curvature).T, drawn)

        def log_density(steps: Values) -> float:
            square = float((steps - mode) @ curvature @ (steps - mode))
            return -(_DEGREES + size) / 2 * math.log1p(square / _DEGREES)

        ratio = self._log_posterior(proposed, scores)[0] - log_density(proposed)
        ratio -= now - log_density(self._steps)
        if math.log(uniform(words, at)) < ratio:  # false for NaN
            self._move(proposed)

    def _mode(self, scores: Values) -> tuple[Values, Values, float]:
        """The mode of τ, the negative Hessian there, and the log posterior at the present τ."""
        steps = self._steps
        found = self._log_posterior(steps, scores)
        now = found[0]
        for _ in range(_MOST_STEPS):
            value, gradient, hessian = found
            curvature = _made_positive(-hessian)
            direction = np.linalg.solve(curvature, gradient)
            if gradient @ direction < _CLOSE:
                break
            direction *= min(1.0, _LONGEST_STEP / np.abs(direction).max())
            found = self._log_posterior(steps + direction, scores)
            while not found[0] > value - _ROUNDING:
                direction /= 2
                found = self._log_posterior(steps + direction, scores)
            steps = steps + direction
        return steps, curvature, now

    def _log_posterior(self, steps: Values, scores: Values) -> tuple[float, Values, Values]:
        """Its value, gradient and Hessian by τ."""
        safe_point()
        size = len(steps)
        gradient, hessian = np.zeros(size), np.zeros((size, size))
        value = log_likelihood(scores, self._labels, _cut_points(steps), gradient, hessian)
        # dγ_m / dτ_j is 1 for j = 0, and exp(τ_j) for 1 ≤ j ≤ m.
        jacobian = np.triu(np.tile(np.exp(steps)[:, None], size))
        jacobian[0] = 1
        by_steps = jacobian @ gradient
        bend = by_steps.copy()
        bend[0] = 0  # d²γ / dτ₀² = 0
        return (
            value - 0.5 * float(steps @ steps),
            by_steps - steps,
            jacobian @ hessian @ jacobian.T + np.diag(bend - 1),
        )


def _cut_points(steps: Values) -> Values:
    return np.cumsum(np.concatenate([steps[:1], np.exp(steps[1:])]))


def _steps_of(cut_points: Values) -> Values:
    return np.concatenate([cut_points[:1], np.log(np.diff(cut_points))])


def _made_positive(matrix: Values) -> Values:
    """A symmetric matrix with a multiple of the identity added, if it is not positive definite."""
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    return matrix if lowest > 1e-6 else matrix + (1.0 - lowest) * np.eye(len(matrix))
