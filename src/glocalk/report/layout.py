"""Formats numbers, texts and tables: the same text for the same values, on every machine.

A text from a record reaches Markdown through `markdown` or `code`, LaTeX through `tex` and csv
through `csv_text`: each shows it as it is, and takes nothing in it for markup.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from glocalk.errors import printable

NOTHING = "–"

_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "±": r"$\pm$",
    "−": "$-$",
}


def rmse(value: float | None, digits: int = 4) -> str:
    """Format an RMSE as in the paper, without a leading zero: `.8905`, `1.1537`; `–` for None."""
    return NOTHING if value is None else f"{value:.{digits}f}".removeprefix("0")


def difference(value: float | None, digits: int = 4) -> str:
    """A signed difference of two RMSE: `+.0012`, `−.0007`, `.0000`."""
    if value is None:
        return NOTHING
    size = rmse(abs(value), digits)
    if not size.strip(".0"):
        return size
    return ("−" if value < 0 else "+") + size


def difference_interval(low: float, high: float) -> str:
    """An interval of a difference: `[−.0132, −.0059]`."""
    return f"[{difference(low)}, {difference(high)}]"


def p_value(value: float | None) -> str:
    """`.042`, `< .001`; `–` for None."""
    return "< .001" if value is not None and value < 0.001 else rmse(value, 3)


def number(value: float | None, digits: int = 6) -> str:
    """A number in a csv; empty for None."""
    return "" if value is None else f"{value:.{digits}f}"


def whole(value: int | None) -> str:
    """A whole number in a csv; empty for None."""
    return "" if value is None else str(value)


def duration(seconds: float) -> str:
    """`< 1 s`, `53 s`, `6.2 min`, `1.7 h`."""
    if seconds < 1:
        return "< 1 s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 99.95 else f"{minutes / 60:.1f} h"


def yes(value: bool) -> str:
    """A truth value in a csv."""
    return "yes" if value else "no"


def enumeration(names: Iterable[object]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = map(str, names)
    return f"{', '.join(first)} and {last}" if first else last


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A csv file; an apostrophe before a text that a spreadsheet would take for a formula."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_cell(cell) for cell in row] for row in rows)
    return file.getvalue()


def _csv_cell(cell: str) -> str:
    cell = printable(cell)
    if not cell.startswith(("=", "+", "-", "@")) or re.fullmatch(r"[+-][\d.]+(e[+-]?\d+)?", cell):
        return cell
    return f"'{cell}"


def markdown(text: str) -> str:
    """Text on one line, as Markdown that shows it."""
    # Inside a word, `_` is not markup.
    escaped = re.sub(r"([\\`*\[\]~$]|\b_|_\b|(?<!\w)_)", r"\\\1", printable(text))
    return "".join(_HTML.get(character, character) for character in escaped)


def code(text: str) -> str:
    """Text on one line, as code in Markdown, also in a cell of a table."""
    if re.search(r"[\\`|]", text):  # no fence holds a pipe after a backslash in a table
        return f"<code>{markdown(text)}</code>"
    return f"`{printable(text)}`"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """A pipe table, its first `left` columns left-aligned, the others right-aligned.

    Cells are Markdown.
    """
    rule = [":--" if column < left else "--:" for column in range(len(header))]
    lines = [header, rule, *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def tex(text: str) -> str:
    """Plain text, with `code` in backticks, for LaTeX."""
    escaped = "".join(_TEX.get(character, character) for character in printable(text))
    return re.sub(r"`([^`]*)`", r"\\texttt{\1}", escaped)
