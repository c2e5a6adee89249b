"""Timestamps as numbers in the order of time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glocalk.data.formats.cells import is_number
from glocalk.data.formats.columns import Column, Columns
from glocalk.errors import GlocalkError, shown


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
    read = _number if any(map(is_number, column.values)) else _seconds
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


def _number(text: str) -> float:
    if not is_number(text):
        raise ValueError(text)
    return float(text)


def _seconds(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 date, in UTC unless it names a zone."""
    date = datetime.fromisoformat(text)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
