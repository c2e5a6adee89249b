"""A matrix in text: one row for each user, one column for each item, a rating in each cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from glocalk.data.formats.cells import is_missing, no_rows, to_number
from glocalk.data.formats.columns import Column, Columns
from glocalk.data.formats.header import is_named
from glocalk.data.formats.options import Choice, ReadOptions
from glocalk.data.formats.roles import plain, usual
from glocalk.data.labels import is_whole
from glocalk.data.rating_matrix import Indices, Values
from glocalk.errors import GlocalkError, shown

_CERTAIN = 5  # users or items from which 1, 2, 3, ... are their ids and no ratings
_ENOUGH = 10  # ratings that show their range
NO_IDS = "none"
"""Value of `data.user` for a matrix without a column of ids."""


def read_matrix(
    path: Path,
    rows: Iterable[tuple[int, Sequence[str]]],
    choices: Mapping[str, Choice],
    options: ReadOptions,
) -> Columns:
    """The ratings of a matrix, row by row, without empty cells and those of `options.missing`.

    Items are named by a header, users by the first column; what has no name is numbered from 0. The
    columns have the ids of all users and items, rated or not.

    Args:
        path: the file, for error messages.
        rows: the number in the file and the cells of each row.
        choices: the column of the user ids, `none` if there is none, and None to find it; other
            roles cannot be chosen.
        options: see `ReadOptions`.

    Raises:
        GlocalkError: a row has another width, a cell is not a number, an id occurs twice, or
            it is not clear whether the first row or the first column holds names.
    """
    numbers, cells = _equally_wide(path, rows)
    if not cells or not cells[0]:
        raise no_rows(path)
    head, first = _header(path, cells, options)
    cells, numbers = cells[head:], numbers[head:]
    ids = _user_column(path, first, cells, choices.get("user"), options.missing)
    left = 0 if ids is None else ids + 1
    values = _numbers(path, numbers, cells, left, options.decimal)
    filled = ~np.isnan(values)
    rated = filled & ~np.isin(values, options.missing)
    skipped = ""
    if ids is None and choices.get("user") is None and _counts_ratings(values, options):
        # Jester's first column is the number of ratings in the row.
        values, filled, rated = values[:, 1:], filled[:, 1:], rated[:, 1:]
        left, skipped = 1, "column 0 counts the ratings of each row"
    if not filled.any():
        raise no_rows(path)
    users, items = np.nonzero(rated)
    names = None if first is None else first[left:]
    user_names = None if ids is None else [row[ids] for row in cells]
    notes = [skipped] if skipped else []
    if left_out := int(np.count_nonzero(filled & ~rated)):
        notes.append(f"{left_out:,} cells left out by data.missing")
    by_role = {
        "user": _column(path, "user", users, user_names, len(cells)),
        "item": _column(path, "item", items, names, values.shape[1]),
    }
    return Columns(
        path,
        by_role,
        values[rated],
        lambda row: (
            numbers[users[row]],
            {"user": "", "item": "", "rating": cells[users[row]][left + items[row]]},
        ),
        {
            "user": "rows, counted from 0" if ids is None else f"rows, ids in column {ids}",
            "item": "columns, names in the header" if names else "columns, counted from 0",
            "rating": "cells",
        },
        "; ".join(notes),
    )


def _equally_wide(
    path: Path, rows: Iterable[tuple[int, Sequence[str]]]
) -> tuple[list[int], list[list[str]]]:
    """The number and the cells of each row, without empty columns at the end."""
    numbers, cells = [], []
    for number, row in rows:
        numbers.append(number)
        cells.append([cell.strip() for cell in row])
        if len(row) != len(cells[0]):
            raise GlocalkError(
                f"Row {number} of '{path}' has {len(row)} columns where the first has "
                f"{len(cells[0])}: fix the row."
            )
    filled = [at + 1 for row in cells for at, cell in enumerate(row) if cell]
    return numbers, [row[: max(filled, default=0)] for row in cells]


def _header(
    path: Path, cells: Sequence[Sequence[str]], options: ReadOptions
) -> tuple[int, list[str] | None]:
    """The number of header rows, 0 or 1, and the names in it."""
    first, under = list(cells[0]), cells[1:]
    is_header = options.header
    if is_header is None:
        is_header = _is_header(path, first, under, options.missing)
    return (1, first) if is_header else (0, None)


def _is_header(
    path: Path,
    first: Sequence[str],
    under: Sequence[Sequence[str]],
    missing: Sequence[float],
) -> bool:
    if not under:
        return False
    if is_named(first, under) or any(to_number(c) is None and not is_missing(c) for c in first[1:]):
        return True
    names = first[1:]
    if not names or not all(map(is_whole, names)) or len({*names}) < len(names):
        return False
    numbers = [int(name) for name in names]
    ascends = numbers == sorted(numbers)
    counted = numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] in (0, 1)
    if counted and len(numbers) >= _CERTAIN:
        return True
    if any(number in missing for number in numbers):
        return False
    outside = _outside(numbers, under, missing)
    if all(outside):
        return True
    if not ascends and not any(outside):
        return False
    raise GlocalkError(
        f"The first row of '{path}' may name the items or hold ratings: set "
        "data.header=true or data.header=false."
    )


def _user_column(
    path: Path,
    header: Sequence[str] | None,
    cells: Sequence[Sequence[str]],
    choice: Choice,
    missing: Sequence[float],
) -> int | None:
    """The column of the user ids, None if there is none."""
    if choice == NO_IDS:
        return None
    if choice is not None:
        if choice == 0 or (header and choice == header[0]):
            return 0
        raise GlocalkError(
            f"data.user cannot be '{shown(choice)}' for the matrix '{path}': choose 0 if its first "
            f"column holds the user ids, or {NO_IDS} if no column does."
        )
    column = [row[0] for row in cells]
    if any(to_number(cell) is None and not is_missing(cell) for cell in column):
        return 0
    if header and (
        header[0] == ""
        or usual("user", header[:1])
        or plain(header[0]) in ("id", "index", "unnamed0")
    ):
        return 0
    numbers = [to_number(cell) for cell in column]
    if len({*column}) < len(column) or any(n is None or n != int(n) for n in numbers):
        return None  # ids occur once, and are whole
    counts = (np.diff(np.array(numbers, dtype=float)) == 1).all()
    if counts and len(column) >= _CERTAIN:
        return 0
    if any(number in missing for number in numbers):
        return None
    if all(_outside(numbers, cells, missing)):
        return 0
    raise GlocalkError(
        f"The first column of '{path}' may hold the ids of the users or ratings: set "
        f"data.user=0 or data.user={NO_IDS}."
    )


def _outside(
    numbers: Sequence[float | None], rows: Sequence[Sequence[str]], missing: Sequence[float]
) -> list[bool]:
    """For each number whether it is out of the range of the ratings in these rows, if there are
    enough.
    """
    known = [to_number(cell) for row in rows for cell in row[1:]]
    ratings = [value for value in known if value is not None and value not in missing]
    if len(ratings) < _ENOUGH:
        return [False for _ in numbers]
    return [n is not None and not min(ratings) <= n <= max(ratings) for n in numbers]


def _numbers(
    path: Path, rows: Sequence[int], cells: Sequence[Sequence[str]], left: int, decimal: str
) -> Values:
    """[users, items] the ratings, NaN for missing ones."""
    known: dict[str, float] = {}
    for number, row in zip(rows, cells, strict=True):
        for text in row[left:]:
            if text in known:
                continue
            value = to_number(text, decimal)
            if value is None and not is_missing(text):
                raise GlocalkError(
                    f"The rating '{shown(text)}' in row {number} of '{path}' is not a "
                    "finite number: fix it, or see data.header, data.user and data.decimal."
                )
            known[text] = np.nan if value is None else value
    values: Values = np.array([[known[text] for text in row[left:]] for row in cells])
    return values


def _counts_ratings(values: Values, options: ReadOptions) -> bool:
    """Whether the first column is the number of ratings in each row."""
    others = values[:, 1:]
    rated = ~np.isnan(others) & ~np.isin(others, options.missing)
    counts = rated.sum(axis=1)
    return bool((values[:, 0] == counts).all() and len(counts) > 1 and counts.max() > 1)


def _column(
    path: Path, kind: str, codes: Indices, names: Sequence[str] | None, count: int
) -> Column:
    """The ids of users or items, those without ratings included."""
    if names is None:
        return Column(codes, np.arange(count))
    seen = set[str]()
    for name in names:
        if not name or name in seen:
            what = f"names the {kind} '{shown(name)}' twice" if name else f"has a {kind} without id"
            raise GlocalkError(f"'{path}' {what}: fix its ids.")
        seen.add(name)
    if all(map(is_whole, names)):
        return Column(codes, np.array([int(name) for name in names], dtype=np.int64))
    return Column(codes, list(names))
