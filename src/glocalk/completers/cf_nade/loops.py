"""Compiled loops over the entries of a batch, for `entries.py`.

Each walks once over the users, whose weights for all levels [levels, hidden] stay in the
first-level cache, while the hidden units of a batch of items stay in the second. Users are divided
into parts, so that results have the same bits with any number of threads. `bounds`, `starts`,
`items` and `levels` are those of `Entries.walk`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from glocalk.sparse.compiled import Array, compile_, dot, parallel


@compile_
def _add(target: Array, row: Array) -> None:
    for j in range(len(row)):
        target[j] += row[j]


@compile_
def _add_scaled(target: Array, factor: Any, row: Array) -> None:
    for j in range(len(row)):
        target[j] += factor * row[j]


@compile_
def _add_four(
    target: Array, a: Any, row_a: Array, b: Any, row_b: Array, c: Any, row_c: Array, d: Any,
    row_d: Array,
) -> None:  # fmt: skip
    """Add four scaled rows at once, so that the target is loaded and stored a quarter as often."""
    for j in range(len(target)):
        target[j] += a * row_a[j] + b * row_b[j] + c * row_c[j] + d * row_d[j]


@parallel
def input_sums(
    bounds: Array, starts: Array, items: Array, levels: Array, weight: Array, shared: Array,
    sums: Array,
) -> None:  # fmt: skip
    """Sums [items, hidden] of each part; `row` accumulates a user's levels, lowest first."""
    for part in prange(len(bounds) - 1):
        row = np.empty(weight.shape[2], weight.dtype)
        for user in range(bounds[part], bounds[part + 1]):
            entry, stop = starts[user], starts[user + 1]
            row[:] = 0
            for level in range(weight.shape[1]):
                if entry == stop:
                    break
                _add(row, weight[user, level])
                _add(row, shared[user])
                while entry < stop and levels[entry] == level:
                    _add(sums[part, items[entry]], row)
                    entry += 1


@parallel
def input_gradients(
    bounds: Array, starts: Array, items: Array, levels: Array, by_sum: Array, by_weight: Array,
    by_shared: Array,
) -> None:  # fmt: skip
    """Gradients of `input_sums`: by_sum [items, hidden] gives by_weight [users, levels, hidden]
    and by_shared [users, hidden], which are written.

    A level's weights act on all entries of that level and above: `row` accumulates a user's
    entries, highest level first.
    """
    for part in prange(len(bounds) - 1):
        row = np.empty(by_weight.shape[2], by_weight.dtype)
        for user in range(bounds[part], bounds[part + 1]):
            start, entry = starts[user], starts[user + 1]
            row[:] = 0
            by_shared[user] = 0
            for level in range(by_weight.shape[1] - 1, -1, -1):
                while entry > start and levels[entry - 1] == level:
                    entry -= 1
                    _add(row, by_sum[items[entry]])
                by_weight[user, level] = row
                _add(by_shared[user], row)


@parallel
def level_scores(
    bounds: Array, starts: Array, items: Array, hidden: Array, weight: Array, bias: Array,
    scores: Array,
) -> None:  # fmt: skip
    """Scores [levels, entries] of each entry for every level."""
    for part in prange(len(bounds) - 1):
        for user in range(bounds[part], bounds[part + 1]):
            for entry in range(starts[user], starts[user + 1]):
                row = hidden[items[entry]]
                for level in range(weight.shape[1]):
                    scores[level, entry] = bias[user, level] + dot(row, weight[user, level])


@parallel
def score_gradients(
    bounds: Array, starts: Array, items: Array, hidden: Array, weight: Array, by_score: Array,
    by_hidden: Array, by_weight: Array, by_bias: Array,
) -> None:  # fmt: skip
    """Gradients of `level_scores`, from by_score [levels, entries].

    Written are by_hidden [parts, items, hidden], separately for each part, by_weight [users,
    levels, hidden] and by_bias [users, levels].
    """
    for part in prange(len(bounds) - 1):
        for user in range(bounds[part], bounds[part + 1]):
            start, stop = starts[user], starts[user + 1]
            for level in range(weight.shape[1]):
                slopes, total = by_score[level], by_weight[user, level]
                total[:] = 0
                by_bias[user, level] = 0
                for entry in range(start, stop):
                    by_bias[user, level] += slopes[entry]
                entry = start
                while entry + 3 < stop:
                    _add_four(
                        total,
                        slopes[entry], hidden[items[entry]],
                        slopes[entry + 1], hidden[items[entry + 1]],
                        slopes[entry + 2], hidden[items[entry + 2]],
                        slopes[entry + 3], hidden[items[entry + 3]],
                    )  # fmt: skip
                    entry += 4
                while entry < stop:
                    _add_scaled(total, slopes[entry], hidden[items[entry]])
                    entry += 1
            mine = weight[user]
            for entry in range(start, stop):
                slopes, total = by_score[:, entry], by_hidden[part, items[entry]]
                level = 0
                while level + 3 < len(mine):
                    _add_four(
                        total,
                        slopes[level], mine[level],
                        slopes[level + 1], mine[level + 1],
                        slopes[level + 2], mine[level + 2],
                        slopes[level + 3], mine[level + 3],
                    )  # fmt: skip
                    level += 4
                while level < len(mine):
                    _add_scaled(total, slopes[level], mine[level])
                    level += 1
