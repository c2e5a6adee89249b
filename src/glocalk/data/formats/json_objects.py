"""Ratings in JSON: an object for each rating, one after the other or in an array.

Yelp and Amazon publish reviews as JSON lines; an object may also span several lines. Its names are
names of columns. Numbers are taken as they are written, as those of a text file are.
"""

from __future__ import annotations

import codecs
import itertools
import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glocalk.data.formats.cells import no_rows
from glocalk.data.formats.columns import ColumnBuilder, Columns, Texts
from glocalk.data.formats.compression import read_blocks
from glocalk.data.formats.encodings import as_utf_8, not_utf_8
from glocalk.data.formats.header import Header
from glocalk.data.formats.options import DEFAULTS, Choice, ReadOptions
from glocalk.data.formats.roles import MEASURED, measured
from glocalk.data.rating_matrix import Values
from glocalk.errors import GlocalkError, shown

_ROWS = 1 << 16  # objects in a part of a column
_LONGEST = 1 << 23  # characters of an object
_EXAMPLE = '{"user": 1, "item": 10, "rating": 4}'
_PYTHON = re.compile(r"\{\s*u?'")  # str(dict), as some data sets are published
_WHITE = re.compile(r"[ \t\n\r]*")


def is_json(start: bytes) -> bool:
    """Whether the content begins with an object or an array, as no table does."""
    return re.match(rb"(\xef\xbb\xbf)?\s*(\{|\[\s*[\[{\]])", start) is not None


def read_json(
    path: Path,
    blocks: Iterable[bytes],
    choices: Mapping[str, Choice],
    options: ReadOptions = DEFAULTS,
) -> Columns:
    """The chosen columns of JSON objects; rows are numbered from 1.

    Args:
        path: the file, to name it in errors and to look at a row again.
        blocks: its content, decompressed.
        choices: see `glocalk.data.formats.table.read_columns`. Columns are the names in the first
            object.
        options: see `ReadOptions`.

    Raises:
        GlocalkError: it is not such JSON, has no objects or lacks a column, or a chosen column
            contains an object or a list.
    """
    rows = _objects(path, blocks, options.encoding)
    first = next(rows, None)
    if first is None:
        raise no_rows(path)
    header = Header(path, list(first), len(first))
    positions = header.positions(choices, options.optional)
    names = header.taken(positions)
    rows = itertools.chain([first], rows)
    numbers = itertools.count(1)
    builders = {
        role: ColumnBuilder(distinct=role != "timestamp") for role in names if role not in MEASURED
    }
    ratings: list[Values] = []
    while part := list(itertools.islice(rows, _ROWS)):
        texts = _texts(path, part, names, numbers)
        if role_of_numbers := measured(texts):
            ratings.append(texts[role_of_numbers].values())
        for role, builder in builders.items():
            builder.add(texts[role])

    def look(row: int) -> tuple[int, dict[str, str]]:
        again = _objects(path, read_blocks(path, options.max_bytes), options.encoding)
        found = next(itertools.islice(again, row, None))
        return row + 1, {
            role: _cell(path, role, row + 1, found.get(name)).strip()
            for role, name in names.items()
        }

    by_role = {role: builder.column() for role, builder in builders.items()}
    values = np.concatenate([*ratings, np.empty(0)])
    return Columns(path, by_role, values, look, names, others=header.others(positions))


def _texts(
    path: Path, rows: Sequence[dict[str, Any]], names: Mapping[str, str], numbers: Iterator[int]
) -> dict[str, Texts]:
    """The cells of some rows by role."""
    coded = {role: (array("i"), dict[str, int]()) for role in names}
    for row, number in zip(rows, numbers, strict=False):
        for role, (codes, cells) in coded.items():
            cell = _cell(path, role, number, row.get(names[role]))
            codes.append(cells.setdefault(cell, len(cells)))
    return {
        role: Texts.of(np.array(codes, dtype=np.int32), cells)
        for role, (codes, cells) in coded.items()
    }


def _cell(path: Path, role: str, number: int, value: Any) -> str:
    """A value as a text file would have it."""
    if isinstance(value, str):  # numbers too, see `_objects`
        return value
    if value is None:
        return ""
    if isinstance(value, bool) and role not in ("user", "item"):
        return str(value).lower()
    kind = "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        kind = "true or false"
    raise GlocalkError(
        f"The {role} column of '{path}' contains {kind} in row {number}: give one "
        f"object like {_EXAMPLE} per rating."
    )


def _objects(path: Path, blocks: Iterable[bytes], encoding: str | None) -> Iterator[dict[str, Any]]:
    """The objects, with the text of numbers in place of the numbers."""
    decode = json.JSONDecoder(
        object_pairs_hook=_distinct, parse_int=str, parse_float=str, parse_constant=str
    ).raw_decode
    texts = _decoded(path, as_utf_8(path, blocks, encoding))
    text, at, number = "", 0, 0
    in_array = ended = False
    while True:
        at = _end_of_white(text, at)
        if at == len(text):
            if not (text := next(texts, "")):
                break
            at = 0
        elif ended:
            raise GlocalkError(f"'{path}' continues after its JSON array: fix its end.")
        elif text[at] == "[" and not number and not in_array:
            in_array, at = True, at + 1
        elif text[at] == "]" and in_array:
            ended, at = True, at + 1
        elif text[at] == "," and in_array and number:
            at += 1
        else:
            try:
                value, at = decode(text, at)
            except (ValueError, RecursionError) as error:
                # The object may continue in the next part of the text.
                cut = isinstance(error, json.JSONDecodeError) and len(text) - at <= _LONGEST
                if cut and (more := next(texts, "")):
                    text, at = text[at:] + more, 0
                    continue
                if _PYTHON.match(text, at):
                    raise GlocalkError(
                        f"Row {number + 1} of '{path}' is a dict of Python, not JSON: "
                        "write each row as json.dumps(ast.literal_eval(row))."
                    ) from error
                reason = error.msg if isinstance(error, json.JSONDecodeError) else error
                raise GlocalkError(
                    f"Row {number + 1} of '{path}' cannot be read as JSON "
                    f"({shown(reason)}): fix it."
                ) from error
            number += 1
            if not isinstance(value, dict):
                raise GlocalkError(
                    f"Row {number} of '{path}' is JSON, but not an object: give one "
                    f"like {_EXAMPLE} per rating."
                )
            yield value
    if in_array and not ended:
        raise GlocalkError(
            f"'{path}' ends before its JSON array does: download or create it again."
        )


def _end_of_white(text: str, at: int) -> int:
    found = _WHITE.match(text, at)
    return at if found is None else found.end()


def _decoded(path: Path, blocks: Iterable[bytes]) -> Iterator[str]:
    """UTF-8 as text, in parts that are not empty."""
    decoder, offset = codecs.getincrementaldecoder("utf-8")(), 0
    for block in itertools.chain(blocks, [b""]):
        waiting = len(decoder.getstate()[0])  # bytes of a character that the last block has cut
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise not_utf_8(path, offset - waiting + error.start) from error
        offset += len(block)
        if text:
            yield text


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found
