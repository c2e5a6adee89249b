"""What precedes the header or the first row of a text: comments, and Excel's line `sep=;`.

A line at the top that begins with `#` or `%` is a comment, with two exceptions: a last one that
holds a name for each column is the header, and one that could be a rating is refused, because an
id may begin with `#`. Further down such a line is a row like any other.

Comments are replaced by blank lines, so that the numbers of the lines stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from glocalk.data.formats.cells import is_number
from glocalk.data.formats.options import Choice
from glocalk.data.formats.pieces import LONGEST
from glocalk.data.formats.roles import named_roles
from glocalk.data.formats.separators import SEPARATORS
from glocalk.errors import GlocalkError, shown

_LONGEST_TOP = 1 << 20  # bytes of all comments
_SEP = re.compile(r'"?sep=(.*?)"?[\r\n]*', re.IGNORECASE)
_KONECT = re.compile(r"%\s*(bip|sym|asym)\s")


def without_preamble(
    path: Path, pieces: Iterable[bytes], choices: Mapping[str, Choice]
) -> tuple[str | None, Iterator[bytes]]:
    """The separator that the preamble declares, if any, and the pieces with blank lines for it.

    Args:
        path: the file, for error messages.
        pieces: its text, see `glocalk.data.formats.pieces.read_pieces`.
        choices: see `glocalk.data.formats.table.read_columns`.

    Raises:
        GlocalkError: a line could be a comment and a rating, all lines are comments, or the
            separator is not supported.
    """
    pieces = iter(pieces)
    start = next(pieces, b"")
    while not start.strip() and len(start) <= LONGEST and (more := next(pieces, b"")):
        start += more
    if not _begins(start):
        return None, chain([start], pieces)
    while True:
        # Of a first row that is very long, the beginning is enough.
        lines = start[:_LONGEST_TOP].splitlines(keepends=True)
        texts = [line.decode(errors="replace") for line in lines]
        separator, declared = _sep_line(path, texts)
        end = declared + sum(1 for _ in _leading(texts[declared:]))
        if end < len(lines) or len(start) >= _LONGEST_TOP or not (more := next(pieces, b"")):
            break
        start += more
    top, rest = texts[declared:end], start[sum(map(len, lines[:end])) :]
    if any(map(_is_marked, top)) and end == len(lines):
        raise GlocalkError(
            f"Every line at the top of '{path}' begins with # or %, as comments do: "
            "give the file a header if they are ratings."
        )
    if any(map(_KONECT.match, top)):
        separator, top = " ", [_blank(line) for line in top]
    elif end < len(lines):
        top = _checked(path, top, declared, texts[end], separator, choices)
    changed = "".join([*map(_blank, texts[:declared]), *top]).encode()
    return separator, chain([changed + rest], pieces)


def _begins(start: bytes) -> bool:
    """Whether the first line that is not blank is a comment or declares the separator."""
    return start.lstrip()[:6].lstrip(b'"').lower().startswith((b"#", b"%", b"sep="))


def _sep_line(path: Path, lines: Sequence[str]) -> tuple[str | None, int]:
    """The separator that the first line declares, and the number of lines up to it."""
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    found = _SEP.fullmatch(lines[first])
    if found is None:
        return None, 0
    if found[1] not in SEPARATORS:
        raise GlocalkError(
            f"'{path}' begins with 'sep={shown(found[1])}', which is not a separator: "
            "use , ; | :: a tab or a space."
        )
    return found[1], first + 1


def _leading(lines: Iterable[str]) -> Iterator[str]:
    """The blank and marked lines before all others."""
    for line in lines:
        if line.strip() and not _is_marked(line):
            return
        yield line


def _is_marked(line: str) -> bool:
    return line.lstrip().startswith(("#", "%"))


def _blank(line: str) -> str:
    """The end of a line."""
    return line[len(line.rstrip("\r\n")) :]


def _checked(
    path: Path,
    top: Sequence[str],
    before: int,
    row: str,
    separator: str | None,
    choices: Mapping[str, Choice],
) -> list[str]:
    """Blank lines in place of the comments, or the header that the last comment is."""
    separator = separator or next((s for s in SEPARATORS if len(_cells(row, s)) > 1), ",")
    cells = _cells(row, separator)
    chosen = {choice for choice in choices.values() if isinstance(choice, str)}
    result = [_blank(line) for line in top]
    if not any(map(is_number, cells)):  # the header: what precedes it is not a rating
        return result
    for number, line in enumerate(top):
        bare = line.lstrip().lstrip("#%").lstrip(" ")
        found = _cells(bare, separator)
        if not _is_marked(line) or len(found) != len(cells):
            continue
        if not any(map(is_number, found)) and (named_roles(found) or {*found} & chosen):
            if not any(line.strip() for line in top[number + 1 :]):
                result[number] = bare
        elif all(
            is_number(mine)
            for mine, other in zip(found[1:], cells[1:], strict=True)
            if is_number(other)
        ):
            raise GlocalkError(
                f"Row {before + number + 1} of '{path}' begins with '{line.strip()[0]}'"
                ", but could be a rating: remove it if it is a comment, else give the file a "
                "header."
            )
    return result


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    return [cell.strip(' "\r\n') for cell in line.split(separator)]
