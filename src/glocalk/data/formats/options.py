"""How a file of ratings is read, apart from which column is which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from glocalk.data.formats.sizes import MAX_BYTES

Choice: TypeAlias = int | str | None
"""A column's position, counted from 0, its name, or None to find it."""

Layout: TypeAlias = Literal["table", "matrix"]
"""One row for each rating, or one row for each user and one column for each item."""


@dataclass(frozen=True)
class ReadOptions:
    """Options of reading; the defaults recognize what can be recognized.

    Attributes:
        layout: None reads a table, and refuses what may be a matrix.
        header: whether the first row names the columns; None decides by its cells.
        decimal: the decimal separator of the ratings.
        missing: ratings that mean "no rating".
        optional: roles whose column is read only if there is one.
        encoding: of text; see `glocalk.data.formats.encodings.as_utf_8`.
        max_bytes: the largest unpacked size; see `glocalk.data.formats.sizes`.
    """

    layout: Layout | None = None
    header: bool | None = None
    decimal: Literal[".", ","] = "."
    missing: tuple[float, ...] = ()
    optional: frozenset[str] = frozenset()
    encoding: str | None = None
    max_bytes: int = MAX_BYTES


DEFAULTS = ReadOptions()
