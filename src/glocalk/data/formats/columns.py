"""Columns of a table: which one holds what, and their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glocalk.data.formats.cells import is_missing, is_number, is_whole, shown, shown_path
from glocalk.data.rating_matrix import Indices, Values
from glocalk.errors import GlocalkError

Choice: TypeAlias = int | str | None
"""A column's position, counted from 0, its name, or None for the usual one."""

# Usual names by role, letters and digits only, the likeliest first.
_USUAL = {
    "user": ("user", "userid", "uid", "reviewer", "reviewerid", "customer", "customerid"),
    "item": (
        *("item", "itemid", "iid", "movie", "movieid", "product", "productid", "asin"),
        *("book", "bookid", "isbn", "track", "trackid", "song", "songid", "artist", "artistid"),
        *("business", "businessid"),
    ),
    "rating": ("rating", "ratings", "stars", "score", "overall"),
    "timestamp": ("timestamp", "time", "unixreviewtime", "datetime", "date"),
}
_POSITIONS = {"user": 0, "item": 1, "rating": 2, "timestamp": 3}


@dataclass(frozen=True)
class Texts:
    """Cells as text.

    Attributes:
        codes: [n] position of each cell in `texts`.
        texts: the distinct texts, without surrounding white space.
    """

    codes: NDArray[Any]
    texts: Sequence[str]

    @classmethod
    def of(cls, codes: NDArray[Any], cells: Iterable[str]) -> Texts:
        """From codes into `cells`, several of which may be equal once stripped."""
        index: dict[str, int] = {}
        merged = [index.setdefault(cell.strip(), len(index)) for cell in cells]
        return cls(np.asarray(merged, dtype=np.int32)[codes], list(index))

    def values(self) -> Values:
        """[n] the cells as numbers, NaN where a cell does not hold one."""
        numbers = [float(text) if is_number(text) else np.nan for text in self.texts]
        values: Values = np.array(numbers, dtype=np.float64)[self.codes]
        return values

    def whole(self) -> Indices | None:
        """[n] the cells as whole numbers; None unless all of them are."""
        if not all(map(is_whole, self.texts)):
            return None
        values: Indices = np.array([int(text) for text in self.texts], dtype=np.int64)[self.codes]
        return values


@dataclass(frozen=True)
class Piece:
    """Some rows of the chosen columns.

    Attributes:
        by_role: [rows] the cells of each column but that of the ratings: whole numbers or texts.
        ratings: [rows] the ratings, NaN where a cell does not hold a number.
    """

    by_role: dict[str, Indices | Texts]
    ratings: Values


@dataclass(frozen=True)
class Column:
    """The ids or timestamps in a column.

    Attributes:
        codes: [rows] position of each row's value in `values`.
        values: the values: int64 if all of them are whole numbers, else text (a list). Each occurs
            once, but whole numbers may occur several times in a column of timestamps.
    """

    codes: NDArray[Any]
    values: Indices | list[str]

    @property
    def texts(self) -> list[str]:
        """The distinct values as text."""
        return self.values if isinstance(self.values, list) else list(map(str, self.values))

    def first(self, text: str) -> int | None:
        """The first row whose cell is this text; None if there is none."""
        if not isinstance(self.values, list) or text not in self.values:
            return None
        return int(np.argmax(self.codes == self.values.index(text)))


class ColumnBuilder:
    """Joins the parts of a column, and holds each distinct text once.

    Args:
        distinct: whether to look for equal whole numbers.
    """

    def __init__(self, *, distinct: bool = True) -> None:
        self._distinct = distinct
        self._index: dict[str, int] = {}
        # Whole numbers, or codes into the index.
        self._parts: list[tuple[Literal["whole", "codes"], NDArray[Any]]] = []

    def add(self, part: Indices | Texts) -> None:
        """Append a part."""
        if not isinstance(part, Texts):
            self._parts.append(("whole", part))
        elif (whole := part.whole()) is not None:
            self._parts.append(("whole", whole))
        else:
            self._parts.append(("codes", self._codes(part)))

    def column(self) -> Column:
        """The column; the builder is empty afterwards."""
        parts, self._parts = self._parts, []
        if not self._index:
            values = np.concatenate([values for _, values in parts])
            del parts
            if not self._distinct:
                return Column(np.arange(len(values), dtype=np.int32), values)
            return Column(*_factorized(values))
        codes = [part if kind == "codes" else self._codes(_as_texts(part)) for kind, part in parts]
        return Column(np.concatenate(codes), list(self._index))

    def _codes(self, part: Texts) -> NDArray[Any]:
        index = self._index
        merged = [index.setdefault(text, len(index)) for text in part.texts]
        codes: NDArray[Any] = np.array(merged, dtype=np.int32)[part.codes]
        return codes


def _factorized(values: Indices) -> tuple[NDArray[Any], Indices]:
    """Codes and distinct values, as of `pd.factorize`, but faster for values close together."""
    lowest, highest = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if highest - lowest > 4 * len(values):
        return pd.factorize(values)
    places = values - lowest
    occurs = np.zeros(highest - lowest + 1, dtype=bool)
    occurs[places] = True
    codes = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return codes[places], np.flatnonzero(occurs) + lowest


def _as_texts(values: Indices) -> Texts:
    codes, distinct = pd.factorize(values)
    return Texts(codes, list(map(str, distinct)))


@dataclass(frozen=True)
class Columns:
    """The chosen columns of a file.

    Attributes:
        path: path of the file.
        by_role: the columns of users, items and, where chosen, timestamps.
        ratings: [rows] the ratings, NaN where a cell does not hold a number; empty if they were
            not asked for.
        look: the number in the file and the cells by role of one row (counted from 0), for error
            messages. Numbers are counted from 1: in text they are lines, so that a header is 1.
        taken: the column that was taken for each role, as a user would call it.
        note: what else was decided about the file, for the user; empty if nothing was.
    """

    path: Path
    by_role: Mapping[str, Column]
    ratings: Values
    look: Callable[[int], tuple[int, Mapping[str, str]]]
    taken: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def description(self) -> str:
        """What was taken, on one line: `user ← userId, item ← movieId, rating ← rating`."""
        return ", ".join(f"{role} ← {shown(column)}" for role, column in self.taken.items())


@dataclass(frozen=True)
class Header:
    """The names of a file's columns.

    Attributes:
        path: path of the file.
        names: the names; None if the file has no header.
        width: number of columns.
    """

    path: Path
    names: Sequence[str] | None
    width: int

    @classmethod
    def of(cls, path: Path, row: Sequence[str], choices: Mapping[str, Choice]) -> Header:
        """Parse the header from the first row, if there is one.

        The first row is a header if it contains a chosen name, or if it contains no number and
        either a usual name or no empty cell.
        """
        cells = [cell.strip() for cell in row]
        chosen = any(choice in cells for choice in choices.values() if isinstance(choice, str))
        usual = {name for names in _USUAL.values() for name in names} & {*map(_plain, cells)}
        named = chosen or usual or not any(map(is_missing, cells))
        is_header = chosen or (named and not any(map(is_number, cells)))
        return cls(path, cells if is_header else None, len(cells))

    def positions(self, choices: Mapping[str, Choice]) -> dict[str, int]:
        """The position of each role's column.

        A column without a choice has a usual name, or else the place user, item, rating,
        timestamp.

        Raises:
            GlocalkError: a column is missing or ambiguous, or has two roles.
        """
        found = {role: self._position(role, choice) for role, choice in choices.items()}
        roles, positions = list(found), list(found.values())
        for second, position in enumerate(positions):
            if (first := positions.index(position)) < second:
                raise GlocalkError(
                    f"The {roles[first]} and the {roles[second]} column of "
                    f"'{shown_path(self.path)}' would be the same: choose data.{roles[first]} and "
                    f"data.{roles[second]} from its columns {self._listed}."
                )
        return found

    def taken(self, positions: Mapping[str, int]) -> dict[str, str]:
        """The column of each role as a user would call it."""
        return {
            role: f"column {position}" if self.names is None else self.names[position]
            for role, position in positions.items()
        }

    def _position(self, role: str, choice: Choice) -> int:
        names = self.names or ()
        if isinstance(choice, int):
            at = [choice] if 0 <= choice < self.width else []
        elif isinstance(choice, str):
            at = [position for position, name in enumerate(names) if name == choice]
        else:
            plain = [_plain(name) for name in names]
            usual = next((name for name in _USUAL[role] if name in plain), None)
            at = [position for position, name in enumerate(plain) if name == usual]
            if usual is None:
                at = [_POSITIONS[role]] if _POSITIONS[role] < self.width else []
        if len(at) == 1:
            return at[0]
        called = f"column '{shown(choice)}'" if choice is not None else f"{role} column"
        raise GlocalkError(
            f"'{shown_path(self.path)}' has {'more than one' if at else 'no'} {called}: choose "
            f"data.{role} from its columns {self._listed}."
        )

    @property
    def _listed(self) -> str:
        if self.names is None:
            return f"{', '.join(map(str, range(self.width)))} (it has no header)"
        more = ", …" if len(self.names) > 20 else ""
        return ", ".join(shown(name) for name in self.names[:20]) + more


def _plain(name: str) -> str:
    """Make `User ID`, `user_id` and RecBole's `user_id:token` one name."""
    return re.sub("[^a-z0-9]", "", name.casefold().split(":")[0])
