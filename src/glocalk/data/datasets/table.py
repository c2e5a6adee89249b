"""Ratings of one's own, in a table: a row for each rating, with its user and its item."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from glocalk.config import BaseConfig
from glocalk.data.formats.delimited import (
    Choice,
    Column,
    Columns,
    is_nothing,
    is_number,
    read_columns,
    shown,
    shown_path,
)
from glocalk.data.ids import Ids, Labels
from glocalk.data.ratings import Indices, Values
from glocalk.data.sources import Source, divide
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError

_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)  # not `007`, which is another id than `7`


class OwnConfig(BaseConfig):
    """Options of every source that reads a file of one's own.

    Attributes:
        path: the file; relative to the folder the command is started in.
        scale: (lowest, highest) rating; None reads it from the ratings.
    """

    path: Path
    scale: tuple[float, float] | None = None

    @field_validator("path", mode="before")
    @classmethod
    def _is_given(cls, value: Any) -> Any:
        if value is None or value == "":
            raise ValueError("give the path of your ratings, data.path=…")
        return value

    @field_validator("scale")
    @classmethod
    def _ascends(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError("the lowest rating lies below the highest")
        return value


class TableConfig(OwnConfig):
    """Options of a table of ratings.

    Attributes:
        user: column of the users: its name, or its position counted from 0; None finds it.
        item: column of the items.
        rating: column of the ratings.
        timestamp: column of the times, read with `split=time` only.
        split: `ratio` takes the test ratings at random, `time` the latest.
        test_share: share of the ratings that test.
        split_seed: seed of the random split.
        test_path: a file with the test ratings; then all of `path` trains.
        on_duplicate: what a second rating of one pair is: an error, averaged, or taken instead.
    """

    user: Choice = None
    item: Choice = None
    rating: Choice = None
    timestamp: Choice = None
    split: Literal["ratio", "time"] = "ratio"
    test_share: float = Field(default=0.1, gt=0, lt=1)
    split_seed: int = Field(default=0, ge=0)
    test_path: Path | None = None
    on_duplicate: Literal["error", "mean", "last"] = "error"

    @field_validator("user", "item", "rating", "timestamp", mode="before")
    @classmethod
    def _is_a_column(cls, value: Any) -> Any:
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, str))):
            raise ValueError("give a column's name, or its position counted from 0")
        return value

    @field_validator("test_path")
    @classmethod
    def _is_the_only_split(cls, value: Path | None, info: Any) -> Path | None:
        if value is not None and info.data.get("split") == "time":
            raise ValueError("data.split=time takes the test ratings from data.path")
        return value


class RatingTable(Source):
    """Ratings in a text or parquet file, see `glocalk.data.formats.delimited.read_columns` for its forms.

    Ids are whole numbers where all of a column's are, text otherwise; indices are in ascending
    order of the ids, over the training and the test ratings. The split does not depend on the
    order of the rows, except that by time of equally late ratings the later rows test.
    """

    Config = TableConfig

    def __init__(self, config: TableConfig) -> None:
        self.config = config

    def split(self, data_dir: Path) -> Split:  # noqa: ARG002 (the file lies where its path says)
        config = self.config
        paths = [config.path] if config.test_path is None else [config.path, config.test_path]
        read = [_read(path, config) for path in paths]
        user_ids, users = _label([columns.by_role["user"] for columns, _ in read])
        item_ids, items = _label([columns.by_role["item"] for columns, _ in read])
        ids = Ids(user_ids, item_ids)
        every = np.concatenate([ratings for _, ratings in read])
        scale = config.scale or (float(every.min()), float(every.max()))
        parts = []
        for number, (columns, ratings) in enumerate(read):
            rated = _Rated(
                path=columns.path,
                numbers=columns.numbers,
                users=users[number],
                items=items[number],
                ratings=ratings,
                times=_times(columns),
                num_items=len(item_ids),
            )
            parts.append(_one_a_pair(rated, ids, config.on_duplicate))
        if config.test_path is None:
            name, test = _draw(parts[0], config)
        else:
            _refuse_shared(parts[0], parts[1], ids)
            name = "given"
            test = np.repeat([False, True], [len(part.ratings) for part in parts])
        triples = (
            np.concatenate([part.users for part in parts]),
            np.concatenate([part.items for part in parts]),
            np.concatenate([part.ratings for part in parts]),
        )
        return divide(name, triples, test, (len(user_ids), len(item_ids)), scale, ids)


@dataclass(frozen=True)
class _Rated:
    """Ratings of one file, in its order.

    Attributes:
        path: of the file.
        numbers: [n] number of each row in the file.
        users: [n] user indices.
        items: [n] item indices.
        ratings: [n] values.
        times: [n] times, any numbers that ascend with them; None where they were not read.
        num_items: number of items.
    """

    path: Path
    numbers: Indices
    users: Indices
    items: Indices
    ratings: Values
    times: NDArray[Any] | None
    num_items: int

    @property
    def cells(self) -> Indices:
        """[n] position of each pair in the matrix, row by row."""
        return self.users * self.num_items + self.items

    def keep(self, rows: Indices) -> _Rated:
        """These rows."""
        return replace(
            self,
            numbers=self.numbers[rows],
            users=self.users[rows],
            items=self.items[rows],
            ratings=self.ratings[rows],
            times=None if self.times is None else self.times[rows],
        )


def _read(path: Path, config: TableConfig) -> tuple[Columns, Values]:
    """The columns of a file, and its ratings as numbers, checked."""
    choices = {"user": config.user, "item": config.item, "rating": config.rating}
    if config.split == "time":
        choices["timestamp"] = config.timestamp
    columns = read_columns(path, choices)
    for role in ("user", "item"):
        column = columns.by_role[role]
        if "" in column.texts:
            number = columns.numbers[column.first("")]
            raise GlocalkError(
                f"Row {number} of '{shown_path(path)}' has no {role}: fill it in, or remove the "
                "row."
            )
    column = columns.by_role["rating"]
    values = np.array([float(t) if is_number(t) else np.nan for t in column.texts])
    ratings: Values = values[column.codes]
    lowest, highest = config.scale or (-np.inf, np.inf)
    wrong = ~(np.isfinite(ratings) & (lowest <= ratings) & (ratings <= highest))
    if wrong.any():
        at = int(np.argmax(wrong))
        text, number = column.texts[column.codes[at]], columns.numbers[at]
        if is_nothing(text):
            raise GlocalkError(
                f"Row {number} of '{shown_path(path)}' has no rating ('{text}'): fill it in, or "
                "remove the row."
            )
        if not np.isfinite(ratings[at]):
            raise GlocalkError(
                f"The rating '{shown(text)}' in row {number} of '{shown_path(path)}' is no finite "
                "number: mend it, or choose another column with data.rating=…"
            )
        raise GlocalkError(
            f"The rating {ratings[at]:g} in row {number} of '{shown_path(path)}' is not on the "
            f"scale {lowest:g} … {highest:g}: mend it, or the scale with data.scale=[…,…]."
        )
    return columns, ratings


def _is_whole(text: str) -> bool:
    """Whether a text is a whole number, in the one way to write it, that fits 64 bits."""
    return _WHOLE.fullmatch(text) is not None and -(2**63) <= int(text) < 2**63


def _label(columns: Sequence[Column]) -> tuple[Labels, list[Indices]]:
    """The ids that stand in any of the columns, ascending, and each column's indices into them."""
    texts = set().union(*(column.texts for column in columns))
    if all(map(_is_whole, texts)):
        ordered = sorted(texts, key=int)
        labels: Labels = np.array([int(text) for text in ordered], dtype=np.int64)
    else:
        ordered = sorted(texts)
        labels = np.array(ordered, dtype=object)
    index = {text: position for position, text in enumerate(ordered)}
    return labels, [
        np.array([index[text] for text in column.texts], dtype=np.int64)[column.codes]
        for column in columns
    ]


def _times(columns: Columns) -> NDArray[Any] | None:
    """[n] numbers that ascend with the timestamps; None where there is no such column."""
    column = columns.by_role.get("timestamp")
    if column is None:
        return None
    if all(map(_is_whole, column.texts)):
        # Not as floats, which cannot tell nanoseconds apart.
        return np.array([int(text) for text in column.texts], dtype=np.int64)[column.codes]
    read = _number if any(map(is_number, column.texts)) else _seconds
    times = []
    for text in column.texts:
        try:
            times.append(read(text))
        except (ValueError, OverflowError) as error:
            number = columns.numbers[column.first(text)]
            raise GlocalkError(
                f"The timestamp '{shown(text)}' in row {number} of '{shown_path(columns.path)}' is "
                "neither a number nor a date like 2021-11-01: mend it, or choose another column "
                "with data.timestamp=…"
            ) from error
    return np.array(times)[column.codes]


def _number(text: str) -> float:
    if not is_number(text):
        raise ValueError(text)
    return float(text)


def _seconds(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 date, in UTC where it names no zone."""
    date = datetime.fromisoformat(text)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _one_a_pair(rated: _Rated, ids: Ids, on_duplicate: str) -> _Rated:
    """One rating for each pair, at the place of its last row."""
    _, first, pair, counts = np.unique(
        rated.cells, return_index=True, return_inverse=True, return_counts=True
    )
    if len(first) == len(rated.ratings):
        return rated
    rows = np.arange(len(rated.ratings))
    if on_duplicate == "error":
        again = int(np.argmax(first[pair] != rows))
        before = first[pair[again]]
        raise GlocalkError(
            f"User '{shown(ids.users[rated.users[again]])}' rates item "
            f"'{shown(ids.items[rated.items[again]])}' in rows {rated.numbers[before]} and "
            f"{rated.numbers[again]} of '{shown_path(rated.path)}': keep one, or choose "
            "data.on_duplicate=mean or last."
        )
    last = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(last, pair, rows)
    kept = np.sort(last)
    merged = rated.keep(kept)
    if on_duplicate == "last":
        return merged
    means = np.bincount(pair, rated.ratings) / counts
    # The mean of .1, .1 and .1 is a little more than .1, and would lie off the scale.
    means = np.clip(means, rated.ratings.min(), rated.ratings.max())
    return replace(merged, ratings=means[pair[kept]])


def _refuse_shared(train: _Rated, test: _Rated, ids: Ids) -> None:
    both = np.isin(test.cells, train.cells)
    if both.any():
        at = int(np.argmax(both))
        raise GlocalkError(
            f"User '{shown(ids.users[test.users[at]])}' rates item "
            f"'{shown(ids.items[test.items[at]])}' in '{shown_path(train.path)}' and in "
            f"'{shown_path(test.path)}': a test rating must not be trained on."
        )


def _draw(rated: _Rated, config: TableConfig) -> tuple[str, NDArray[np.bool_]]:
    """The split's name, and which ratings test."""
    count = len(rated.ratings)
    size = min(max(round(config.test_share * count), 1), count - 1)
    if rated.times is not None:
        name = f"latest {100 * config.test_share:g} %"
        order = np.argsort(rated.times, kind="stable")[::-1]
    else:
        shares = f"{100 - 100 * config.test_share:g}:{100 * config.test_share:g}"
        name = f"{shares} seed {config.split_seed}"
        drawn = np.random.default_rng(config.split_seed).permutation(count)
        order = np.argsort(rated.cells)[drawn]  # whatever the order of the rows
    test = np.zeros(count, dtype=bool)
    test[order[:size]] = True
    return name, test
