"""User-supplied ratings in a table: one row per rating, with its user and its item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glocalk.data.datasets.pairs import Rated, one_per_pair
from glocalk.data.datasets.sentinels import suspect_values
from glocalk.data.datasets.table_config import TableConfig
from glocalk.data.datasets.table_parts import (
    counts_of,
    given,
    join_files,
    parts_by_column,
    refuse_divided_pairs,
    refuse_shared,
)
from glocalk.data.divided import Chosen
from glocalk.data.divisions import RatingOrder
from glocalk.data.formats.cells import is_decimal_comma, is_missing
from glocalk.data.formats.columns import Column, Columns
from glocalk.data.formats.options import Choice, ReadOptions
from glocalk.data.formats.table import read_columns
from glocalk.data.formats.timestamps import described_times, read_times
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
        rated, ids, scale, notes = _read(config)
        if rated.parts is None:
            chosen, rated = _draw(rated, config)
        else:
            chosen = given(rated)
        return divide(
            chosen.name,
            (rated.users, rated.items, rated.ratings),
            chosen.test,
            (len(ids.users), len(ids.items)),
            scale,
            ids,
            (*notes, *chosen.notes),
            _side_information(config, ids),
            chosen.division,
        )


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
    config: TableConfig,
) -> tuple[Rated, Ids, tuple[float, float], tuple[str, ...]]:
    """The ratings of all files, the ids of their users and items, their scale, and notes."""
    given_paths = (config.path, config.valid_path, config.test_path)
    paths = [path for path in given_paths if path is not None]
    files = [_File(path, config) for path in paths]
    user_ids, users = _label([file.columns.by_role["user"] for file in files])
    item_ids, items = _label([file.columns.by_role["item"] for file in files])
    ids = Ids(user_ids, item_ids)
    own = [
        Ids(user_ids[np.unique(of_users)], item_ids[np.unique(of_items)])
        for of_users, of_items in zip(users, items, strict=True)
    ]
    for path, other in zip(paths[1:], own[1:], strict=True):
        refuse_unrelated(own[0], other, [f"'{paths[0]}'", f"'{path}'"])
    scale = config.scale or (
        min(float(file.columns.ratings.min()) for file in files),
        max(float(file.columns.ratings.max()) for file in files),
    )
    rated = [file.rated(ids, users[number], items[number]) for number, file in enumerate(files)]
    refuse_shared(rated, ids, paths)
    together = rated[0] if len(rated) == 1 else join_files(rated)
    counts = f"{len(user_ids):,} users, {len(item_ids):,} items, scale {_range(*scale)}"
    return together, ids, scale, _notes(files, together, counts, config.scale is None)


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
        self.merged = self.times = self.fold = ""

    def rated(self, ids: Ids, users: NDArray[np.int32], items: NDArray[np.int32]) -> Rated:
        """The ratings under their indices, one for each pair."""
        columns = self.columns
        times = read_times(columns) if "timestamp" in columns.by_role else None
        if times is not None and self._config.split != "ratio":
            self.times = described_times(columns, times)
            if self._config.split == "time" and len(times) > 1 and (times == times[0]).all():
                raise GlocalkError(
                    f"All timestamps of '{columns.path}' are equal, so that they give no split by "
                    "time: choose their column with data.timestamp=…, or another split."
                )
        rated = Rated(users, items, columns.ratings, times, len(ids.items))
        if "split_column" in columns.by_role:
            parts, name = parts_by_column(columns, self._config)
            rated = replace(rated, parts=parts, parts_name=name)
            if not isinstance(columns.by_role["split_column"].values, list):
                self.fold = f"rows with {self._config.fold} are test ratings (data.fold)"
            refuse_divided_pairs(rated, ids, columns.path)
        rated, self.merged = one_per_pair(rated, ids, self._config.on_duplicate, columns)
        return rated

    def notes(self) -> list[str]:
        """What was left out, taken together, or looks wrong."""
        notes = [self.columns.note, self.fold, self.times, self.merged]
        if self.left_out:
            what = "row" if self.left_out == 1 else "rows"
            notes.append(f"{self.left_out:,} {what} left out by data.missing")
        name = self.columns.path.name
        return [f"{shown(name)}: {note}" for note in notes if note]


def _asked(config: TableConfig) -> tuple[dict[str, Choice], ReadOptions]:
    """The columns and the options of reading them."""
    choices = {"user": config.user, "item": config.item, "rating": config.rating}
    optional = frozenset[str]()
    if config.split_column is not None:
        choices["split_column"] = config.split_column
    may_take_times = config.split == "leave_n_out" or config.on_duplicate == "last"
    if config.split == "time" or (may_take_times and config.layout != "matrix"):
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
    files: Sequence[_File], rated: Rated, counts: str, is_scale_open: bool
) -> tuple[str, ...]:
    """What was taken from the files, for the user."""
    count = f"{len(rated.ratings):,} ratings" if rated.parts is None else counts_of(rated.parts)
    lines = [f"{files[0].columns.description}; {count}, {counts}"]
    lines += [
        f"{shown(file.columns.path.name)}: {file.columns.description}"
        for file in files[1:]
        if file.columns.description != files[0].columns.description
    ]
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


def _draw(rated: Rated, config: TableConfig) -> tuple[Chosen, Rated]:
    """Which ratings are test ratings, and the ratings in the order of the matrix."""
    if len(rated.ratings) < 2:
        raise GlocalkError(
            f"'{config.path}' holds one rating, which cannot be both for training and "
            "for testing: add more, or give the test ratings in another file with data.test_path=…"
        )
    order = None
    if config.split != "ratio" and rated.times is not None:
        order = RatingOrder.by_time(rated.cells, rated.times)
    # Drawn from the ordered pairs, which do not depend on the order of the rows.
    ordered = rated.keep(np.argsort(rated.cells))
    return config.chosen(ordered, order), ordered
