"""Line charts as inline svg: geometry here, markup in `templates/chart.html`, colors in the css."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from glocalk.report.layout import rmse
from glocalk.report.page.markup import fill

WIDTH, HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 8, 22, 42

# Drawn around (0, 0); the shapes differ, so that no mark is told by its color alone.
# Paths of marks, relative to the place of the mark.
SHAPES = {
    "circle": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "square": "m-3.6-3.6h7.2v7.2h-7.2z",
    "triangle": "m0 4.6l4.8-8.4h-9.6z",
    "diamond": "m0-5l4.6 5l-4.6 5l-4.6-5z",
}


@dataclass(frozen=True)
class Line:
    """A series of a chart.

    Attributes:
        label: its name in the legend and in what is read aloud.
        points: (x, y), in order of x.
        hue: class of its color: `one` to `five`, `ink`.
        dashed: whether it is interrupted; published series are.
        thin: whether it is one of the seeds of the thick line that comes after them.
        shape: of the mark at each point, one of `SHAPES`; empty for none.
        spread: standard deviation at each point.
    """

    label: str
    points: Sequence[tuple[float, float]]
    hue: str
    dashed: bool = False
    thin: bool = False
    shape: str = ""
    spread: Sequence[float | None] = ()


@dataclass(frozen=True)
class Marks:
    """Single points of a chart, such as the epochs that a protocol chose."""

    label: str
    points: Sequence[tuple[float, float]]
    hue: str
    shape: str


@dataclass(frozen=True)
class Chart:
    """What one figure shows.

    Attributes:
        key: unique id in the page.
        title: what it is about.
        description: what it shows in words, for who does not see it.
        x_label: name and unit of the horizontal axis.
        x_limits: left and right end.
        x_ticks: values and texts on the horizontal axis.
        y_limits: lower and upper end; what lies beyond is cut off.
        steps: values of x that a reader steps through, and what they are called.
        lines: the series.
        marks: single points.
        rules: name and height of horizontal lines over the whole width.
        dividers: where a part ends on the horizontal axis.
        heads: x and text of names above the plot.
        beyond: x and text of points above the upper end.
        extra: markup below it.
    """

    key: str
    title: str
    description: str
    x_label: str
    x_limits: tuple[float, float]
    x_ticks: Sequence[tuple[float, str]]
    y_limits: tuple[float, float]
    steps: Sequence[tuple[float, str]]
    lines: Sequence[Line]
    marks: Sequence[Marks] = ()
    rules: Sequence[tuple[str, float]] = ()
    dividers: Sequence[float] = ()
    heads: Sequence[tuple[float, str]] = ()
    beyond: Sequence[tuple[float, str]] = ()
    extra: Markup = field(default=Markup(""))

    def x(self, value: float) -> float:
        """Horizontal place of a value, in units of the drawing."""
        low, high = self.x_limits
        return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Vertical place of a value, in units of the drawing."""
        low, high = self.y_limits
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)


def chart_markup(chart: Chart) -> Markup:
    """The figure with its legend."""
    ticks = y_ticks(chart.y_limits)
    digits = decimals(ticks)
    return fill(
        "chart.html",
        chart=chart,
        box={"left": _LEFT, "right": WIDTH - _RIGHT, "top": _TOP, "bottom": HEIGHT - _BOTTOM},
        size=(WIDTH, HEIGHT),
        x_ticks=[(short(chart.x(value)), text) for value, text in chart.x_ticks],
        y_ticks=[(short(chart.y(value)), rmse(value, digits)) for value in ticks],
        dividers=[short(chart.x(value)) for value in chart.dividers],
        heads=[(short(chart.x(value)), text) for value, text in chart.heads],
        beyond=[(short(chart.x(value)), text) for value, text in chart.beyond],
        rules=[(label, short(chart.y(value))) for label, value in chart.rules],
        lines=[
            (line, _path(chart, line), _bars(chart, line), _inside(chart, line.points))
            for line in chart.lines
        ],
        marks=[(marks, _inside(chart, marks.points)) for marks in chart.marks],
        legend=[line for line in chart.lines if not line.thin],
        shapes=SHAPES,
    )


def reader_data(chart: Chart) -> dict[str, object]:
    """What a reader of the chart's values needs: RMSE in units of 1e-4, each less the one before.

    Differences are shorter than values. The thin lines before a thick one are its seeds.
    """
    lines: list[dict[str, object]] = []
    seeds: list[list[int | None]] = []
    for line in chart.lines:
        if line.thin:
            seeds.append(_values(chart, line))
        else:
            lines.append({"label": line.label, "values": _values(chart, line), "seeds": seeds})
            seeds = []
    return {
        "at": [float(short(chart.x(value))) for value, _ in chart.steps],
        "names": [name for _, name in chart.steps],
        "lines": lines,
    }


def y_ticks(limits: tuple[float, float], number: int = 6) -> list[float]:
    """Round values within the limits."""
    values = MaxNLocator(number, steps=[1, 2, 5, 10]).tick_values(*limits)
    low, high = limits
    return [float(value) for value in values if low <= value <= high]


def decimals(ticks: Sequence[float]) -> int:
    """Digits after the point that tell the ticks apart, at least two."""
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=0.01)
    return max(2, -math.floor(math.log10(step) + 1e-9))


def padded(values: Iterable[float], share: float = 0.08) -> tuple[float, float]:
    """Limits around the values, with a share of their range on either side."""
    drawn = list(values)
    low, high = min(drawn), max(drawn)
    room = share * ((high - low) or 0.01)
    return low - room, high + room


def short(value: float) -> str:
    """A coordinate with at most one decimal: `12.5`, `80`."""
    return f"{value:.1f}".removesuffix(".0")


def _path(chart: Chart, line: Line) -> str:
    """The line by its steps from point to point: half as long as by places.

    Steps are between rounded places, so that the rounding does not add up.
    """
    places = [(round(10 * chart.x(x)), round(10 * chart.y(y))) for x, y in line.points]
    (x, y), *_ = places
    steps = [
        part - before
        for first, second in itertools.pairwise(places)
        for before, part in zip(first, second, strict=True)
    ]
    return f"M{short(x / 10)} {short(y / 10)}l{_numbers(steps)}".removesuffix("l")


def _numbers(tenths: Iterable[int]) -> str:
    """Coordinates in a path, as short as possible: `4.6-.2 5 12.1` for 46, −2, 50 and 121."""
    written = (short(number / 10) for number in tenths)
    shortened = (re.sub(r"^(-?)0\.", r"\1.", number) for number in written)
    return " ".join(shortened).replace(" -", "-")


def _places(chart: Chart, points: Iterable[tuple[float, float]]) -> list[tuple[str, str]]:
    return [(short(chart.x(x)), short(chart.y(y))) for x, y in points]


def _inside(chart: Chart, points: Iterable[tuple[float, float]]) -> list[tuple[str, str]]:
    """The places of points within the limits."""
    low, high = chart.y_limits
    return _places(chart, [(x, y) for x, y in points if low <= y <= high])


def _bars(chart: Chart, line: Line) -> list[tuple[str, str, str]]:
    """x, lower and upper end of the bar of each point that has a spread."""
    return [
        (short(chart.x(x)), short(chart.y(y - sd)), short(chart.y(y + sd)))
        for (x, y), sd in zip(line.points, line.spread, strict=False)
        if sd is not None
    ]


def _values(chart: Chart, line: Line) -> list[int | None]:
    by_x, before = dict(line.points), 0
    differences: list[int | None] = []
    for x, _ in chart.steps:
        value = round(by_x[x] * 1e4) if x in by_x else None
        differences.append(None if value is None else value - before)
        before = before if value is None else value
    return differences
