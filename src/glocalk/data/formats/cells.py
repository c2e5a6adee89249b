"""The text of a table's cells: which are numbers, which are empty, how errors quote them."""

from __future__ import annotations

import re
from pathlib import Path

from glocalk.errors import GlocalkError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_MISSING = {"", "nan", "na", "n/a", "<na>", "null", "none"}


def is_number(text: str) -> bool:
    """Whether a cell holds a number; NaN and infinity do not count."""
    return _NUMBER.fullmatch(text) is not None


def is_decimal_comma(text: str) -> bool:
    """Whether a cell holds a number with a decimal comma."""
    return _DECIMAL_COMMA.fullmatch(text) is not None


def to_number(text: str, decimal: str | None = None) -> float | None:
    """The number in a cell; None if it does not hold one.

    Args:
        text: the cell.
        decimal: the decimal separator; None takes both.
    """
    if decimal != "." and is_decimal_comma(text):
        return float(text.replace(",", "."))
    if decimal == "," and "." in text:
        return None
    return float(text) if is_number(text) else None


def is_missing(text: str) -> bool:
    """Whether a cell is empty or says that its value is missing."""
    return text.casefold() in _MISSING


def no_rows(path: Path) -> GlocalkError:
    """The error of a file without rows."""
    return GlocalkError(f"'{path}' holds no ratings: give a file with rows.")
