"""The figure: the taps of the global kernel over fine-tuning for every seed, and the live share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glocalk.report.cells import data_title
from glocalk.report.kernels.traced import Traced
from glocalk.report.style import BLUE, GRAY, VERMILION

_ACROSS = 6  # panels in a row


def kernels_figure(runs: Mapping[str, Sequence[Traced]]) -> Figure:
    """A panel for each seed with its taps, and one for each data set with the live shares.

    Args:
        runs: the runs of each data set, in order of seed.
    """
    rows = {data: -(-(len(made) + 1) // _ACROSS) for data, made in runs.items()}
    height = 1.25 * sum(rows.values()) + 0.6
    figure = Figure(figsize=(8.4, height))
    # Placed by hand: a layout of so many panels takes matplotlib seconds.
    figure.subplots_adjust(
        left=0.04, right=0.99, bottom=0.5 / height, top=1 - 0.25 / height, wspace=0.25, hspace=0.5
    )
    grid = figure.subplots(sum(rows.values()), _ACROSS, squeeze=False)
    top = 0
    for data, made in runs.items():
        panels = list(grid[top : top + rows[data]].flat)
        top += rows[data]
        low = min(run.taps.min() for run in made)
        high = max(run.taps.max() for run in made)
        for place, (axes, run) in enumerate(zip(panels, made, strict=False)):
            _draw_taps(axes, run)
            # The panels of a data set share their axes: numbers only at the margins.
            axes.tick_params(labelleft=place % _ACROSS == 0)
            axes.tick_params(labelbottom=place + _ACROSS > len(made))
            axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
            seed = f"seed {run.run.seed}"
            title = f"{data_title(data)}, {seed}" if place % _ACROSS == 0 else seed
            axes.set_title(title, loc="left", fontsize=7)
        _draw_live(panels[len(made)], made)
        panels[len(made)].set_title("live cells, all seeds", loc="left", fontsize=7)
        for axes in panels[len(made) + 1 :]:
            axes.axis("off")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=2, fontsize=7)
    return figure


def _draw_taps(axes: Axes, run: Traced) -> None:
    moments = _shown(len(run.taps))
    taps = run.taps[moments]
    middle = taps.shape[1] // 2
    axes.axhline(0, color=GRAY, lw=0.6)
    lines = axes.plot(moments, np.delete(taps, middle, axis=1), color=BLUE, lw=0.6)
    if lines:
        lines[0].set_label("neighbors")
    axes.plot(moments, taps[:, middle], color=VERMILION, lw=1.3, label="center")
    axes.tick_params(labelsize=6, length=2)


def _shown(count: int) -> NDArray[np.int64]:
    """The moments that are drawn: up to the tenth epoch all, then every second one and the last.

    The later ones change little, and half of them make the file a quarter smaller.
    """
    return np.unique([*range(min(count, 11)), *range(10, count, 2), count - 1])


def _draw_live(axes: Axes, runs: Sequence[Traced]) -> None:
    for run in runs:
        share = 100 * run.live[:, 0]
        moments = _shown(len(share))
        axes.plot(moments, share[moments], color=GRAY, lw=0.6)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.yaxis.set_minor_formatter("")
    axes.tick_params(labelsize=6, length=2)
