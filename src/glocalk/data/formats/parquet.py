"""Parquet files of ratings; needs pyarrow, the extra `parquet`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glocalk.data.formats.cells import shown_path
from glocalk.data.formats.columns import ColumnBuilder, Columns, Texts
from glocalk.data.formats.header import Header
from glocalk.data.formats.options import DEFAULTS, Choice, ReadOptions
from glocalk.errors import GlocalkError

MAGIC = b"PAR1"


def read_parquet(
    path: Path, content: bytes, choices: Mapping[str, Choice], options: ReadOptions = DEFAULTS
) -> Columns:
    """The chosen columns of a parquet file.

    Args:
        path: the file, for error messages.
        content: its bytes.
        choices: see `glocalk.data.formats.table.read_columns`.
        options: see `ReadOptions`.

    Raises:
        GlocalkError: pyarrow is not installed, the file is damaged, or a column is missing or
            holds lists.
    """
    try:
        table = pd.read_parquet(io.BytesIO(content), engine="pyarrow")
    except ImportError as error:
        raise GlocalkError(
            f"Reading '{shown_path(path)}' needs pyarrow: pip install 'glocalk[parquet]'."
        ) from error
    except Exception as error:  # Arrow's own kinds, OSError, and more
        raise GlocalkError(
            f"'{shown_path(path)}' is parquet but damaged: download or create it again."
        ) from error
    header = Header(path, [str(name) for name in table.columns], len(table.columns))
    positions = header.positions(choices, options.optional)
    cells = {
        role: _texts(path, role, table.iloc[:, position]) for role, position in positions.items()
    }
    if not len(table):
        raise GlocalkError(f"'{shown_path(path)}' holds no ratings: give a file with rows.")
    by_role = {}
    for role, texts in cells.items():
        if role != "rating":
            builder = ColumnBuilder()
            builder.add(texts)
            by_role[role] = builder.column()
    return Columns(
        path,
        by_role,
        cells["rating"].values() if "rating" in cells else np.empty(0),
        lambda row: (row + 1, {role: c.texts[c.codes[row]] for role, c in cells.items()}),
        header.taken(positions),
    )


def _texts(path: Path, role: str, column: pd.Series[Any]) -> Texts:
    try:
        codes, values = pd.factorize(column)
    except TypeError as error:
        raise GlocalkError(
            f"The {role} column of '{shown_path(path)}' holds lists: it must hold one value per "
            "row."
        ) from error
    cells = [_cell(value) for value in values]
    if (codes < 0).any():  # missing values
        codes, cells = np.where(codes < 0, len(cells), codes), [*cells, ""]
    return Texts.of(codes, cells)


def _cell(value: Any) -> str:
    """A value of a typed column as a text file would have it."""
    if isinstance(value, pd.Timestamp):
        return str(value.value)  # nanoseconds, which its own text may round
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))  # a column of whole numbers with gaps comes as floats
    return str(value)
