"""Parquet files of ratings; needs pyarrow, the extra `parquet`."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glocalk.data.formats.cells import no_rows
from glocalk.data.formats.columns import ColumnBuilder, Columns, Texts
from glocalk.data.formats.header import Header
from glocalk.data.formats.options import DEFAULTS, Choice, ReadOptions
from glocalk.data.formats.roles import MEASURED, measured
from glocalk.data.formats.sizes import check_unpacked
from glocalk.data.labels import as_text
from glocalk.errors import GlocalkError

MAGIC = b"PAR1"

_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")
_BYTES = 8  # of a cell, or of its position among the distinct texts and their bookkeeping


def read_parquet(
    path: Path,
    blocks: Iterable[bytes],
    choices: Mapping[str, Choice],
    options: ReadOptions = DEFAULTS,
) -> Columns:
    """The chosen columns of a parquet file; rows are numbered from 1.

    An index that pandas has stored under a name is a column, after the others.

    Args:
        path: the file, for error messages.
        blocks: its content, decompressed.
        choices: see `glocalk.data.formats.table.read_columns`.
        options: see `ReadOptions`.

    Raises:
        GlocalkError: pyarrow is not installed, the file is damaged or too large, or a column is
            missing or contains lists.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise GlocalkError(
            f"Reading '{path}' needs pyarrow: pip install 'glocalk[parquet]'."
        ) from error
    content = b"".join(blocks)
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
        stored = [name for name in file.schema_arrow.names if not _UNNAMED_INDEX.fullmatch(name)]
        header = Header(path, stored, len(stored))
        positions = header.positions(choices, options.optional)
        names = header.taken(positions)
        _check_size(path, file, names, len(content), options.max_bytes)
        # One text that fills many rows is held once.
        texts = [name for name in names.values() if _is_text(file.schema_arrow.field(name))]
        file = pyarrow.parquet.ParquetFile(io.BytesIO(content), read_dictionary=texts)
        # One column after the other, which takes less memory.
        cells = {role: _texts(path, role, _column(file, name)) for role, name in names.items()}
    except GlocalkError:
        raise
    except Exception as error:  # Arrow's own kinds, OSError, and more
        raise GlocalkError(
            f"'{path}' is parquet but damaged: download or create it again."
        ) from error
    if not file.metadata.num_rows:
        raise no_rows(path)
    by_role = {}
    for role, cells_of_role in cells.items():
        if role not in MEASURED:
            builder = ColumnBuilder()
            builder.add(cells_of_role)
            by_role[role] = builder.column()
    role_of_numbers = measured(cells)
    return Columns(
        path,
        by_role,
        cells[role_of_numbers].values() if role_of_numbers else np.empty(0),
        lambda row: (row + 1, {role: c.texts[c.codes[row]] for role, c in cells.items()}),
        names,
        others=header.others(positions),
    )


def _check_size(
    path: Path, file: Any, names: Mapping[str, str], packed: int, max_bytes: int
) -> None:
    """Refuse columns that unpack to too much, as far as the metadata tells."""
    metadata = file.metadata
    size = metadata.num_rows * len(names) * _BYTES
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size += sum(
            group.column(at).total_uncompressed_size
            for at in range(group.num_columns)
            if group.column(at).path_in_schema in names.values()
        )
    check_unpacked(path, size, max_bytes, packed)


def _column(file: Any, name: str) -> pd.Series[Any]:
    column: pd.Series[Any] = (
        file.read(columns=[name]).column(0).to_pandas(integer_object_nulls=True)
    )
    return column


def _is_text(field: Any) -> bool:
    return str(field.type) in ("string", "large_string", "binary", "large_binary")


def _texts(path: Path, role: str, column: pd.Series[Any]) -> Texts:
    try:
        codes, values = pd.factorize(column)
        cells = [_cell(value, role) for value in values]
    except TypeError as error:
        raise GlocalkError(
            f"The {role} column of '{path}' holds lists: it must hold one value per row."
        ) from error
    except UnicodeDecodeError as error:
        raise GlocalkError(
            f"The {role} column of '{path}' contains bytes that are not UTF-8 text: "
            "save it as text."
        ) from error
    if (codes < 0).any():  # missing values
        codes, cells = np.where(codes < 0, len(cells), codes), [*cells, ""]
    return Texts.of(codes, cells)


def _cell(value: Any, role: str) -> str:
    """A value of a typed column as a text file would have it."""
    if isinstance(value, bytes):
        return value.decode()
    if role in ("user", "item"):
        return as_text(value, role)
    if isinstance(value, pd.Timestamp):
        return str(value.value)  # nanoseconds, which its own text may round
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))  # a column of whole numbers with gaps comes as floats
    return str(value)
