"""Small charts within a row of a table: marks and an interval on an axis that the rows share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from glocalk.report.layout import rmse
from glocalk.report.page.chart import SHAPES, decimals, short, y_ticks
from glocalk.report.page.markup import fill

HEIGHT, _ROOM = 20, 8


@dataclass(frozen=True)
class Mark:
    """A point on the axis; `hollow` marks are published figures."""

    value: float
    shape: str
    hue: str
    hollow: bool = False


@dataclass(frozen=True)
class Axis:
    """What the strips of one table share.

    Attributes:
        low: value at the left end.
        high: value at the right end.
        lines: values with a vertical line, such as 0.
        width: of the drawing.
    """

    low: float
    high: float
    lines: tuple[float, ...] = ()
    width: int = 140

    def x(self, value: float) -> float:
        """Place of a value; one beyond the ends lies at the end."""
        inside = min(max(value, self.low), self.high)
        return _ROOM + (inside - self.low) / (self.high - self.low) * (self.width - 2 * _ROOM)


def strip(axis: Axis, marks: Sequence[Mark], interval: tuple[float, float] | None = None) -> Markup:
    """The strip of one row; it repeats numbers of the row, so screen readers skip it."""
    return fill(
        "strip.html",
        width=axis.width,
        height=HEIGHT,
        room=_ROOM,
        middle=HEIGHT // 2,
        lines=[short(axis.x(value)) for value in axis.lines],
        interval=interval and [short(axis.x(end)) for end in interval],
        marks=[(mark, short(axis.x(mark.value)), SHAPES[mark.shape]) for mark in marks],
    )


def ruler(axis: Axis, signed: bool = False) -> Markup:
    """The numbers of the axis, to stand above or below the strips; `signed` for differences."""
    ticks = y_ticks((axis.low, axis.high), 4)
    digits = decimals(ticks)
    return fill(
        "ruler.html",
        width=axis.width,
        ticks=[(short(axis.x(value)), _number(value, digits, signed)) for value in ticks],
    )


def _number(value: float, digits: int, signed: bool) -> str:
    size = rmse(abs(value), digits)
    if not signed:
        return size
    return "0" if not float(size) else f"{'−' if value < 0 else '+'}{size}"
