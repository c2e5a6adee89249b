"""Tables of predictions: pairs are read from a file and predictions written to one, in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from glocalk.data.labels import Labels, as_labels
from glocalk.errors import GlocalkError
from glocalk.files import replacing
from glocalk.inference.predictor import Predictor, Unknown

_ROWS = 1 << 16  # rows in one block of a file of pairs


def predict_file(
    predictor: Predictor, path: Path, unknown: Unknown = "refuse"
) -> Iterator[pd.DataFrame]:
    """Predict the pairs in a CSV file with the columns user and item, in their order.

    Args:
        predictor: a fitted completer.
        path: the file.
        unknown: as in `Predictor.predict`.

    Yields:
        Blocks with the columns user, item and rating.

    Raises:
        GlocalkError: the file cannot be read, or an id in it is unknown.
    """
    for block in _read_csv(path, ("user", "item")):
        users = as_labels(block["user"], "user")
        items = as_labels(block["item"], "item")
        rating = predictor.predict(users, items, unknown)
        yield pd.DataFrame({"user": users, "item": items, "rating": rating})


def read_users(path: Path) -> Labels:
    """Read the distinct user ids, as text, in a CSV file with the column user.

    Raises:
        GlocalkError: the file cannot be read.
    """
    blocks = [block["user"] for block in _read_csv(path, ("user",))]
    users: Labels = pd.concat(blocks).drop_duplicates().to_numpy(dtype=object)
    return users


def write_table(blocks: Iterable[pd.DataFrame], path: Path) -> int:
    """Write the blocks of a table to a CSV or Parquet file, completely or not at all.

    Args:
        blocks: data frames with the same columns, at least one.
        path: the file; ends in .csv or .parquet.

    Returns:
        The number of rows.

    Raises:
        GlocalkError: the suffix is another one, pyarrow is needed but not installed, or the folder
            cannot be written to; errors of computing the blocks are passed on.
    """
    check_suffix(path)
    kind = _parquet_file if path.suffix == ".parquet" else _csv_file
    rows = 0
    with replacing(path) as temporary, kind(temporary) as table:
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


@contextmanager
def _csv_file(path: Path) -> Iterator[_Table]:
    with path.open("w", encoding="utf-8", newline="") as file:

        def write(block: pd.DataFrame) -> None:
            block.to_csv(
                file,
                header=not file.tell(),
                index=False,
                float_format="%.6f",
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


def _read_csv(path: Path, columns: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    """Read `columns` of a CSV file as text, in blocks; at least one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # An id is its text, even if that is `NA` or empty.
            chunks = pd.read_csv(file, dtype=str, keep_default_na=False, chunksize=_ROWS)
            for block in chunks:
                for name in columns:
                    if name not in block:
                        raise GlocalkError(
                            f"'{path}' has no column '{name}': its first line must be "
                            f"{','.join(columns)}."
                        )
                yield block[list(columns)]
    except OSError as error:
        raise GlocalkError(f"'{path}' cannot be read: {error.strerror}.") from error
    except pd.errors.EmptyDataError as error:
        raise GlocalkError(
            f"'{path}' is empty: its first line must be {','.join(columns)}."
        ) from error
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise GlocalkError(f"'{path}' is not a CSV file ({reason}).") from error
