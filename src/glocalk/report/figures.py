"""Learning curves of GLocal-K: errors against the epoch, with the choice of each protocol."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glocalk.records.run import Curves, Record
from glocalk.report.cells import GLOCAL_K, Cell, data_title
from glocalk.report.layout import rmse
from glocalk.report.parts import Files, Sources
from glocalk.report.style import BLUE, GRAY, GREEN, ORANGE, PURPLE, VERMILION, svg_text

Errors: TypeAlias = NDArray[np.float64]


_TEST, _VALID, _PUBLISHED = BLUE, ORANGE, "#000000"
_MARKS = {  # the first is larger, to be seen where validation chooses the same epoch
    "best_test": ("v", 9, VERMILION),
    "validated": ("o", 6, GREEN),
    "last": ("s", 6, PURPLE),
}

STAGES = {"pretrain": "pre-training", "finetune": "fine-tuning"}


def curves_files(sources: Sources) -> Files:
    """A figure for each data set on which GLocal-K has runs with epochs."""
    return {
        f"curves_{cell.data}.svg": curves_svg(cell)
        for cell in sources.cells
        if cell.model == GLOCAL_K and has_curves(cell)
    }


def curves_svg(cell: Cell) -> str:
    """The figure of one cell with runs that have epochs, as svg text."""
    return svg_text(lambda: curves_figure(cell))


def has_curves(cell: Cell) -> bool:
    """Whether a run has more than one epoch."""
    return any(_epochs(run) > 1 for run in cell.runs)


def curves_figure(cell: Cell) -> Figure:
    """Test and validation RMSE of every seed and their mean, over the stages in a row."""
    figure = Figure(figsize=(8.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    runs = [run for run in cell.runs if _epochs(run) > 1]
    test = np.array([run.curves["final"].test_rmse for run in runs])  # [seeds, epochs]
    valid = _validation(runs)
    _draw(axes, test, _TEST, "Test")
    if valid is not None:
        _draw(axes, valid, _VALID, "Held-out ratings")
    if cell.published_rmse is not None:
        label = f"Published ({rmse(cell.published_rmse, 3)})"
        axes.axhline(cell.published_rmse, color=_PUBLISHED, lw=0.9, ls=(0, (5, 3)), label=label)
    marked = [_mark(axes, cell, runs, protocol) for protocol in _MARKS]
    drawn = [*test.flat, *(valid.flat if valid is not None else ())]
    needed = [*np.ravel(marked), *([] if cell.published_rmse is None else [cell.published_rmse])]
    axes.set_ylim(*_limits(np.array(drawn), np.array(needed)))
    axes.set_xlim(0, test.shape[1] + 1)
    _show_stages(axes, runs[0].curves["final"])
    axes.set_ylabel("RMSE")
    axes.set_title(f"{cell.title} on {data_title(cell.data)}", loc="left", pad=18)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure


def _epochs(run: Record) -> int:
    curves = run.curves.get("final")
    return len(curves.test_rmse) if curves else 0


def _validation(runs: Sequence[Record]) -> Errors | None:
    """[seeds, epochs] validation RMSE of the seeds that have a selection run."""
    columns = [run.curves["selection"].valid_rmse for run in runs if "selection" in run.curves]
    return np.array(columns, dtype=np.float64) if columns else None


def _draw(axes: Axes, errors: Errors, color: str, name: str) -> None:
    """Every seed thin, their mean on top; errors [seeds, epochs]."""
    seeds, size = errors.shape
    epochs = np.arange(1, size + 1)  # counted through the stages
    label = f"{name}, mean of {seeds} seeds" if seeds > 1 else f"{name}, one seed"
    if seeds > 1:
        axes.plot(epochs, errors.T, color=color, lw=0.6, alpha=0.35)
    axes.plot(epochs, errors.mean(axis=0), color=color, lw=1.8, label=label)


def _mark(axes: Axes, cell: Cell, runs: Sequence[Record], protocol: str) -> list[float]:
    """Mark each seed's chosen epoch; returns the errors there."""
    marker, size, color = _MARKS[protocol]
    epochs, errors = [], []
    for run in runs:
        result = run.protocols[protocol]
        stages = run.curves["final"].stage
        before = stages.index(stages[-1])  # the epochs of a protocol are those of the last stage
        if result.rmse_epoch is not None:
            epochs.append(before + result.rmse_epoch)
            errors.append(result.rmse)
    axes.plot(
        epochs,
        errors,
        ls="none",
        marker=marker,
        ms=size,
        mfc=color,
        mec="white",
        mew=0.7,
        zorder=4,
        label=f"{protocol} ({rmse(cell.mean(protocol))})",
    )
    return errors


def _limits(drawn: Errors, needed: Errors) -> tuple[float, float]:
    """Limits that show what protocols chose, and clip the first epochs' tall errors."""
    low = min(drawn.min(), needed.min())
    high = max(np.quantile(drawn, 0.9), needed.max())
    room = 0.08 * (high - low)
    return float(low - room), float(high + room)


def _show_stages(axes: Axes, curves: Curves) -> None:
    """Number the epochs within each stage, and mark where one ends."""
    sizes = [(stage, len(list(rows))) for stage, rows in groupby(curves.stage)]
    step = 10 if len(curves.stage) >= 40 else 5 if len(curves.stage) >= 15 else 1
    ticks: dict[int, str] = {}
    start = 0
    for stage, size in sizes:
        ticks |= {start + epoch: str(epoch) for epoch in range(step, size + 1, step)}
        if start:
            axes.axvline(start + 0.5, color="#888888", lw=0.8, ls=":")
        axes.annotate(
            STAGES.get(stage, stage),
            (start + 0.5 + size / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            color=GRAY,
        )
        start += size
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xlabel("Epoch of the stage")
