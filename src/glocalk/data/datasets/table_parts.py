"""Parts of user-supplied ratings that are given: by a column of the file, or by several files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glocalk.data.datasets.pairs import Rated
from glocalk.data.datasets.table_config import TableConfig
from glocalk.data.divided import Chosen
from glocalk.data.divisions import AtRandom, Given
from glocalk.data.formats.columns import Columns
from glocalk.data.ids import Ids
from glocalk.errors import GlocalkError, shown

TRAIN, VALID, TEST = range(3)
_WORDS = {"train": TRAIN, "valid": VALID, "test": TEST}
_SHOWN = 10  # values of a column in an error


def parts_by_column(columns: Columns, config: TableConfig) -> tuple[NDArray[np.int8], str]:
    """[rows] the part of each row by `data.split_column`, and the name of this split.

    Raises:
        GlocalkError: a value is none of train, valid and test where not all are whole numbers, or
            no row is for training or testing.
    """
    column = columns.by_role["split_column"]
    split = shown(columns.taken["split_column"])
    name = f"the column '{split}'"
    if isinstance(column.values, list):
        parts = _by_words(columns, column.values, name)
        if config.fold != 1:
            raise GlocalkError(
                f"data.fold={config.fold} has no effect, because {name} of '{columns.path}' "
                "has words, not numbers of folds: leave it out."
            )
        lacking = f"'{'test' if TRAIN in parts else 'train'}' in {name}"
    else:
        parts, split = np.where(column.values == config.fold, TEST, TRAIN), f"{split} {config.fold}"
        lacking = f"a number other than data.fold={config.fold} in {name}"
        if TEST not in parts:
            folds = np.unique(column.values)
            listed = ", ".join(map(str, folds[:_SHOWN])) + (", …" if len(folds) > _SHOWN else "")
            raise GlocalkError(
                f"No row of '{columns.path}' has {config.fold} in {name}: choose data.fold=… from "
                f"{listed}."
            )
    if not {TRAIN, TEST} <= {*parts.tolist()}:
        raise GlocalkError(
            f"No row of '{columns.path}' has {lacking}: there must be training and test ratings."
        )
    of_rows: NDArray[np.int8] = parts.astype(np.int8)[column.codes]
    return of_rows, split


def _by_words(columns: Columns, words: Sequence[str], name: str) -> NDArray[Any]:
    parts = [_WORDS.get(word.casefold(), -1) for word in words]
    if -1 in parts:
        wrong = parts.index(-1)
        row = int(np.argmax(columns.by_role["split_column"].codes == wrong))
        raise GlocalkError(
            f"The value '{shown(words[wrong])}' in row {columns.look(row)[0]} of "
            f"'{columns.path}' names no part: {name} must have train, valid and test, or whole "
            "numbers of folds, so fix it or choose another with data.split_column=…"
        )
    return np.array(parts)


def refuse_divided_pairs(rated: Rated, ids: Ids, path: Path) -> None:
    """Refuse a pair with rows in several parts of one file.

    Raises:
        GlocalkError: there is one.
    """
    assert rated.parts is not None
    cells = rated.cells
    order = np.lexsort((rated.parts, cells))
    same = np.diff(cells[order]) == 0
    other = same & (np.diff(rated.parts[order]) != 0)
    if other.any():
        raise GlocalkError(
            f"{_pair(rated, ids, order[int(np.argmax(other))])} in several parts of '{path}': a "
            "test rating must not be trained on."
        )


def refuse_shared(files: Sequence[Rated], ids: Ids, paths: Sequence[Path]) -> None:
    """Refuse a pair that is rated in two of the files.

    Raises:
        GlocalkError: there is one.
    """
    for second, later in enumerate(files):
        for first, earlier in enumerate(files[:second]):
            both = np.isin(later.cells, earlier.cells)
            if both.any():
                leaks = (first, second) == (0, len(files) - 1)
                raise GlocalkError(
                    f"{_pair(later, ids, int(np.argmax(both)))} in '{paths[first]}' and in "
                    f"'{paths[second]}': "
                    + ("a test rating must not be trained on." if leaks else "keep one of them.")
                )


def _pair(rated: Rated, ids: Ids, at: int | np.integer[Any]) -> str:
    user, item = ids.users[rated.users[at]], ids.items[rated.items[at]]
    return f"User '{shown(user)}' rates item '{shown(item)}'"


def join_files(files: Sequence[Rated]) -> Rated:
    """The ratings of a training file, maybe a validation file, and a test file, with their parts.

    Args:
        files: two or three, in this order.
    """
    of_files = [TRAIN, TEST] if len(files) == 2 else [TRAIN, VALID, TEST]
    users, items, ratings = (
        np.concatenate([getattr(file, name) for file in files])
        for name in ("users", "items", "ratings")
    )
    parts = np.repeat(np.array(of_files, np.int8), [len(file.ratings) for file in files])
    return Rated(users, items, ratings, None, files[0].num_items, parts)


def given(rated: Rated) -> Chosen:
    """The split into the parts of the ratings."""
    assert rated.parts is not None
    valid = rated.cells[rated.parts == VALID]
    division = Given(valid) if len(valid) else AtRandom()
    return Chosen(rated.parts_name, rated.parts == TEST, division)


def counts_of(parts: NDArray[np.int8]) -> str:
    """`800 training, 100 validation and 100 test ratings`."""
    train, valid, test = (int(np.count_nonzero(parts == part)) for part in (TRAIN, VALID, TEST))
    if not valid:
        return f"{train:,} training and {test:,} test ratings"
    return f"{train:,} training, {valid:,} validation and {test:,} test ratings"
