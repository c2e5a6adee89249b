"""Columns of a table in a file: text in any usual form, compressed or not, or parquet."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import itertools
import lzma
import re
import zipfile
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from glocalk.data.ratings import Indices
from glocalk.errors import GlocalkError, MissingDataError

Choice: TypeAlias = int | str | None
"""A column's position, counted from 0, its name, or None for the usual one."""

# Usual names by what a column holds, letters and digits only, the likeliest first.
_USUAL = {
    "user": ("user", "userid", "uid", "reviewer", "reviewerid", "customer", "customerid"),
    "item": (
        *("item", "itemid", "iid", "movie", "movieid", "product", "productid", "asin"),
        *("book", "bookid", "isbn", "track", "trackid", "song", "songid", "artist", "artistid"),
        *("business", "businessid"),
    ),
    "rating": ("rating", "ratings", "stars", "score", "overall"),
    "timestamp": ("timestamp", "time", "unixreviewtime", "datetime", "date"),
}
_PLACES = {"user": 0, "item": 1, "rating": 2, "timestamp": 3}

_SEPARATORS = ("::", "\t", ",", ";", "|", " ")
_UNIT = "\x1f"  # stands for `::`, as the csv module splits on one character only
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOTHING = {"", "nan", "na", "n/a", "<na>", "null", "none"}


def is_number(text: str) -> bool:
    """Whether a cell is written as a number, NaN and infinity not among them."""
    return _NUMBER.fullmatch(text) is not None


def is_nothing(text: str) -> bool:
    """Whether a cell is empty, or says that nothing is there."""
    return text.casefold() in _NOTHING


def shown(text: object) -> str:
    """A cell in an error sentence: on one line, and not a long one."""
    line = " ".join(str(text).split())
    return line if len(line) <= 40 else f"{line[:39]}…"


@dataclass(frozen=True)
class Column:
    """The cells of a column.

    Attributes:
        codes: [rows] position of each row's text in `texts`.
        texts: the distinct texts, without white space around them.
    """

    codes: Indices
    texts: Sequence[str]

    @classmethod
    def of(cls, codes: Iterable[int], cells: Iterable[str]) -> Column:
        """From codes into cells that may differ in the white space around them alone."""
        texts: dict[str, int] = {}
        merged = [texts.setdefault(cell.strip(), len(texts)) for cell in cells]
        positions = np.asarray(merged, dtype=np.int64)
        return cls(positions[np.asarray(codes, dtype=np.int64)], list(texts))

    def first(self, text: str) -> int:
        """The first row with this text."""
        return int(np.argmax(self.codes == self.texts.index(text)))


@dataclass(frozen=True)
class Columns:
    """The columns that were asked for.

    Attributes:
        path: of the file.
        numbers: [rows] number of each row in the file, counted from 1: in text the line, so that
            a header is row 1.
        by_role: each column by what it holds.
    """

    path: Path
    numbers: Indices
    by_role: Mapping[str, Column]


def read_columns(path: Path, choices: Mapping[str, Choice]) -> Columns:
    """The chosen columns of a file whose form is found by itself.

    - Compression by content: gzip, bzip2, xz, a zip archive of one file; parquet by content, too.
    - The separator is the first of `::`, tab, `,`, `;`, `|` and space that stands twice or more in
      each of the first rows.
    - The first row is a header where it holds no number, and either a usual or chosen name or no
      empty cell; also where it holds a chosen name.
    - A column without a choice has a usual name, or else the place user, item, rating, timestamp.

    Args:
        path: the file.
        choices: what to read, by role: `user`, `item`, `rating`, `timestamp`.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it cannot be read, is damaged, has no rows, or lacks a column.
    """
    content = _content(path)
    if content[:4] == b"PAR1":
        return _from_parquet(path, content, choices)
    return _from_text(path, _text(path, content), choices)


def check_is_file(path: Path) -> None:
    """Refuse a path that leads to no file.

    Raises:
        MissingDataError: there is none.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise MissingDataError(
            f"The file '{shown_path(path)}' {what}: give the path of your ratings, data.path=…"
        )


def shown_path(path: Path) -> str:
    """A path in an error sentence, on one line."""
    return " ".join(str(path).split("\n"))


def _content(path: Path) -> bytes:
    """The file's bytes, decompressed."""
    check_is_file(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GlocalkError(f"'{shown_path(path)}' cannot be read: {error.strerror}.") from error
    try:
        if content.startswith(b"\x1f\x8b"):
            return gzip.decompress(content)
        if content.startswith(b"BZh"):
            return bz2.decompress(content)
        if content.startswith(b"\xfd7zXZ\x00"):
            return lzma.decompress(content)
        if content.startswith(b"PK\x03\x04"):
            return _only_member(path, content)
    except GlocalkError:
        raise
    except Exception as error:  # a damaged archive makes each module raise half a dozen kinds
        raise GlocalkError(
            f"'{shown_path(path)}' is compressed but damaged: get or make it again."
        ) from error
    return content


def _only_member(path: Path, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        # macOS adds a folder of its own.
        names = [
            name
            for name in archive.namelist()
            if not name.endswith("/") and not name.startswith("__MACOSX/")
        ]
        if len(names) != 1:
            raise GlocalkError(
                f"'{shown_path(path)}' is an archive of {len(names)} files: give the one that "
                "holds the ratings."
            )
        return archive.read(names[0])


def _text(path: Path, content: bytes) -> str:
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise GlocalkError(
            f"'{shown_path(path)}' is no UTF-8 text (at byte {error.start}): save it as UTF-8."
        ) from error
    if "\0" in text:
        raise GlocalkError(
            f"'{shown_path(path)}' is no table of text, it holds zero bytes: give a csv, tsv or "
            "parquet file."
        )
    return text


def _separator(text: str) -> str:
    lines = itertools.islice((line for line in io.StringIO(text, newline=None) if line.strip()), 10)
    bare = [re.sub('"[^"]*"', "", line.strip(" \n")) for line in lines]
    for least in (2, 1):
        for separator in _SEPARATORS:
            if bare and all(line.count(separator) >= least for line in bare):
                return separator
    return ","


def _from_text(path: Path, text: str, choices: Mapping[str, Choice]) -> Columns:
    separator = _separator(text)
    if separator == "::":
        text, separator = text.replace("::", _UNIT), _UNIT
    elif separator == " ":
        text = "\n".join(" ".join(line.split()) for line in io.StringIO(text, newline=None))
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    first: list[str] | None = None
    header: _Header | None = None
    numbers, coded = array("q"), [(array("q"), dict[str, int]()) for _ in choices]
    positions: list[int] = []
    try:
        for row in reader:
            if not any(row):
                continue  # a blank line, or a spreadsheet's row of nothing but separators
            if first is None:
                first = row
                header = _Header.of(path, row, choices)
                positions = header.positions(choices)
                if header.names is not None:
                    continue
            if len(row) != len(first):
                raise GlocalkError(
                    f"Row {reader.line_num} of '{shown_path(path)}' has {len(row)} columns where "
                    f"the first has {len(first)}: mend the row."
                )
            numbers.append(reader.line_num)
            for position, (codes, texts) in zip(positions, coded, strict=True):
                codes.append(texts.setdefault(row[position], len(texts)))
    except csv.Error as error:
        raise GlocalkError(
            f"Row {reader.line_num} of '{shown_path(path)}' cannot be read "
            f"({shown(error)}): mend the row."
        ) from error
    columns = {
        role: Column.of(np.frombuffer(codes, dtype=np.int64), texts)
        for role, (codes, texts) in zip(choices, coded, strict=True)
        if codes
    }
    return _with_rows(path, np.frombuffer(numbers, dtype=np.int64) if numbers else (), columns)


def _from_parquet(path: Path, content: bytes, choices: Mapping[str, Choice]) -> Columns:
    try:
        table = pd.read_parquet(io.BytesIO(content), engine="pyarrow")
    except ImportError as error:
        raise GlocalkError(
            f"Reading '{shown_path(path)}' needs pyarrow: pip install 'glocalk[parquet]'."
        ) from error
    except Exception as error:  # Arrow's own kinds, OSError, and more
        raise GlocalkError(
            f"'{shown_path(path)}' is parquet but damaged: get or make it again."
        ) from error
    header = _Header(path, [str(name) for name in table.columns], len(table.columns))
    columns = {}
    for role, position in zip(choices, header.positions(choices), strict=True):
        try:
            codes, values = pd.factorize(table.iloc[:, position])
        except TypeError as error:
            raise GlocalkError(
                f"The {role} column of '{shown_path(path)}' holds lists: one value a row."
            ) from error
        cells = [_cell(value) for value in values]
        if (codes < 0).any():  # nothing there
            codes, cells = np.where(codes < 0, len(cells), codes), [*cells, ""]
        columns[role] = Column.of(codes, cells)
    return _with_rows(path, np.arange(1, len(table) + 1), columns)


def _cell(value: Any) -> str:
    """A value of a typed column as a text file would have it."""
    if isinstance(value, pd.Timestamp):
        return str(value.value)  # nanoseconds, which its own text may round
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))  # a column of whole numbers with gaps comes as floats
    return str(value)


def _with_rows(path: Path, numbers: Indices | tuple[()], columns: Mapping[str, Column]) -> Columns:
    if not len(numbers):
        raise GlocalkError(f"'{shown_path(path)}' holds no ratings: give a file with rows.")
    return Columns(path, np.asarray(numbers, dtype=np.int64), columns)


@dataclass(frozen=True)
class _Header:
    """What the columns are called.

    Attributes:
        path: of the file.
        names: the header; None where there is none.
        width: number of columns.
    """

    path: Path
    names: Sequence[str] | None
    width: int

    @classmethod
    def of(cls, path: Path, row: Sequence[str], choices: Mapping[str, Choice]) -> _Header:
        """The header that the first row is, if it is one."""
        cells = [cell.strip() for cell in row]
        chosen = any(choice in cells for choice in choices.values() if isinstance(choice, str))
        usual = {name for names in _USUAL.values() for name in names} & {*map(_plain, cells)}
        named = chosen or usual or not any(map(is_nothing, cells))
        is_header = chosen or (named and not any(map(is_number, cells)))
        return cls(path, cells if is_header else None, len(cells))

    def positions(self, choices: Mapping[str, Choice]) -> list[int]:
        """Where each column is.

        Raises:
            GlocalkError: one is not there, stands twice, or would be two things at once.
        """
        found = [self._position(role, choice) for role, choice in choices.items()]
        for second, position in enumerate(found):
            if (first := found.index(position)) < second:
                roles = list(choices)
                raise GlocalkError(
                    f"The {roles[first]} and the {roles[second]} column of "
                    f"'{shown_path(self.path)}' would be the same: choose data.{roles[first]} and "
                    f"data.{roles[second]} from its columns {self._listed}."
                )
        return found

    def _position(self, role: str, choice: Choice) -> int:
        names = self.names or ()
        if isinstance(choice, int):
            at = [choice] if 0 <= choice < self.width else []
        elif isinstance(choice, str):
            at = [position for position, name in enumerate(names) if name == choice]
        else:
            plain = [_plain(name) for name in names]
            usual = next((name for name in _USUAL[role] if name in plain), None)
            place = _PLACES[role]
            at = [position for position, name in enumerate(plain) if name == usual]
            if usual is None:
                at = [place] if place < self.width else []
        if len(at) == 1:
            return at[0]
        called = f"column '{shown(choice)}'" if choice is not None else f"{role} column"
        raise GlocalkError(
            f"'{shown_path(self.path)}' has {'more than one' if at else 'no'} {called}: choose "
            f"data.{role} from its columns {self._listed}."
        )

    @property
    def _listed(self) -> str:
        if self.names is None:
            return f"{', '.join(map(str, range(self.width)))} (it has no header)"
        more = ", …" if len(self.names) > 20 else ""
        return ", ".join(shown(name) for name in self.names[:20]) + more


def _plain(name: str) -> str:
    """`User ID`, `user_id` and RecBole's `user_id:token` are one name."""
    return re.sub("[^a-z0-9]", "", name.casefold().split(":")[0])
