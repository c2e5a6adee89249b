"""Tables of predictions: pairs or users are read from a file, predictions are written to one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from glocalk.data.formats.columns import Columns
from glocalk.data.formats.options import DEFAULTS, Choice, ReadOptions
from glocalk.data.formats.table import read_columns
from glocalk.data.ids import Ids, join, refuse_unrelated
from glocalk.data.labels import Kind, Labels
from glocalk.data.ratings import Ratings
from glocalk.errors import GlocalkError, shown
from glocalk.files import replacing
from glocalk.inference.look_up import Unknown
from glocalk.inference.predictor import Predictor

_GROUP = re.compile(
    r"\bdata\.(?=(user|item|rating|prediction|header|decimal|encoding|max_bytes)\b)"
)


@dataclass(frozen=True)
class Asked:
    """The ids in a file, row by row.

    Attributes:
        path: path of the file.
        ids: [rows] the ids by their kind.
        description: what was taken from the file, on one line.
    """

    path: Path
    ids: Mapping[Kind, Labels]
    description: str

    def distinct(self, kind: Kind) -> Labels:
        """The ids of one kind, each once, in the order of the rows."""
        return np.asarray(pd.unique(self.ids[kind]))


def read_asked(
    path: Path, choices: Mapping[Kind, Choice], options: ReadOptions = DEFAULTS
) -> Asked:
    """Read the users, or users and items, in a file of any form that ratings may have.

    Args:
        path: the file, see `glocalk.data.formats.table`.
        choices: the column of each kind: its name, its position, or None to find it.
        options: how to read the file.

    Raises:
        GlocalkError: the file cannot be read, has no rows, or lacks a column or an id.
    """
    columns = read_named(path, {str(kind): choices[kind] for kind in choices}, options)
    ids = {kind: labels_of(columns, kind) for kind in choices}
    return Asked(path, ids, _described(columns))


def read_ratings(
    path: Path,
    choices: Mapping[str, Choice],
    scale: tuple[float, float],
    options: ReadOptions = DEFAULTS,
) -> tuple[Ratings, str]:
    """Read ratings to fold in from a file of any form that ratings may have.

    Args:
        path: the file, see `glocalk.data.formats.table`.
        choices: the columns of `user`, `item` and `rating`: as in `read_asked`.
        scale: (lowest, highest) possible rating.
        options: how to read the file.

    Returns:
        The ratings, and what was taken from the file, on one line.

    Raises:
        GlocalkError: as `read_asked` does, or a rating is not a number on the scale, or a pair is
            rated more than once.
    """
    columns = read_named(path, choices, options)
    users, items = labels_of(columns, "user"), labels_of(columns, "item")
    wrong = ~np.isfinite(columns.ratings)
    if wrong.any():
        number, cells = columns.look(int(np.argmax(wrong)))
        raise GlocalkError(
            f"The rating '{shown(cells['rating'])}' in row {number} of '{path}' is not a finite "
            "number: fix it, or remove the row."
        )
    return Ratings.from_arrays(users, items, columns.ratings, scale=scale), _described(columns)


def read_named(path: Path, choices: Mapping[str, Choice], options: ReadOptions) -> Columns:
    """The chosen columns of a file, for commands that choose them by `user=`, not `data.user=`.

    Args:
        path: the file.
        choices: see `glocalk.data.formats.table.read_columns`.
        options: how to read the file.

    Raises:
        GlocalkError: as `read_columns` does.
    """
    if not path.is_file():
        reason = "it is a folder" if path.is_dir() else "there is no such file"
        raise GlocalkError(f"'{path}' cannot be read: {reason}.")
    try:
        return read_columns(path, choices, options)
    except GlocalkError as error:
        raise type(error)(_GROUP.sub("", str(error))) from error


def labels_of(columns: Columns, kind: Kind) -> Labels:
    """[rows] The users or the items of a table.

    Raises:
        GlocalkError: one of them is empty; the message has the number of its row.
    """
    columns.refuse_empty(kind)
    column = columns.by_role[kind]
    labels, (positions,) = join([column.texts])
    found: Labels = labels[positions[column.codes]]
    return found


def _described(columns: Columns) -> str:
    return columns.description + (f"; {columns.note}" if columns.note else "")


def predict_pairs(
    predictor: Predictor, pairs: Asked, unknown: Unknown = "refuse", *, return_std: bool = False
) -> Iterator[pd.DataFrame]:
    """Predict the rating of each pair in a file, in the order of its rows.

    Args:
        predictor: a fitted completer.
        pairs: users and items.
        unknown: as in `Predictor.predict`.
        return_std: likewise.

    Returns:
        Blocks with the columns user, item and rating; with `return_std` also std.

    Raises:
        GlocalkError: an id is unknown; no user and no item is known, whatever `unknown` says; or
            there is no standard deviation.
    """
    if predictor.trained_on is not None:
        asked = Ids(pairs.distinct("user"), pairs.distinct("item"))
        place = f"'{pairs.path}'"
        refuse_unrelated(predictor.trained_on.ids, asked, (predictor.trained_on.title, place))
    return predictor.predict_blocks(
        pairs.ids["user"], pairs.ids["item"], unknown, return_std=return_std
    )


def write_table(blocks: Iterable[pd.DataFrame], path: Path, digits: int | None = 6) -> int:
    """Write the blocks of a table to a CSV or Parquet file, completely or not at all.

    Args:
        blocks: data frames with the same columns, at least one.
        path: the file; ends in .csv or .parquet.
        digits: decimals of floats in CSV; None writes as many as tell them from all others.

    Returns:
        The number of rows.

    Raises:
        GlocalkError: the suffix is another one, pyarrow is needed but not installed, or the folder
            cannot be written to; errors of computing the blocks are passed on.
    """
    check_suffix(path)
    rows = 0
    with replacing(path) as temporary, _file(path.suffix, temporary, digits) as table:
        for block in blocks:
            table(block)
            rows += len(block)
    return rows


def check_suffix(path: Path) -> None:
    """Refuse a file that `write_table` cannot write.

    Raises:
        GlocalkError: the suffix is not .csv or .parquet, or pyarrow is needed but not installed.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise GlocalkError(f"'{path}' must end in .csv or .parquet.")
    if path.suffix == ".parquet":
        _pyarrow()


class _Table(Protocol):
    """Writes the blocks of a table."""

    def __call__(self, block: pd.DataFrame) -> None: ...


def _file(suffix: str, path: Path, digits: int | None) -> AbstractContextManager[_Table]:
    return _parquet_file(path) if suffix == ".parquet" else _csv_file(path, digits)


@contextmanager
def _csv_file(path: Path, digits: int | None) -> Iterator[_Table]:
    with path.open("w", encoding="utf-8", newline="") as file:

        def write(block: pd.DataFrame) -> None:
            block.to_csv(
                file,
                header=not file.tell(),
                index=False,
                float_format=None if digits is None else f"%.{digits}f",
                lineterminator="\n",
            )

        yield write


@contextmanager
def _parquet_file(path: Path) -> Iterator[_Table]:
    arrow, parquet = _pyarrow()
    writer = None

    def kind(column: pd.Series[Any]) -> Any:
        numeric = column.dtype.kind in "iuf"
        return arrow.from_numpy_dtype(column.dtype) if numeric else arrow.string()

    def write(block: pd.DataFrame) -> None:
        nonlocal writer
        schema = arrow.schema((str(name), kind(column)) for name, column in block.items())
        if writer is None:
            writer = parquet.ParquetWriter(path, schema)
        writer.write_table(arrow.Table.from_pandas(block, schema=schema, preserve_index=False))

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise GlocalkError(
            "Parquet needs pyarrow, which is not installed: pip install pyarrow, or choose a file "
            "that ends in .csv."
        ) from error
    return pa, pq
