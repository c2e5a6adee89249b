"""Columns of a table in a file of any format."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from glocalk.data.formats.columns import Choice, Columns
from glocalk.data.formats.compression import read_blocks
from glocalk.data.formats.delimited import read_delimited
from glocalk.data.formats.foreign import refuse_foreign
from glocalk.data.formats.json_objects import is_json, read_json
from glocalk.data.formats.parquet import MAGIC, read_parquet
from glocalk.data.formats.sizes import MAX_BYTES


def read_columns(
    path: Path,
    choices: Mapping[str, Choice],
    *,
    encoding: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Columns:
    """The chosen columns of a file whose format is recognized by its content.

    Text (see `glocalk.data.formats.delimited`), JSON or parquet; plain, or compressed by gzip,
    bzip2 or xz, or in a zip archive of one file. For the header, and for columns without a
    choice, see `glocalk.data.formats.columns.Header`.

    Args:
        path: the file.
        choices: what to read, by role: `user`, `item`, `rating`, and maybe `timestamp`.
        encoding: see `glocalk.data.formats.encodings.as_utf_8`.
        max_bytes: the largest unpacked size; see `glocalk.data.formats.sizes`.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it cannot be read, is damaged, too large or in another format, has no rows, or
            lacks a column.
    """
    blocks = read_blocks(path, max_bytes)
    first = next(blocks, b"")
    blocks = itertools.chain([first], blocks)
    if first.startswith(MAGIC):
        return read_parquet(path, blocks, choices, max_bytes)
    refuse_foreign(path, first)
    if is_json(first):
        return read_json(path, blocks, choices, encoding)
    return read_delimited(path, blocks, choices, encoding)
