"""Columns of a table: which one holds what, and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glocalk.data.formats.cells import to_number
from glocalk.data.labels import is_whole
from glocalk.data.rating_matrix import Indices, Values
from glocalk.errors import GlocalkError, shown


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

    def values(self, decimal: str = ".") -> Values:
        """[n] the cells as numbers, NaN where a cell does not hold one."""
        numbers = [to_number(text, decimal) for text in self.texts]
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

    def keep(self, rows: Indices) -> Column:
        """The column of some of the rows, with the values that occur in them."""
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        if isinstance(self.values, list):
            return Column(codes, [self.values[code] for code in used])
        return Column(codes, self.values[used])

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
        ratings: [rows] the ratings, or predictions, NaN where a cell does not hold a number; empty
            if neither was asked for.
        look: the number in the file and the cells by role of one row (counted from 0), for error
            messages. Numbers are counted from 1: in text they are lines, so that a header is 1.
        taken: the column that was taken for each role, as a user would call it.
        note: what else was decided about the file, for the user; empty if nothing was.
        others: names of the columns that were not taken; none if columns have no names.
    """

    path: Path
    by_role: Mapping[str, Column]
    ratings: Values
    look: Callable[[int], tuple[int, Mapping[str, str]]]
    taken: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    others: tuple[str, ...] = ()

    def keep(self, rows: Indices) -> Columns:
        """Some of the rows."""
        return replace(
            self,
            by_role={role: column.keep(rows) for role, column in self.by_role.items()},
            ratings=self.ratings[rows],
            look=lambda row: self.look(int(rows[row])),
        )

    def refuse_empty(self, role: str) -> None:
        """Refuse a row whose cell of a role is empty.

        Raises:
            GlocalkError: there is one; the message has its number.
        """
        row = self.by_role[role].first("")
        if row is not None:
            number, _ = self.look(row)
            raise GlocalkError(
                f"Row {number} of '{self.path}' has no {role}: fill it in, or remove the row."
            )

    @property
    def description(self) -> str:
        """What was taken, on one line: `user ← userId, item ← movieId, rating ← rating`."""
        return ", ".join(f"{role} ← {shown(column)}" for role, column in self.taken.items())
