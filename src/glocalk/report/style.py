"""One style for all figures, and the same text for the same figure."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

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


_PNG_DPI = 300


def svg_text(draw: Callable[[], Figure]) -> str:
    """The figure that `draw` makes in this style, as svg text."""
    file = io.StringIO()
    with _style():
        # No date and no version of the library, so that the same records give the same text.
        draw().savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def png_bytes(draw: Callable[[], Figure]) -> bytes:
    """The figure that `draw` makes in this style, as a png file of 300 dots an inch."""
    file = io.BytesIO()
    with _style():
        draw().savefig(file, format="png", dpi=_PNG_DPI, metadata={"Software": None})
    return file.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield
