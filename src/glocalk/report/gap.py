"""The gap of selecting on test: how much lower an error looks at the best test epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from glocalk.report.cells import DATA_SETS, Cell, data_title
from glocalk.report.epochs import has_epochs
from glocalk.report.layout import csv_text, difference, difference_interval, number, rmse
from glocalk.report.load import cell_of
from glocalk.report.parts import Files, Sources
from glocalk.report.statistics.bootstrap import same_everywhere
from glocalk.report.statistics.measured import Difference, Measured
from glocalk.report.style import BLUE, GRAY, VERMILION, png_bytes, svg_text
from glocalk.report.tables import Table, figure_markdown

COLUMNS = ("model", "data", "best_test_mean", "validated_mean", "gap", "low", "high", "seeds")


@dataclass(frozen=True)
class Gap:
    """`best_test` − `validated` of a model on a data set, at the seeds that have both.

    Attributes:
        cell: the model on the data set.
        best_test: mean RMSE at the best test epochs.
        validated: mean RMSE at the epochs that validation chose.
        difference: the gap.
        by_seed: the gap of each seed, in order of seed.
    """

    cell: Cell
    best_test: float
    validated: float
    difference: Difference
    by_seed: tuple[float, ...]


def gap_files(sources: Sources) -> Files:
    """The figure and its values; none without runs with epochs."""
    gaps = [
        gap
        for cell in sources.cells
        if has_epochs(cell) and cell.data in DATA_SETS
        if (gap := gap_of(cell, sources.measured)) is not None
    ]
    if not gaps:
        return {}
    return {
        "gap.csv": _csv(gaps),
        "gap.md": figure_markdown(_table(gaps)),
        "gap.svg": svg_text(lambda: gap_figure(gaps)),
        "gap.png": png_bytes(lambda: gap_figure(gaps)),
    }


def gap_of(cell: Cell, measured: Measured) -> Gap | None:
    """The gap of a cell; None where no seed has both protocols."""
    key = cell_of(cell.runs[0])
    seeds = measured.seeds(key, "best_test", "validated")
    best, validated = (measured.sample(key, name, seeds) for name in ("best_test", "validated"))
    if best is None or validated is None:
        return None
    return Gap(
        cell,
        best.mean,
        validated.mean,
        measured.difference([(1, best), (-1, validated)]),
        tuple(map(same_everywhere, best.rmse - validated.rmse)),
    )


def gap_figure(gaps: Sequence[Gap]) -> Figure:
    """A panel for each data set, a row for each model: mean, 95 % interval and every seed."""
    titles = list(dict.fromkeys(gap.cell.title for gap in gaps))
    shown = [data for data in DATA_SETS if any(gap.cell.data == data for gap in gaps)]
    figure = Figure(figsize=(8.4, 1.1 + 0.22 * len(titles)), layout="constrained")
    panels = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
    for axes, data in zip(panels, shown, strict=True):
        _draw(axes, [gap for gap in gaps if gap.cell.data == data], titles)
        axes.set_title(data_title(data), loc="left")
        axes.set_xlabel("best_test − validated, RMSE")
    panels[0].set_yticks(range(len(titles)), titles)
    panels[0].invert_yaxis()
    panels[0].xaxis.set_major_locator(MaxNLocator(4))
    panels[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: difference(value, digits=3)))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def _draw(axes: Axes, gaps: Sequence[Gap], titles: Sequence[str]) -> None:
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.axvline(0, color=GRAY, lw=0.8)
    places = [titles.index(gap.cell.title) for gap in gaps]
    means = [gap.difference.estimate for gap in gaps]
    lows, highs = zip(*(gap.difference.interval for gap in gaps), strict=True)
    axes.hlines(places, lows, highs, color=BLUE, lw=1.4)
    label = "mean, with its 95 % interval over users"
    axes.plot(means, places, ls="none", marker="o", ms=5, mew=0, color=BLUE, label=label)
    dots = [
        (value, place) for gap, place in zip(gaps, places, strict=True) for value in gap.by_seed
    ]
    axes.plot(*zip(*dots, strict=True), "|", ms=7, mew=0.9, color=VERMILION, label="one seed")


def _csv(gaps: Sequence[Gap]) -> str:
    return csv_text(
        COLUMNS,
        (
            [
                gap.cell.model,
                gap.cell.data,
                number(gap.best_test),
                number(gap.validated),
                number(gap.difference.estimate),
                *map(number, gap.difference.interval),
                str(len(gap.by_seed)),
            ]
            for gap in gaps
        ),
    )


def _table(gaps: Sequence[Gap]) -> Table:
    return Table(
        name="gap",
        caption="The gap of selecting on test: by how much the test RMSE at the best test epoch is "
        "below that at the epoch that validation chose.",
        columns=[
            *[("", "Model"), ("", "Data"), ("RMSE", "`best_test`"), ("RMSE", "`validated`")],
            *[("Gap", "mean"), ("Gap", "95 % interval"), ("Gap", "seeds")],
        ],
        rows=[
            [
                gap.cell.title,
                data_title(gap.cell.data),
                rmse(gap.best_test),
                rmse(gap.validated),
                difference(gap.difference.estimate),
                difference_interval(*gap.difference.interval),
                str(len(gap.by_seed)),
            ]
            for gap in gaps
        ],
        notes=[
            "Means over the seeds that have both protocols; some take the `validated` epoch from "
            "another seed († in `epochs.md`). The interval is by a bootstrap over "
            "users, paired; the epochs are not chosen again, so it may reach above 0, as the gap "
            "itself never does.",
            "Models without epochs, whose gap is 0, are left out.",
        ],
    )
