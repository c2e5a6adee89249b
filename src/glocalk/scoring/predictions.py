"""Tables of predictions made elsewhere, read from a file or a DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glocalk.data.formats.cells import to_number
from glocalk.data.formats.options import DEFAULTS, Choice, ReadOptions
from glocalk.data.labels import Labels, as_labels
from glocalk.data.rating_matrix import Values
from glocalk.errors import GlocalkError, shown
from glocalk.inference.tables import labels_of, read_named

ROLES = ("user", "item", "prediction")


@dataclass(frozen=True, eq=False)
class Predictions:
    """A table of predictions, one row for each pair of a user and an item.

    Attributes:
        title: what sentences call it: `'predictions.csv'`, `the table`.
        users: [rows] ids.
        items: [rows] ids.
        predicted: [rows] predictions, NaN where a cell does not hold a finite number.
        look: where a row (counted from 0) is, as in `in row 7`, and its prediction as written.
        notes: how it was read.
    """

    title: str
    users: Labels
    items: Labels
    predicted: Values
    look: Callable[[int], tuple[str, str]]
    notes: tuple[str, ...] = ()

    @classmethod
    def of_file(
        cls,
        path: Path,
        choices: Mapping[str, Choice] | None = None,
        options: ReadOptions = DEFAULTS,
    ) -> Predictions:
        """Read a file of any form that ratings may have.

        Args:
            path: the file.
            choices: columns of `user`, `item` and `prediction`, by name or position; those without
                a choice are found by their usual names (see `glocalk.data.formats.roles`) or, in a
                file without names, by their order.
            options: how to read the file.

        Raises:
            GlocalkError: it cannot be read, lacks a column, or has no rows or an empty id.
        """
        wanted = {role: (choices or {}).get(role) for role in ROLES}
        try:
            columns = read_named(path, wanted, options)
        except GlocalkError as error:
            raise type(error)(
                str(error).replace("holds no ratings", "holds no predictions")
            ) from error
        users, items = labels_of(columns, "user"), labels_of(columns, "item")

        def look(row: int) -> tuple[str, str]:
            number, cells = columns.look(row)
            return f"in row {number}", cells["prediction"]

        ignored = f"; ignored: {', '.join(map(shown, columns.others))}" if columns.others else ""
        notes = [f"{columns.description}{ignored}", *filter(None, [columns.note])]
        return cls(f"'{path}'", users, items, columns.ratings, look, tuple(notes))

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> Predictions:
        """Take the columns `user`, `item` and `prediction` of a DataFrame.

        Raises:
            GlocalkError: a column is missing or occurs twice, or there is no row or an id that is
                missing or neither a whole number nor text.
        """
        names = list(frame.columns)
        for role in ROLES:
            if names.count(role) != 1:
                has = "more than one" if role in names else "no"
                raise GlocalkError(
                    f"The table has {has} column '{role}' (it has {', '.join(map(str, names))}): "
                    "give it the columns user, item and prediction, once each."
                )
        if not len(frame):
            raise GlocalkError("The table holds no predictions: give one with rows.")
        cells = frame["prediction"]
        return cls(
            "the table",
            as_labels(frame["user"], "user"),
            as_labels(frame["item"], "item"),
            _numbers(cells),
            lambda row: (f"at position {row}", _text(cells.iloc[row])),
        )


def _numbers(cells: pd.Series[Any]) -> Values:
    """[rows] The cells of a column as numbers, NaN where one does not hold a finite number."""
    if cells.dtype.kind in "iuf":
        values: Values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = np.array([_number(cell) for cell in cells], dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _text(cell: Any) -> str:
    return "" if np.ndim(cell) == 0 and pd.isna(cell) else str(cell)


def _number(cell: Any) -> float | None:
    if isinstance(cell, str):
        return to_number(cell.strip(), ".")
    if isinstance(cell, bool | np.bool_) or not np.isscalar(cell):
        return None
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
