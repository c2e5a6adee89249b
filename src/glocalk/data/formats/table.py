"""Columns of a table in a file of any format."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from glocalk.data.formats.columns import Columns
from glocalk.data.formats.compression import read_blocks
from glocalk.data.formats.delimited import read_delimited
from glocalk.data.formats.foreign import refuse_foreign
from glocalk.data.formats.json_objects import is_json, read_json
from glocalk.data.formats.options import DEFAULTS, Choice, ReadOptions
from glocalk.data.formats.parquet import MAGIC, read_parquet
from glocalk.errors import GlocalkError


def read_columns(
    path: Path, choices: Mapping[str, Choice], options: ReadOptions = DEFAULTS
) -> Columns:
    """The chosen columns of a file whose format is recognized by its content.

    Text (see `glocalk.data.formats.delimited`), JSON (`json_objects`) or parquet; plain, or
    compressed by gzip, bzip2 or xz, or in a zip archive of one file. For the header, and for
    columns without a choice, see `glocalk.data.formats.header`.

    Args:
        path: the file.
        choices: what to read, by role: any of `user`, `item`, `timestamp`, and `rating` or
            `prediction`, with the column's position or name, or None to find it.
        options: see `ReadOptions`.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it cannot be read, is damaged, too large or in another format, has no rows, or
            lacks a column.
    """
    blocks = read_blocks(path, options.max_bytes)
    first = next(blocks, b"")
    blocks = itertools.chain([first], blocks)
    if first.startswith(MAGIC):
        _refuse_matrix(path, "parquet", options)
        return read_parquet(path, blocks, choices, options)
    refuse_foreign(path, first)
    if is_json(first):
        _refuse_matrix(path, "JSON", options)
        return read_json(path, blocks, choices, options)
    return read_delimited(path, blocks, choices, options)


def _refuse_matrix(path: Path, form: str, options: ReadOptions) -> None:
    if options.layout == "matrix":
        raise GlocalkError(
            f"'{path}' is {form}, but data.layout=matrix reads text: save it as csv."
        )
