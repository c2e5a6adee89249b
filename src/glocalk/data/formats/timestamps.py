"""Timestamps as numbers in the order of time."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glocalk.data.formats.cells import is_number
from glocalk.data.formats.columns import Column, Columns
from glocalk.errors import GlocalkError, shown

# Numbers in this range are likely to be seconds since 1970: the years 1973 to 2286. The ranges of
# smaller units do not overlap with it.
_EARLIEST, _LATEST = 10**8, 10**10
_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}


def read_times(columns: Columns) -> NDArray[Any]:
    """[rows] numbers that ascend with the timestamps.

    Raises:
        GlocalkError: a timestamp is neither a number nor a date.
    """
    column: Column = columns.by_role["timestamp"]
    if not isinstance(column.values, list):
        # Not as floats, which cannot tell nanoseconds apart.
        whole: NDArray[Any] = column.values[column.codes]
        return whole
    read = _number if _are_numbers(column) else _seconds
    times = []
    for position, text in enumerate(column.values):
        try:
            times.append(read(text))
        except (ValueError, OverflowError) as error:
            number, _ = columns.look(int(np.argmax(column.codes == position)))
            raise GlocalkError(
                f"The timestamp '{shown(text)}' in row {number} of '{columns.path}' is "
                "neither a number nor a date like 2021-11-01: fix it, or choose another column "
                "with data.timestamp=…"
            ) from error
    values: NDArray[Any] = np.array(times)[column.codes]
    return values


def described_times(columns: Columns, times: NDArray[Any]) -> str:
    """What the timestamps were taken for: `timestamps are dates, 1999-12-31 … 2021-11-02`.

    Args:
        columns: the columns that `read_times` read.
        times: what it returned.
    """
    first, last = times.min(), times.max()
    if not _are_numbers(columns.by_role["timestamp"]):
        return f"timestamps are dates, {_day(first)} … {_day(last)}"
    low, high = (f"{time:.15g}" if isinstance(time, float) else str(time) for time in (first, last))
    told = f"timestamps are numbers, {low} … {high}"
    units = [_unit(time) for time in (first, last)]
    if units[0] is not None and units[1] is not None:
        if units[0] != units[1]:
            return f"{told} (the first like {units[0][0]}, the last like {units[1][0]})"
        name, size = units[0]
        told += f" (as {name}, {_day(first / size)} … {_day(last / size)})"
    return told


def _unit(time: float) -> tuple[str, int] | None:
    """The unit in which a number is likely to be a time since 1970, and how many are a second."""
    for name, size in _UNITS.items():
        if _EARLIEST <= time / size < _LATEST:
            return name, size
    return None


def _are_numbers(column: Column) -> bool:
    return not isinstance(column.values, list) or any(map(is_number, column.values))


def _day(seconds: float) -> str:
    """The day in UTC of seconds since 1970."""
    return datetime.fromtimestamp(float(seconds), UTC).date().isoformat()


def _number(text: str) -> float:
    if not is_number(text) or not math.isfinite(float(text)):
        raise ValueError(text)
    return float(text)


def _seconds(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 date, in UTC unless it names a zone."""
    date = datetime.fromisoformat(text)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
