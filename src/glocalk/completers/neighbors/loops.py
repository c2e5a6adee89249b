"""What neighborhood models need of sparse rows: sums over shared columns, and over near rows.

Both are exact. Time grows with the pairs of entries that share a column, Σ_c n_c², of the rows
that are asked for; memory with those rows times all rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from glocalk.sparse.compiled import Array, compile_
from glocalk.sparse.csr import CSR

SUMS = 6


def shared_sums(by_row: CSR, by_column: CSR, rows: Array) -> Array:
    """Sums over the columns in which both of two rows have an entry.

    Args:
        by_row: S [all, columns].
        by_column: its transpose.
        rows: [rows] some rows of S.

    Returns:
        [rows, all, 6]: n, Σx, Σy, Σx², Σy², Σxy, with x = S[a, c] of a row that was asked for and
        y = S[b, c] of any, over the n columns c that both have.
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

    Rows as similar as the last of them share the places that are left: each enters with the same
    part of its weight, so that no order of the rows decides.

    Args:
        similarities: [rows, all] s.
        by_column: Sᵀ [columns, all].
        rows: [pairs] row of `similarities`.
        columns: [pairs] column of S.
        count: of rows, at least 1; fewer where fewer have an entry.
        least: s of a row that enters is this or more.

    Returns:
        [pairs] Σ s y, and [pairs] Σ |s|; both 0 where no row enters.
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
    """The len(room)-th largest similarity in a column, or `least` where fewer reach that."""
    # Once `room` is full it holds the largest so far, room[lowest] the least of them.
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
