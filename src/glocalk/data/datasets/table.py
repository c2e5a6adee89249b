"""User-supplied ratings in a table: one row per rating, with its user and its item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glocalk.data.datasets.pairs import Rated, one_per_pair
from glocalk.data.datasets.sentinels import suspect_values
from glocalk.data.datasets.table_config import TableConfig
from glocalk.data.formats.cells import is_decimal_comma, is_missing
from glocalk.data.formats.columns import Column, Columns
from glocalk.data.formats.options import Choice, ReadOptions
from glocalk.data.formats.table import read_columns
from glocalk.data.formats.timestamps import read_times
from glocalk.data.ids import Ids, join, refuse_unrelated
from glocalk.data.labels import Kind, Labels
from glocalk.data.rating_matrix import Values
from glocalk.data.side.information import Need, SideInformation
from glocalk.data.side.tables import read_attributes, read_edges
from glocalk.data.sources import Source, divide
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError, shown


class RatingTable(Source):
    """Ratings in a text or parquet file; see `glocalk.data.formats.table` for its forms.

    Ids are whole numbers if all of a column's are, else text, see `glocalk.data.labels`; indices
    are in ascending order of the ids of the training and the test ratings. The split does not
    depend on the order of the rows, except that with split=time the later of two rows with the same
    timestamp goes to the test set first.
    """

    Config = TableConfig

    def __init__(self, config: TableConfig) -> None:
        self.config = config

    def split(self, data_dir: Path) -> Split:  # noqa: ARG002 (the file is where its path says)
        config = self.config
        paths = [config.path] if config.test_path is None else [config.path, config.test_path]
        parts, ids, scale, notes = _read(paths, config)
        if config.test_path is None:
            name, rated, test = _draw(parts.pop(), config)
            triples = rated.users, rated.items, rated.ratings
        else:
            _refuse_shared(parts, ids, paths)
            name = "given"
            test = np.repeat([False, True], [len(part.ratings) for part in parts])
            triples = (
                np.concatenate([part.users for part in parts]),
                np.concatenate([part.items for part in parts]),
                np.concatenate([part.ratings for part in parts]),
            )
        shape = len(ids.users), len(ids.items)
        side = _side_information(config, ids)
        return divide(name, triples, test, shape, scale, ids, notes, side)


def _side_information(config: TableConfig, ids: Ids) -> SideInformation:
    """What the files of users and items have, read when it is asked for."""
    given: dict[Need, tuple[Path | None, Callable[[Path, Kind, Ids], Any]]] = {
        "user attributes": (config.user_attributes, read_attributes),
        "item attributes": (config.item_attributes, read_attributes),
        "user graph": (config.user_edges, read_edges),
        "item graph": (config.item_edges, read_edges),
    }
    return SideInformation(
        {
            need: partial(read, path, "user" if need.startswith("user") else "item", ids)
            for need, (path, read) in given.items()
            if path is not None
        }
    )


def _read(
    paths: Sequence[Path], config: TableConfig
) -> tuple[list[Rated], Ids, tuple[float, float], tuple[str, ...]]:
    """The ratings in each of the files, the ids of all of them, their scale, and notes."""
    files = [_File(path, config) for path in paths]
    user_ids, users = _label([file.columns.by_role["user"] for file in files])
    item_ids, items = _label([file.columns.by_role["item"] for file in files])
    ids = Ids(user_ids, item_ids)
    if len(files) == 2:
        train, test = (
            Ids(user_ids[np.unique(of_users)], item_ids[np.unique(of_items)])
            for of_users, of_items in zip(users, items, strict=True)
        )
        refuse_unrelated(train, test, [f"'{path}'" for path in paths])
    scale = config.scale or (
        min(float(file.columns.ratings.min()) for file in files),
        max(float(file.columns.ratings.max()) for file in files),
    )
    parts = [file.rated(ids, users[number], items[number]) for number, file in enumerate(files)]
    counts = f"{len(user_ids):,} users, {len(item_ids):,} items, scale {_range(*scale)}"
    return parts, ids, scale, _notes(files, parts, counts, config.scale is None)


class _File:
    """One of the files, read and checked.

    Args:
        path: the file.
        config: the options.

    Raises:
        GlocalkError: it cannot be read, or a row cannot be a rating.
    """

    def __init__(self, path: Path, config: TableConfig) -> None:
        self._config = config
        columns = read_columns(path, *_asked(config))
        missing = np.isin(columns.ratings, config.missing)
        self.left_out = int(np.count_nonzero(missing))
        if self.left_out == len(missing):
            raise GlocalkError(f"All ratings in '{path}' are left out by data.missing: fix it.")
        self.columns = columns.keep(np.flatnonzero(~missing)) if self.left_out else columns
        _check(self.columns, config)
        self.merged = ""

    def rated(self, ids: Ids, users: NDArray[np.int32], items: NDArray[np.int32]) -> Rated:
        """The ratings under their indices, one for each pair."""
        columns = self.columns
        times = read_times(columns) if "timestamp" in columns.by_role else None
        rated = Rated(users, items, columns.ratings, times, len(ids.items))
        rated, self.merged = one_per_pair(rated, ids, self._config.on_duplicate, columns)
        return rated

    def notes(self) -> list[str]:
        """What was left out, taken together, or looks wrong."""
        notes = [self.columns.note, self.merged]
        if self.left_out:
            what = "row" if self.left_out == 1 else "rows"
            notes.append(f"{self.left_out:,} {what} left out by data.missing")
        name = self.columns.path.name
        return [f"{shown(name)}: {note}" for note in notes if note]


def _asked(config: TableConfig) -> tuple[dict[str, Choice], ReadOptions]:
    """The columns and the options of reading them."""
    choices = {"user": config.user, "item": config.item, "rating": config.rating}
    optional = frozenset[str]()
    if config.split == "time" or (config.on_duplicate == "last" and config.layout != "matrix"):
        choices["timestamp"] = config.timestamp
        if config.split != "time":
            optional = frozenset({"timestamp"})
    return choices, ReadOptions(
        config.layout,
        config.header,
        config.decimal,
        config.missing,
        optional,
        config.encoding,
        config.max_bytes,
    )


def _check(columns: Columns, config: TableConfig) -> None:
    """Refuse a row that cannot be a rating."""
    path = columns.path
    for role in ("user", "item"):
        columns.refuse_empty(role)
    ratings = columns.ratings
    lowest, highest = config.scale or (-np.inf, np.inf)
    wrong = ~(np.isfinite(ratings) & (lowest <= ratings) & (ratings <= highest))
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    number, cells = columns.look(row)
    text = cells["rating"]
    if is_missing(text):
        raise GlocalkError(
            f"Row {number} of '{path}' has no rating ('{text}'): fill it in, or remove the row."
        )
    if not np.isfinite(ratings[row]):
        comma = (
            ", or read decimal commas with 'data.decimal=\",\"'" if is_decimal_comma(text) else ""
        )
        raise GlocalkError(
            f"The rating '{shown(text)}' in row {number} of '{path}' is not a finite "
            f"number: fix it, or choose another column with data.rating=…{comma}."
        )
    raise GlocalkError(
        f"The rating {ratings[row]:g} in row {number} of '{path}' is not on the scale "
        f"{lowest:g} … {highest:g}: fix it, or the scale with data.scale=[…,…]."
    )


def _notes(
    files: Sequence[_File], parts: Sequence[Rated], counts: str, is_scale_open: bool
) -> tuple[str, ...]:
    """What was taken from the files, for the user."""
    count = f"{len(parts[0].ratings):,} ratings"
    if len(parts) > 1:
        count = f"{len(parts[0].ratings):,} training and {len(parts[1].ratings):,} test ratings"
    lines = [f"{files[0].columns.description}; {count}, {counts}"]
    if files[-1].columns.description != files[0].columns.description:
        lines.append(f"{shown(files[-1].columns.path.name)}: {files[-1].columns.description}")
    lines += [note for file in files for note in file.notes()]
    if is_scale_open:
        ratings = np.concatenate([file.columns.ratings for file in files])
        lines += [_warning(ratings, value) for value in suspect_values(ratings)]
    return tuple(lines)


def _warning(ratings: Values, value: float) -> str:
    others = ratings[ratings != value]
    return (
        f"Warning: {len(ratings) - len(others):,} of {len(ratings):,} ratings are {value:g}, the "
        f"others {_range(others.min(), others.max())}: if {value:g} means that there is no "
        f"rating, leave it out with data.missing={value:g}; if it is one, give the scale, "
        "data.scale=[…,…]."
    )


def _range(lowest: float, highest: float) -> str:
    return f"{lowest:g} … {highest:g}" if lowest < 0 else f"{lowest:g}–{highest:g}"


def _label(columns: Sequence[Column]) -> tuple[Labels, list[NDArray[np.int32]]]:
    """The ids that occur in any of the columns, ascending, and each column's indices into them."""
    labels, positions = join([column.values for column in columns])
    return labels, [
        found.astype(np.int32)[column.codes]
        for found, column in zip(positions, columns, strict=True)
    ]


def _refuse_shared(parts: Sequence[Rated], ids: Ids, paths: Sequence[Path]) -> None:
    train, test = parts
    both = np.isin(test.cells, train.cells)
    if both.any():
        at = int(np.argmax(both))
        raise GlocalkError(
            f"User '{shown(ids.users[test.users[at]])}' rates item "
            f"'{shown(ids.items[test.items[at]])}' in '{paths[0]}' and in "
            f"'{paths[1]}': a test rating must not be trained on."
        )


def _draw(rated: Rated, config: TableConfig) -> tuple[str, Rated, NDArray[np.bool_]]:
    """The split's name, the ratings in the order of the matrix, and which are test ratings."""
    count = len(rated.ratings)
    if count < 2:
        raise GlocalkError(
            f"'{config.path}' holds one rating, which cannot be both for training and "
            "for testing: add more, or give the test ratings in another file with data.test_path=…"
        )
    size = min(max(round(config.test_share * count), 1), count - 1)
    order = np.argsort(rated.cells)
    test = np.zeros(count, dtype=bool)
    if config.split == "time":
        assert rated.times is not None
        latest = np.argsort(rated.times, kind="stable")[::-1]
        test[latest[:size]] = True
        return f"latest {100 * config.test_share:g} %", rated.keep(order), test[order]
    # Drawn from the ordered pairs, which do not depend on the order of the rows.
    test[np.random.default_rng(config.split_seed).permutation(count)[:size]] = True
    shares = f"{100 - 100 * config.test_share:g}:{100 * config.test_share:g}"
    return f"{shares} seed {config.split_seed}", rated.keep(order), test
