"""One style for all figures, and the same text for the same figure."""

from __future__ import annotations

import io
from collections.abc import Callable
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


def svg_text(draw: Callable[[], Figure]) -> str:
    """The figure that `draw` makes in this style, as svg text."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        file = io.StringIO()
        # No date and no version of the library, so that the same records give the same text.
        draw().savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
