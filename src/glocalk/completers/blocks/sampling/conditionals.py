"""What the Gibbs samplers of factorization machines share, as in the library `tohtsky/myFM`.

With E = predictions − targets [n], and for the F_g weights of each group g of features:

    α ~ Gamma((1 + n)/2, (1 + ‖E‖²)/2),   w₀ ~ Normal(·, (1 + α n)⁻¹)
    λ_g ~ Gamma((1 + F_g)/2, (1 + Σ (w − μ_g)²)/2)
    μ_g ~ Normal(Σ w / (1 + F_g), ((1 + F_g) λ_g)⁻¹)
"""

from __future__ import annotations

import numpy as np

from glocalk.completers.blocks.sampling.draws import gamma, normal_of, normals
from glocalk.sparse.compiled import Array, exact

INIT_STD = 0.1  # of the initial weights


@exact
def initial(words: Array, at: Array, drawn: Array, std: float) -> None:
    for n in range(0, len(drawn), 2):
        first, second = normals(words, at)
        drawn[n] = first * std
        if n + 1 < len(drawn):
            drawn[n + 1] = second * std


@exact
def draw_precision(words: Array, at: Array, errors: Array) -> float:
    """α."""
    squares = _sum(errors, 0.0, True)
    drawn: float = gamma(words, at, (1.0 + len(errors)) / 2, 1 / ((1.0 + squares) / 2))
    return drawn


@exact
def draw_constant(words: Array, at: Array, errors: Array, constant: float, alpha: float) -> float:
    """w₀; the errors change with it."""
    linear = alpha * _sum(errors, constant, False)
    new: float = normal_of(words, at, alpha * len(errors) + 1.0, linear)
    for n in range(len(errors)):
        errors[n] += new - constant
    return new


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
def draw_prior(
    words: Array, at: Array, groups: Array, weights: Array, means: Array, lambdas: Array,
    of_means: int,
) -> None:  # fmt: skip
    """λ [groups] of the weights, or their μ given λ; a group's weights are between its bounds."""
    for group in range(len(groups) - 1):
        members = weights[groups[group] : groups[group + 1]]
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
