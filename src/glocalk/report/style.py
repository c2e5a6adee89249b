"""One style for all figures, and the same text for the same figure."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

# Independent of the user's matplotlibrc; text as outlines, which look the same everywhere.
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "glocalk",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


# Okabe & Ito's palette for color-blind readers, and a gray.
BLUE, ORANGE, VERMILION = "#0072B2", "#E69F00", "#D55E00"
GREEN, PURPLE, GRAY = "#009E73", "#CC79A7", "#555555"

# For figures as wide as a column of a paper, 8 cm.
COLUMN_WIDTH = 3.15  # inches
COLUMN: dict[Any, Any] = {
    "font.size": 6.5,
    "axes.titlesize": 7.5,
    "axes.labelsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "xtick.major.size": 2,
    "xtick.major.width": 0.6,
    "ytick.major.size": 2,
    "ytick.major.width": 0.6,
}

_PATH = re.compile(r'(?<= d=")[^"]*')
_LONG = re.compile(r"-?\d+\.\d{2,}")  # a number with more than one decimal
_LINES = re.compile(r"(?:[ML] \S+ \S+ ?)+z?")  # a path of straight lines
_ZERO = re.compile(r"\b0\.")  # of a number below 1, as it starts
_POINT = re.compile(r"([ML]) (\S+) (\S+)")

_PNG_DPI = 300
_PNG_COLORS = 64  # a palette, which makes files several times smaller


def svg_text(draw: Callable[[], Figure], style: Mapping[Any, Any] = MappingProxyType({})) -> str:
    """The figure that `draw` makes, as svg text.

    Args:
        draw: makes the figure in the style that all figures share.
        style: matplotlib's parameters that differ from it.
    """
    file = io.StringIO()
    with _style(style):
        # No date and no version of the library, so that the same records give the same text.
        draw().savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return _PATH.sub(lambda path: _compact(path[0]), file.getvalue())


def _compact(path: str) -> str:
    """The same path in one line, to a tenth of a point: a third of the bytes.

    Of straight lines, each point is written by its distance from the last one.
    """
    path = " ".join(path.split())
    if not _LINES.fullmatch(path):
        return _LONG.sub(lambda number: f"{float(number[0]):.1f}", path)
    made, last = [], (0, 0)
    for command, *numbers in _POINT.findall(path):
        x, y = (round(10 * float(number)) for number in numbers)
        made.append(_point("M", x, y) if command == "M" else _point("l", x - last[0], y - last[1]))
        last = x, y
    return "".join(made) + "z" * path.endswith("z")


def _point(command: str, *tenths: int) -> str:
    x, y = (_ZERO.sub(".", f"{number / 10:g}") for number in tenths)
    return f"{command}{x}{y}" if y.startswith("-") else f"{command}{x} {y}"


def png_bytes(draw: Callable[[], Figure], style: Mapping[Any, Any] = MappingProxyType({})) -> bytes:
    """The same figure as a png file of 300 dots an inch."""
    drawn, file = io.BytesIO(), io.BytesIO()
    with _style(style):
        draw().savefig(drawn, format="png", dpi=_PNG_DPI)
    # No metadata are written, so that the same records give the same bytes.
    image = Image.open(drawn).convert("RGB").quantize(_PNG_COLORS, dither=Image.Dither.NONE)
    image.save(file, format="png", dpi=(_PNG_DPI, _PNG_DPI), optimize=True)
    return file.getvalue()


@contextmanager
def _style(changes: Mapping[Any, Any]) -> Iterator[None]:
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**_STYLE, **changes})
        yield
