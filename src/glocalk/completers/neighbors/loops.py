"""The compiled loops of neighborhood models: sums over shared columns and over near rows.

Both are exact. Time grows with the number of pairs of entries that share a column, one of them in a
requested row: Σ_c n_c² over the columns if all rows are requested. Memory grows with the number of
requested rows times that of all rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from glocalk.sparse.compiled import Array, compile_
from glocalk.sparse.csr import CSR

SUMS = 6


def shared_sums(by_row: CSR, by_column: CSR, rows: Array) -> Array:
    """Sums over the columns in which two rows both have an entry.

    Args:
        by_row: S [all, columns].
        by_column: its transpose.
        rows: [rows] the requested rows of S.

    Returns:
        [rows, all, 6]: n, Σx, Σy, Σx², Σy², Σxy over the n columns c that both rows have, where
        x = S[a, c] of a requested row a and y = S[b, c] of any row b.
    """
    sums = np.zeros((len(rows), by_row.shape[0], SUMS))
    _shared_sums(
        by_row.starts, by_row.stops, by_row.columns, by_row.values,
        by_column.starts, by_column.stops, by_column.columns, by_column.values,
        rows, sums,
    )  # fmt: skip
    return sums


def near_sums(
    similarities: Array, by_column: CSR, rows: Array, columns: Array, count: int, least: float
) -> tuple[Array, Array]:
    """Σ s y and Σ |s| over the `count` most similar rows with an entry y in a pair's column.

    Rows that tie for the last places share them: each counts with the same fraction of its weight,
    so that the result does not depend on the order of the rows.

    Args:
        similarities: [rows, all] s.
        by_column: Sᵀ [columns, all].
        rows: [pairs] row of `similarities`.
        columns: [pairs] column of S.
        count: number of rows, at least 1; fewer are used if fewer have an entry.
        least: minimum similarity of a row that is used.

    Returns:
        [pairs] Σ s y and [pairs] Σ |s|; both are 0 if no row is used.
    """
    totals, weights = np.empty(len(rows)), np.empty(len(rows))
    _near_sums(
        similarities, by_column.starts, by_column.stops, by_column.columns, by_column.values,
        rows, columns, count, similarities.dtype.type(least), totals, weights,
    )  # fmt: skip
    return totals, weights


@compile_
def _shared_sums(
    starts: Array, stops: Array, columns: Array, values: Array, column_starts: Array,
    column_stops: Array, column_rows: Array, column_values: Array, rows: Array, sums: Array,
) -> None:  # fmt: skip
    for asked in range(len(rows)):
        row = rows[asked]
        for k in range(starts[row], stops[row]):
            column, x = columns[k], values[k]
            for j in range(column_starts[column], column_stops[column]):
                y = column_values[j]
                cell = sums[asked, column_rows[j]]
                cell[0] += 1
                cell[1] += x
                cell[2] += y
                cell[3] += x * x
                cell[4] += y * y
                cell[5] += x * y


@compile_
def _near_sums(
    similarities: Array, starts: Array, stops: Array, column_rows: Array, values: Array,
    rows: Array, columns: Array, count: int, least: Any, totals: Array, weights: Array,
) -> None:  # fmt: skip
    room = np.empty(min(count, similarities.shape[1]), similarities.dtype)
    for pair in range(len(rows)):
        similar = similarities[rows[pair]]
        begin, end = starts[columns[pair]], stops[columns[pair]]
        border = _border(similar, column_rows, begin, end, least, room)
        above, level = 0, 0
        for j in range(begin, end):
            above += similar[column_rows[j]] > border
            level += similar[column_rows[j]] == border
        share = min(1.0, (count - above) / max(level, 1))
        total, weight = 0.0, 0.0
        for j in range(begin, end):
            s = np.float64(similar[column_rows[j]])
            if s >= border:
                part = share * s if s == border else s
                total += part * values[j]
                weight += abs(part)
        totals[pair], weights[pair] = total, weight


@compile_
def _border(
    similar: Array, column_rows: Array, begin: int, end: int, least: Any, room: Array
) -> Any:
    """The len(room)-th largest similarity in a column, or `least` if fewer reach it."""
    # Once `room` is full it holds the largest similarities so far, the lowest of them at `lowest`.
    found, lowest = 0, np.int64(0)
    for j in range(begin, end):
        s = similar[column_rows[j]]
        if found < len(room):
            if s >= least:
                room[found] = s
                found += 1
                if found == len(room):
                    lowest = np.argmin(room)
        elif s > room[lowest]:
            room[lowest] = s
            lowest = np.argmin(room)
    return room[lowest] if found == len(room) else least
