"""Delimited text, whose separator and header are found automatically.

- Encodings: see `glocalk.data.formats.encodings`.
- Comments at the top, and a line `sep=;`: see `glocalk.data.formats.preamble`.
- The separator: see `glocalk.data.formats.separators`; several spaces count as one.
- Rows of nothing but separators are blank and skipped.

The text is read piece by piece. pandas parses a piece if it is plain (see
`glocalk.data.formats.plain`), Python's csv module if it is not.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glocalk.data.formats.cells import no_rows
from glocalk.data.formats.columns import ColumnBuilder, Columns, Piece, Texts
from glocalk.data.formats.compression import read_blocks
from glocalk.data.formats.header import Header
from glocalk.data.formats.matrix import read_matrix
from glocalk.data.formats.options import DEFAULTS, Choice, ReadOptions
from glocalk.data.formats.pieces import LONGEST, read_pieces
from glocalk.data.formats.plain import PlainParser
from glocalk.data.formats.preamble import without_preamble
from glocalk.data.formats.roles import MEASURED, measured
from glocalk.data.formats.separators import find_separator
from glocalk.data.rating_matrix import Values
from glocalk.errors import GlocalkError, shown

_SNIFFED = 10  # lines that show the separator
_HEAD = 1000  # lines that show what the columns hold,
_CELLS = 100_000  # or fewer of many columns, but
_LEAST = 20
_WIDEST = 10_000  # columns of a table
_NAMELESS = (
    ", or, if all rows have as many, name each column in the header (R's write.table does with "
    "row.names=FALSE)"
)
_UNIT = "\x1f"  # takes the place of `::`, because both parsers split at one character only
# ASCII white space of `str.split` other than line ends and the space itself.
_BLANKS = bytes.maketrans(b"\t\x0b\x0c\x1c\x1d\x1e\x1f", b" " * 7)
# A quoted cell, which a piece may end inside.
_QUOTED = re.compile(rb'((?<!\S)"(?:[^"]|"")*(?:"|\Z))')


def read_delimited(
    path: Path,
    blocks: Iterable[bytes],
    choices: Mapping[str, Choice],
    options: ReadOptions = DEFAULTS,
) -> Columns:
    """The chosen columns of a text file.

    Args:
        path: the file, to name it in errors and to look at a row again.
        blocks: its content, decompressed.
        choices: see `glocalk.data.formats.table.read_columns`.
        options: see `ReadOptions`.

    Raises:
        GlocalkError: it is not such text, has no rows, or lacks a column.
    """
    separator, pieces = without_preamble(path, read_pieces(path, blocks, options.encoding), choices)
    start, lines = _start(pieces)
    text = _Text(path, separator or find_separator(lines))
    if options.layout == "matrix":
        whole = text.one_character(b"".join([start, *pieces]))
        rows = text.rows(io.StringIO(whole.decode(), newline=""), with_blank=True)
        return read_matrix(path, rows, choices, options)
    number, start, rest = _first_row(text, start, pieces)
    head = _head(text, start)
    if len(head[0]) > _WIDEST:
        what = "ratings: read it with data.layout=matrix if it is a matrix of users and items"
        raise GlocalkError(
            f"'{path}' has {len(head[0]):,} columns, too many for a table of "
            f"{what if 'rating' in choices else 'users and items'}."
        )
    header = Header.of(path, head, choices, options)
    positions = header.positions(choices, options.optional)
    piece: bytes | None = rest if header.in_row else start
    line = number if header.in_row else 0
    parser = PlainParser(text.character, header.width, positions, options.decimal)
    ratings: list[Values] = []
    builders = {
        role: ColumnBuilder(distinct=role != "timestamp")
        for role in positions
        if role not in MEASURED
    }
    while piece is not None:
        piece = text.one_character(piece)
        # Only the slower parser restores `::` between quotes.
        quoted = text.separator == "::" and b'"' in piece
        found = None if quoted else parser.parse(piece)
        if found is None:
            try:
                found = _parse(text, piece, line, header.width, positions, options.decimal)
            except _UnfinishedError:  # the piece ends inside a quoted cell, or the file does
                if (more := next(pieces, None)) is None:
                    raise
                piece += more
                continue
        if measured(positions):
            ratings.append(found.ratings)
        for role, builder in builders.items():
            builder.add(found.by_role[role])
        line += _count_lines(piece)
        piece = next(pieces, None)
    by_role = {role: builder.column() for role, builder in builders.items()}
    if not any(len(column.codes) for column in by_role.values()):
        raise no_rows(path)
    return Columns(
        path,
        by_role,
        np.concatenate([*ratings, np.empty(0)]),
        lambda row: _look(text, row + header.in_row, positions, choices, options),
        header.taken(positions),
        others=header.others(positions),
    )


@dataclass(frozen=True)
class _Text:
    """How the rows of a file are separated into cells.

    Attributes:
        path: path of the file.
        separator: separator of its cells.
    """

    path: Path
    separator: str

    @property
    def character(self) -> str:
        """The separator after `one_character`."""
        return _UNIT if self.separator == "::" else self.separator

    def one_character(self, piece: bytes) -> bytes:
        """The piece with one character between cells; calling it twice changes nothing.

        Quoted cells keep their white space.
        """
        if self.separator == "::":
            return piece.replace(b"::", _UNIT.encode())
        if self.separator != " ":
            return piece
        if b'"' not in piece:
            return _single_spaces(piece).strip(b" ")
        parts = _QUOTED.split(piece)  # in turn what is not quoted and what is
        parts[::2] = map(_single_spaces, parts[::2])
        return b"".join(parts).strip(b" ")

    def rows(
        self, lines: Iterable[str], before: int = 0, *, with_blank: bool = False
    ) -> Iterator[tuple[int, list[str]]]:
        """The number and the cells of each row that is not blank.

        Args:
            lines: lines of pieces after `one_character`, with their ends.
            before: number of lines before these.
            with_blank: whether to include rows whose cells are all empty; lines without cells are
                left out.
        """
        reader = csv.reader(
            lines,
            delimiter=self.character,
            skipinitialspace=self.separator != " ",
            strict=True,
        )
        try:
            for row in reader:
                if any(row) or (with_blank and row):
                    # Between quotes, what `one_character` has replaced is not a separator.
                    cells = row if self.separator != "::" else [_restored(cell) for cell in row]
                    yield before + reader.line_num, cells
        except csv.Error as error:
            unfinished = str(error) == "unexpected end of data"
            raise (_UnfinishedError if unfinished else GlocalkError)(
                f"Row {before + reader.line_num} of '{self.path}' cannot be read "
                f"({shown(error)}): fix the row."
            ) from error


def _single_spaces(text: bytes) -> bytes:
    """The text with one space for white space inside a line, and none at its ends."""
    text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not text.isascii():
        text = re.sub(r"[^\S\n]", " ", text.decode()).encode()
    text = text.translate(_BLANKS)
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text.replace(b" \n", b"\n").replace(b"\n ", b"\n")


def _restored(cell: str) -> str:
    return cell.replace(_UNIT, "::")


class _UnfinishedError(GlocalkError):
    """The text ends inside a quoted cell."""


def _start(pieces: Iterator[bytes]) -> tuple[bytes, list[str]]:
    """The first pieces, and the lines in them that show the separator."""
    start = b""
    for piece in pieces:
        start += piece
        if _count_lines(start) > _HEAD or len(start) > LONGEST:
            break
    filled = (line for line in io.StringIO(start.decode(), newline=None) if line.strip())
    return start, list(itertools.islice(filled, _SNIFFED))


def _head(text: _Text, start: bytes) -> list[list[str]]:
    """The first rows, up to one that cannot be read."""
    lines = io.StringIO(text.one_character(start).decode(), newline="")
    rows: list[list[str]] = []
    with suppress(GlocalkError):  # reading the row says what is wrong with it, or that it goes on
        rows.extend(row for _, row in itertools.islice(text.rows(lines), _HEAD))
    return rows[: max(_LEAST, _CELLS // len(rows[0]))]


def _first_row(text: _Text, piece: bytes, pieces: Iterator[bytes]) -> tuple[int, bytes, bytes]:
    """The number of the first row, the text that begins with it, and what follows the row there."""
    while True:
        lines = io.StringIO(text.one_character(piece).decode(), newline="")
        try:
            number, _ = next(text.rows(lines))
            return number, piece, lines.read().encode()
        except _UnfinishedError:
            if (more := next(pieces, None)) is None:
                raise
        except StopIteration:  # blank rows only
            if len(piece) > LONGEST or (more := next(pieces, None)) is None:
                raise no_rows(text.path) from None
        piece += more


def _parse(
    text: _Text,
    piece: bytes,
    before: int,
    width: int,
    positions: Mapping[str, int],
    decimal: str,
) -> Piece:
    """The columns of a piece, parsed by Python's csv module."""
    coded = {role: (array("i"), dict[str, int]()) for role in positions}
    for number, row in text.rows(io.StringIO(piece.decode(), newline=""), before):
        if len(row) != width:
            # Only under a header is the first row that is read another one than the first.
            is_first = not any(len(codes) for codes, _ in coded.values())
            raise GlocalkError(
                f"Row {number} of '{text.path}' has {len(row)} columns where the first "
                f"has {width}: fix the row{_NAMELESS if is_first and len(row) > width else ''}."
            )
        for (codes, cells), position in zip(coded.values(), positions.values(), strict=True):
            codes.append(cells.setdefault(row[position], len(cells)))
    columns = {
        role: Texts.of(np.array(codes, dtype=np.int32), cells)
        for role, (codes, cells) in coded.items()
    }
    rating = columns.pop(measured(columns) or "", None)
    return Piece(dict(columns), np.empty(0) if rating is None else rating.values(decimal))


def _look(
    text: _Text,
    index: int,
    positions: Mapping[str, int],
    choices: Mapping[str, Choice],
    options: ReadOptions,
) -> tuple[int, dict[str, str]]:
    """The number and the cells by role of a row, the first that is not blank being row 0."""
    blocks = read_blocks(text.path, options.max_bytes)
    pieces = read_pieces(text.path, blocks, options.encoding)
    lines = (
        line
        for piece in without_preamble(text.path, pieces, choices)[1]
        for line in io.StringIO(text.one_character(piece).decode(), newline="")
    )
    number, row = next(itertools.islice(text.rows(lines), index, None))
    return number, {role: row[position].strip() for role, position in positions.items()}


def _count_lines(piece: bytes) -> int:
    if b"\r" in piece:
        return piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n")
    # Several times faster than counting by `bytes`.
    return int(np.count_nonzero(np.frombuffer(piece, dtype=np.uint8) == ord("\n")))
