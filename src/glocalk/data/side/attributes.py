"""Attributes of users or of items, as their files have them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glocalk.config import did_you_mean
from glocalk.data.ids import Ids
from glocalk.data.labels import Kind
from glocalk.errors import GlocalkError, shown

_LARGEST = 1e18  # its square is finite in float32
_SEVERAL = (list, tuple, set, frozenset, np.ndarray)

Column: TypeAlias = NDArray[Any]
"""[n] numbers (float64, NaN where unknown), or objects: texts (None where unknown), or tuples of
distinct ascending texts (empty where unknown)."""

Form: TypeAlias = Literal["number", "text", "several"]


@dataclass(frozen=True, eq=False)
class Attributes:
    """What is known of each user, or of each item.

    Attributes:
        kind: of whom.
        columns: by name of the attribute, a value for each index: numbers, texts, or lists of
            texts; None and NaN where it is unknown.

    Raises:
        GlocalkError: columns differ in length, hold values of another type, or numbers that are not
            within ±1e18.

    Example:
        >>> from glocalk.data.side.attributes import Attributes
        >>> made = Attributes("user", {"age": [24, None], "gender": ["M", "F"]})
        >>> made.column("age").tolist(), made.form("gender")
        ([24.0, nan], 'text')
    """

    kind: Kind
    columns: Mapping[str, Any]

    def __post_init__(self) -> None:
        made = {
            str(name): _as_column(values, f"The attribute '{shown(name)}' of the {self.kind}s")
            for name, values in self.columns.items()
        }
        if len({len(column) for column in made.values()}) != 1:
            raise GlocalkError(f"The attributes of the {self.kind}s differ in length, or are none.")
        object.__setattr__(self, "columns", made)

    @classmethod
    def of_ids(cls, kind: Kind, frame: pd.DataFrame, column: str, ids: Ids) -> Attributes:
        """From a table with a row for each user or item.

        Args:
            kind: `user` or `item`.
            frame: the table; what it does not have a row for is unknown, and other rows are
                ignored.
            column: name of the column of ids.
            ids: ids of the indices.

        Raises:
            GlocalkError: there is no such column, a name or an id occurs twice, or no id is known.
        """
        if column not in frame.columns:
            instead = did_you_mean(column, map(str, frame.columns))
            raise GlocalkError(f"The table of {kind}s has no column '{shown(column)}': {instead}")
        if frame.columns.has_duplicates:
            raise GlocalkError(
                f"The table of {kind}s has two columns with the same name: rename one."
            )
        find = ids.find_users if kind == "user" else ids.find_items
        labels = frame[column].to_numpy()
        at = find(labels)
        known = at >= 0
        # Two labels may be one id, as 7 and "7" are.
        same = np.where(known, at.astype(object), [str(label) for label in labels])
        if (again := pd.Series(same).duplicated().to_numpy()).any():
            row = int(np.argmax(again))
            raise GlocalkError(
                f"The table of {kind}s has two rows with the same {column}, "
                f"'{shown(labels[row])}': keep one."
            )
        if not known.any():
            raise GlocalkError(
                f"No {column} of the table of {kind}s is in the ratings: check the column."
            )
        size = len(ids.users if kind == "user" else ids.items)
        rows = np.full(size, -1)
        rows[at[known]] = np.flatnonzero(known)
        others = frame.drop(columns=column)
        return cls(kind, {str(name): _at(others[name], rows) for name in others.columns})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, name: str) -> Column:
        """The values of one attribute.

        Raises:
            GlocalkError: there is no such attribute.
        """
        if name not in self.columns:
            raise GlocalkError(
                f"The {self.kind}s have no attribute '{shown(name)}': "
                f"{did_you_mean(name, self.columns)}"
            )
        return self.columns[name]  # type: ignore[no-any-return]

    def form(self, name: str) -> Form:
        """Whether an attribute is a number, a text, or several texts at once."""
        column = self.column(name)
        if column.dtype.kind == "f":
            return "number"
        return "several" if any(isinstance(value, tuple) for value in column) else "text"

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over all values."""
        content = {name: [_plain(value) for value in made] for name, made in self.columns.items()}
        return hashlib.sha256(json.dumps([self.kind, content]).encode()).hexdigest()


def _at(values: pd.Series[Any], rows: NDArray[Any]) -> Any:
    """The values of these rows, and missing ones for −1."""
    return values.reset_index(drop=True).reindex(rows)


def _as_column(values: Any, what: str) -> Column:
    series = pd.Series(values)
    if pd.api.types.is_bool_dtype(series) or pd.api.types.is_numeric_dtype(series):
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        if (np.abs(numbers) > _LARGEST).any():
            raise GlocalkError(
                f"{what} has the value {numbers[np.nanargmax(np.abs(numbers))]:g}: give "
                f"finite numbers within ±{_LARGEST:.0e}."
            )
        return numbers
    made = [_as_value(value, what) for value in series]
    column: Column = np.empty(len(made), dtype=object)
    several = any(isinstance(value, tuple) for value in made)
    for place, value in enumerate(made):
        if several and not isinstance(value, tuple):
            value = () if value is None else (value,)
        column[place] = value
    return column


def _as_value(value: Any, what: str) -> str | tuple[str, ...] | None:
    if isinstance(value, _SEVERAL):
        texts = (_as_text(part, what) for part in value)
        return tuple(sorted({text for text in texts if text is not None}))
    return _as_text(value, what)


def _as_text(value: Any, what: str) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if not isinstance(value, _SEVERAL):
        if value is None or pd.isna(value):
            return None
        if isinstance(value, (int, float, np.number)):
            return f"{value:g}"
    raise GlocalkError(
        f"{what} holds {type(value).__name__} '{shown(value)}': give numbers, text, or lists of "
        "text."
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if np.isnan(value) else float(value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
