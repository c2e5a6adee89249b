"""The compiled loops of the Gibbs sampler; `sampler.py` has the equations.

Arrays are those of `Design`. A sum over ratings that a feature needs is a sum over the rows that
have the feature, of sums over the ratings of each row, which are kept current as weights change.
"""

from __future__ import annotations

import numpy as np

from glocalk.completers.blocks.sampling.draws import normal_of
from glocalk.sparse.compiled import Array, exact


@exact
def block_sums(starts: Array, places: Array, values: Array, weights: Array, sums: Array) -> None:
    """X w of every row."""
    sums[:] = 0
    for f in range(len(weights)):
        for p in range(starts[f], starts[f + 1]):
            sums[places[p]] += values[p] * weights[f]


@exact
def add_own_pairs(
    starts: Array, places: Array, values: Array, column: Array, sums: Array, own: Array
) -> None:
    """Add to each row half of (X v)² − X² v², the pairs of its own features in one column of V."""
    for f in range(len(column)):
        for p in range(starts[f], starts[f + 1]):
            term = values[p] * column[f]
            own[places[p]] -= 0.5 * term * term
    for r in range(len(sums)):
        own[r] += 0.5 * sums[r] * sums[r]


@exact
def add_linear(rows: Array, biases: Array, scores: Array) -> None:
    """Add to each rating's score the biases of its rows."""
    for b in range(len(rows)):
        for n in range(len(scores)):
            scores[n] += biases[rows[b, n]]


@exact
def add_products(rows: Array, sums: Array, scores: Array) -> None:
    """Add the products of the sums of each rating's rows, in one column of V."""
    for n in range(len(scores)):
        total = 0.0
        for b in range(len(rows)):
            q = sums[rows[b, n]]
            scores[n] += total * q
            total += q


@exact
def draw_weights(
    words: Array, at: Array, rows: Array, counts: Array, starts: Array, places: Array,
    values: Array, blocks: Array, group_of: Array, errors: Array, alpha: float, weights: Array,
    means: Array, lambdas: Array,
) -> None:  # fmt: skip
    """Each w given all else; the errors change with them."""
    sums, shifts = np.zeros(len(counts)), np.zeros(len(counts))
    for b in range(len(rows)):
        for n in range(len(errors)):
            sums[rows[b, n]] += errors[n]
        for f in range(blocks[b], blocks[b + 1]):
            precision, linear = 0.0, 0.0
            for p in range(starts[f], starts[f + 1]):
                precision += values[p] * values[p] * counts[places[p]]
                linear -= values[p] * sums[places[p]]
            linear += precision * weights[f]
            prior = lambdas[group_of[f]]
            new = normal_of(
                words, at, prior + alpha * precision, alpha * linear + prior * means[group_of[f]]
            )
            change = new - weights[f]
            for p in range(starts[f], starts[f + 1]):
                r = places[p]
                sums[r] += values[p] * change * counts[r]
                shifts[r] += values[p] * change
            weights[f] = new
        for n in range(len(errors)):
            errors[n] += shifts[rows[b, n]]


@exact
def draw_column(
    words: Array, at: Array, rows: Array, counts: Array, starts: Array, places: Array,
    values: Array, blocks: Array, group_of: Array, errors: Array, alpha: float, column: Array,
    means: Array, lambdas: Array, q: Array,
) -> None:  # fmt: skip
    """Each v of one column given all else; `q` [rows] is X v. The errors and q change with them."""
    size = len(counts)
    totals = np.zeros(len(errors))
    add_linear(rows, q, totals)
    before = q.copy()
    # Over the ratings of a row, with o = the sum of q over its other blocks: Σ o, Σ o², Σ e, Σ e o.
    other, squares, error, product = np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size)
    own = np.zeros(size)  # change of the pairs within the row
    for b in range(len(rows)):
        for n in range(len(errors)):
            r = rows[b, n]
            o = totals[n] - q[r]
            other[r] += o
            squares[r] += o * o
            error[r] += errors[n]
            product[r] += errors[n] * o
        for f in range(blocks[b], blocks[b + 1]):
            old = column[f]
            precision, linear = 0.0, 0.0
            for p in range(starts[f], starts[f + 1]):
                r, x = places[p], values[p]
                rest = q[r] - x * old
                precision += x * x * (rest * rest * counts[r] + 2 * rest * other[r] + squares[r])
                linear -= x * (rest * error[r] + product[r])
            linear += precision * old
            prior = lambdas[group_of[f]]
            new = normal_of(
                words, at, prior + alpha * precision, alpha * linear + prior * means[group_of[f]]
            )
            for p in range(starts[f], starts[f + 1]):
                r, x = places[p], values[p]
                rest, step = q[r] - x * old, x * (new - old)
                error[r] += step * (rest * counts[r] + other[r])
                product[r] += step * (rest * other[r] + squares[r])
                own[r] += step * rest
                q[r] += step
            column[f] = new
        for n in range(len(errors)):
            r = rows[b, n]
            change = q[r] - before[r]
            errors[n] += change * (totals[n] - before[r]) + own[r]
            totals[n] += change
