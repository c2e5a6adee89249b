"""Fig. 3 of the paper, RMSE against the number of pre-training epochs, beside our runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glocalk.records.run import Record
from glocalk.report.cells import DATA_SETS, GLOCAL_K, data_title
from glocalk.report.layout import NOTHING, csv_text, rmse
from glocalk.report.parts import Files
from glocalk.report.points import (
    POINT_COLUMNS,
    Point,
    cost_notes,
    find_point,
    point_values,
)
from glocalk.report.published import read_figures
from glocalk.report.style import (
    COLUMN,
    COLUMN_WIDTH,
    GREEN,
    VERMILION,
    png_bytes,
    svg_text,
)
from glocalk.report.sweep import draw_ours, draw_published
from glocalk.report.table1 import PROTOCOL_NOTES
from glocalk.report.tables import (
    PAPER,
    Table,
    figure_markdown,
    mean_and_sd,
    published_figure,
    seed_count,
)

EXPERIMENT = "fig3"

_EPOCHS = (0, 10, 20, 30, 40, 50, 60)
_BASE = {"ml_100k": 30, "ml_1m": 20, "douban": 20}  # epochs of Table 1's runs
_PROTOCOLS = ("best_test", "validated")
_STYLES = {"best_test": (VERMILION, "v"), "validated": (GREEN, "o")}

_CAPTION = (
    "Test RMSE of GLocal-K against the number of pre-training epochs: published (Fig. 3) and ours."
)

_Curves: TypeAlias = Mapping[str, Mapping[float, Point]]  # by data set and epochs
_Published: TypeAlias = Mapping[str, Mapping[float, str]]


def fig3_files(records: Sequence[Record]) -> Files:
    """The figure as svg and png, and its values as csv, Markdown and LaTeX."""
    curves, published = _curves(records), _published()
    table = _table(curves, published)
    return {
        "fig3.csv": _csv(curves, published),
        "fig3.md": figure_markdown(table),
        "fig3.tex": table.tex(),
        "fig3.svg": svg_text(lambda: fig3_figure(records), COLUMN),
        "fig3.png": png_bytes(lambda: fig3_figure(records), COLUMN),
    }


def optimum(errors: Mapping[float, float]) -> float | None:
    """Where a curve is lowest; the first such place, None for fewer than two points."""
    return min(errors, key=errors.__getitem__) if len(errors) > 1 else None


def _curves(records: Sequence[Record]) -> _Curves:
    return {
        data: {epochs: _point(records, data, epochs) for epochs in _EPOCHS} for data in DATA_SETS
    }


def _point(records: Sequence[Record], data: str, epochs: int) -> Point:
    if epochs == _BASE[data]:
        return find_point(records, "table1", data, GLOCAL_K)
    return find_point(records, EXPERIMENT, data, GLOCAL_K, f"model.pretrain.epochs={epochs}")


def _published() -> _Published:
    figures = read_figures("published_fig3.csv", "data", "epochs")
    return {data: {epochs: figures[data, str(epochs)] for epochs in _EPOCHS} for data in DATA_SETS}


def _csv(curves: _Curves, published: _Published) -> str:
    rows = (
        [data, str(epochs), published[data][epochs], *point_values(point)]
        for data, points in curves.items()
        for epochs, point in points.items()
    )
    return csv_text(("data", "pretrain_epochs", "published", *POINT_COLUMNS), rows)


def _table(curves: _Curves, published: _Published) -> Table:
    columns = [("", "Pre-training epochs")]
    for title in DATA_SETS.values():
        columns += [(title, name) for name in ("published", "`best_test`", "`validated`", "seeds")]
    rows = []
    for epochs in _EPOCHS:
        row = [str(epochs)]
        for data in DATA_SETS:
            point = curves[data][epochs]
            row += [
                published_figure(published[data][epochs]),
                *(mean_and_sd(point, protocol) for protocol in _PROTOCOLS),
                seed_count(point),
            ]
        rows.append(row)
    best = ["lowest at"]
    for data in DATA_SETS:
        best.append(_text(optimum(_floats(published[data]))))
        best += [_text(optimum(_means(curves[data], protocol))) for protocol in _PROTOCOLS]
        best.append("")
    points = [point for curve in curves.values() for point in curve.values()]
    return Table(EXPERIMENT, _CAPTION, columns, [*rows, best], _notes(points))


def _text(epochs: float | None) -> str:
    return NOTHING if epochs is None else f"{epochs:g}"


def _means(points: Mapping[float, Point], protocol: str) -> dict[float, float]:
    means = {epochs: point.mean(protocol) for epochs, point in points.items()}
    return {epochs: mean for epochs, mean in means.items() if mean is not None}


def _notes(points: Sequence[Point]) -> list[str]:
    base = ", ".join(f"{data_title(data)} {epochs}" for data, epochs in _BASE.items())
    return [
        f"Test RMSE of GLocal-K. Published: Fig. 3 of {PAPER}, digitized from its vector graphics "
        "(± .0003). Ours: mean ± sample standard deviation over seeds. In the figure, lines are "
        "means, dots are seeds, and a star marks the lowest point of each curve; means above a "
        "panel are written at its top. `last` is in `fig3.csv`.",
        "Only the number of pre-training epochs changes; fine-tuning and its published number of "
        f"epochs stay. The runs of Table 1 are the points at the published number: {base}.",
        *(f"`{name}`: {PROTOCOL_NOTES[name]}" for name in _PROTOCOLS),
        "Lowest at: the number of epochs with the lowest mean of those that were run. It is "
        "chosen on the test set, in the paper and here.",
        *cost_notes(points),
        "Made by `make fig3`, or `glocalk reproduce experiment=fig3`; `make report` draws the "
        "figure from the records.",
    ]


def fig3_figure(records: Sequence[Record]) -> Figure:
    """A row for each data set, with the lowest point of each curve marked."""
    curves, published = _curves(records), _published()
    figure = Figure(figsize=(COLUMN_WIDTH, 4.6), layout="constrained")
    rows = figure.subplots(len(DATA_SETS), sharex=True)
    for axes, data in zip(rows, DATA_SETS, strict=True):
        theirs = _floats(published[data])
        draw_published(axes, theirs, "black", "D", "published")
        _mark_optimum(axes, theirs, "white", label="lowest of the curve")
        ours = {}
        for protocol in _PROTOCOLS:
            color, marker = _STYLES[protocol]
            drawn = draw_ours(axes, curves[data], protocol, color, marker, f"ours, {protocol}")
            _mark_optimum(axes, drawn, color)
            ours[protocol] = drawn
        _cut(axes, max(theirs.values()) + np.ptp(list(theirs.values())), ours)
        axes.set_title(data_title(data), loc="left")
        axes.set_ylabel("RMSE")
    axes.set_xlabel("Number of pre-training epochs")
    axes.set_xticks(_EPOCHS)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _cut(axes: Axes, top: float, ours: Mapping[str, Mapping[float, float]]) -> None:
    """End the axis at `top` if a mean is above it, and write such means there.

    A single training without pre-training may fail by more than all other points differ.
    """
    if all(mean <= top for means in ours.values() for mean in means.values()):
        return
    axes.set_ylim(top=top)
    for line, (protocol, means) in enumerate(ours.items()):
        for epochs, mean in means.items():
            if mean > top:
                axes.annotate(
                    f"↑ {rmse(mean)}",
                    (epochs, top),
                    xytext=(-7, -6 - 8 * line),
                    textcoords="offset points",
                    color=_STYLES[protocol][0],
                )


def _mark_optimum(
    axes: Axes, errors: Mapping[float, float], color: str, label: str | None = None
) -> None:
    best = optimum(errors)
    if best is not None:
        axes.plot(
            [best],
            [errors[best]],
            ls="none",
            marker="*",
            ms=8,
            mfc=color,
            mec="black",
            mew=0.5,
            label=label,
        )


def _floats(figures: Mapping[float, str]) -> dict[float, float]:
    return {epochs: float(figure) for epochs, figure in figures.items()}
