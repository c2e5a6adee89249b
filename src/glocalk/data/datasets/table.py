"""User-supplied ratings in a table: one row per rating, with its user and its item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from glocalk.config import BaseConfig
from glocalk.data.formats.cells import is_missing, shown, shown_path
from glocalk.data.formats.columns import Choice, Columns
from glocalk.data.formats.table import read_columns
from glocalk.data.formats.timestamps import read_times
from glocalk.data.ids import Ids, join, refuse_strangers
from glocalk.data.rating_matrix import Indices, Values
from glocalk.data.sources import Source, divide
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError


class UserFileConfig(BaseConfig):
    """Options of every source that reads a user-supplied file."""

    path: Path = Field(
        description="the file; relative to the folder in which the command is started"
    )
    scale: tuple[float, float] | None = Field(
        default=None, description="[lowest, highest] rating; null reads it from the ratings"
    )

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
            raise ValueError("the lowest rating must be below the highest")
        return value


def _column(content: str) -> Any:
    return Field(
        default=None,
        description=f"column of the {content}: its name, or its position counted from 0; null "
        "finds it",
    )


class TableConfig(UserFileConfig):
    """Options of a table of ratings."""

    user: Choice = _column("users")
    item: Choice = _column("items")
    rating: Choice = _column("ratings")
    timestamp: Choice = _column("timestamps, read only with split=time")
    split: Literal["ratio", "time"] = Field(
        default="ratio", description="test ratings: a random share, or the latest ones"
    )
    test_share: float = Field(
        default=0.1, gt=0, lt=1, description="share of the ratings held out as test ratings"
    )
    split_seed: int = Field(default=0, ge=0, description="seed of the random split")
    test_path: Path | None = Field(
        default=None, description="a file with the test ratings; all of `path` is then for training"
    )
    on_duplicate: Literal["error", "mean", "last"] = Field(
        default="error",
        description="several ratings of one (user, item) pair: refuse them, or take their mean or "
        "the last",
    )

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
        parts, ids, scale = _rated(paths, config)
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
        return divide(name, triples, test, shape, scale, ids)


@dataclass(frozen=True)
class _Rated:
    """Ratings of one file, in its order.

    Attributes:
        users: [n] user indices.
        items: [n] item indices.
        ratings: [n] values.
        times: [n] numbers that ascend with the timestamps; None if these were not read.
        num_items: number of items.
    """

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
        """The ratings of these rows."""
        return replace(
            self,
            users=self.users[rows],
            items=self.items[rows],
            ratings=self.ratings[rows],
            times=None if self.times is None else self.times[rows],
        )


def _rated(
    paths: Sequence[Path], config: TableConfig
) -> tuple[list[_Rated], Ids, tuple[float, float]]:
    """The ratings in each of the files, the ids of all of them, and their scale."""
    files = [_read(path, config) for path in paths]
    user_ids, users = join([file.by_role["user"].values for file in files])
    item_ids, items = join([file.by_role["item"].values for file in files])
    ids = Ids(user_ids, item_ids)
    if len(files) == 2:
        train, test = (
            Ids(user_ids[np.unique(of_users)], item_ids[np.unique(of_items)])
            for of_users, of_items in zip(users, items, strict=True)
        )
        train_path, test_path = (f"'{shown_path(path)}'" for path in paths)
        refuse_strangers(train, test, (train_path, test_path))
    scale = config.scale or (
        min(float(file.ratings.min()) for file in files),
        max(float(file.ratings.max()) for file in files),
    )
    parts = []
    for number, file in enumerate(files):
        rated = _Rated(
            users=users[number][file.by_role["user"].codes],
            items=items[number][file.by_role["item"].codes],
            ratings=file.ratings,
            times=read_times(file) if config.split == "time" else None,
            num_items=len(item_ids),
        )
        parts.append(_one_per_pair(rated, ids, config.on_duplicate, file))
    return parts, ids, scale


def _read(path: Path, config: TableConfig) -> Columns:
    """The columns of a file, checked."""
    choices = {"user": config.user, "item": config.item, "rating": config.rating}
    if config.split == "time":
        choices["timestamp"] = config.timestamp
    columns = read_columns(path, choices)
    for role in ("user", "item"):
        empty = columns.by_role[role].first("")
        if empty is not None:
            number, _ = columns.look(empty)
            raise GlocalkError(
                f"Row {number} of '{shown_path(path)}' has no {role}: fill it in, or remove the "
                "row."
            )
    ratings = columns.ratings
    lowest, highest = config.scale or (-np.inf, np.inf)
    wrong = ~(np.isfinite(ratings) & (lowest <= ratings) & (ratings <= highest))
    if wrong.any():
        row = int(np.argmax(wrong))
        number, cells = columns.look(row)
        text = cells["rating"]
        if is_missing(text):
            raise GlocalkError(
                f"Row {number} of '{shown_path(path)}' has no rating ('{text}'): fill it in, or "
                "remove the row."
            )
        if not np.isfinite(ratings[row]):
            raise GlocalkError(
                f"The rating '{shown(text)}' in row {number} of '{shown_path(path)}' is not a "
                "finite number: fix it, or choose another column with data.rating=…"
            )
        raise GlocalkError(
            f"The rating {ratings[row]:g} in row {number} of '{shown_path(path)}' is not on the "
            f"scale {lowest:g} … {highest:g}: fix it, or the scale with data.scale=[…,…]."
        )
    return columns


def _one_per_pair(rated: _Rated, ids: Ids, on_duplicate: str, file: Columns) -> _Rated:
    """One rating for each pair, at the place of its last row."""
    if (np.diff(np.sort(rated.cells)) > 0).all():
        return rated
    _, first, pair, counts = np.unique(
        rated.cells, return_index=True, return_inverse=True, return_counts=True
    )
    rows = np.arange(len(rated.ratings))
    if on_duplicate == "error":
        again = int(np.argmax(first[pair] != rows))
        numbers = [file.look(int(row))[0] for row in (first[pair[again]], again)]
        raise GlocalkError(
            f"User '{shown(ids.users[rated.users[again]])}' rates item "
            f"'{shown(ids.items[rated.items[again]])}' in rows {numbers[0]} and {numbers[1]} of "
            f"'{shown_path(file.path)}': keep one, or choose data.on_duplicate=mean or last."
        )
    last = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(last, pair, rows)
    kept = np.sort(last)
    merged = rated.keep(kept)
    if on_duplicate == "last":
        return merged
    means = np.bincount(pair, rated.ratings) / counts
    # The mean of .1, .1 and .1 is a little more than .1, and would be off the scale.
    means = np.clip(means, rated.ratings.min(), rated.ratings.max())
    return replace(merged, ratings=means[pair[kept]])


def _refuse_shared(parts: Sequence[_Rated], ids: Ids, paths: Sequence[Path]) -> None:
    train, test = parts
    both = np.isin(test.cells, train.cells)
    if both.any():
        at = int(np.argmax(both))
        raise GlocalkError(
            f"User '{shown(ids.users[test.users[at]])}' rates item "
            f"'{shown(ids.items[test.items[at]])}' in '{shown_path(paths[0])}' and in "
            f"'{shown_path(paths[1])}': a test rating must not be trained on."
        )


def _draw(rated: _Rated, config: TableConfig) -> tuple[str, _Rated, NDArray[np.bool_]]:
    """The split's name, the ratings in the order of the matrix, and which are test ratings."""
    count = len(rated.ratings)
    size = min(max(round(config.test_share * count), 1), count - 1)
    order = np.argsort(rated.cells)
    test = np.zeros(count, dtype=bool)
    if rated.times is not None:
        latest = np.argsort(rated.times, kind="stable")[::-1]
        test[latest[:size]] = True
        return f"latest {100 * config.test_share:g} %", rated.keep(order), test[order]
    # Drawn from the ordered pairs, which do not depend on the order of the rows.
    test[np.random.default_rng(config.split_seed).permutation(count)[:size]] = True
    shares = f"{100 - 100 * config.test_share:g}:{100 * config.test_share:g}"
    return f"{shares} seed {config.split_seed}", rated.keep(order), test
