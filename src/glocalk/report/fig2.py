"""Fig. 2 of the paper, RMSE against the share of training ratings kept, beside our runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glocalk.records.run import Record
from glocalk.report.cells import GLOCAL_K, SPARSE_FC, data_title, model_title
from glocalk.report.layout import csv_text, difference
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
    BLUE,
    COLUMN,
    COLUMN_WIDTH,
    GRAY,
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

EXPERIMENT = "fig2"

_DATA_SETS = ("ml_100k", "douban")
_MODELS = (GLOCAL_K, SPARSE_FC)
_STYLES = {GLOCAL_K: (BLUE, "o"), SPARSE_FC: (VERMILION, "s")}
_SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_PROTOCOLS = ("best_test", "validated")

_CAPTION = (
    "Test RMSE of GLocal-K and SparseFC against the share of the training ratings kept: published "
    "(Fig. 2) and ours."
)

_Curves: TypeAlias = Mapping[tuple[str, str], Mapping[float, Point]]  # by data set and model
_Published: TypeAlias = Mapping[tuple[str, str], Mapping[float, str]]


def fig2_files(records: Sequence[Record]) -> Files:
    """The figure as svg and png, and its values as csv, Markdown and LaTeX."""
    curves, published = _curves(records), _published()
    table = _table(curves, published)
    return {
        "fig2.csv": _csv(curves, published),
        "fig2.md": figure_markdown(table),
        "fig2.tex": table.tex(),
        "fig2.svg": svg_text(lambda: fig2_figure(records), COLUMN),
        "fig2.png": png_bytes(lambda: fig2_figure(records), COLUMN),
    }


def _curves(records: Sequence[Record]) -> _Curves:
    """Every point; the one of all training ratings is Table 1's."""
    return {
        (data, model): {
            share: find_point(
                records, EXPERIMENT if share < 1 else "table1", data, model, train_share=share
            )
            for share in _SHARES
        }
        for data in _DATA_SETS
        for model in _MODELS
    }


def _published() -> _Published:
    figures = read_figures("published_fig2.csv", "data", "model", "train_share")
    return {
        (data, model): {share: figures[data, model, str(share)] for share in _SHARES}
        for data in _DATA_SETS
        for model in _MODELS
    }


def _csv(curves: _Curves, published: _Published) -> str:
    rows = (
        [data, model, str(share), published[data, model][share], *point_values(point)]
        for (data, model), points in curves.items()
        for share, point in points.items()
    )
    return csv_text(("data", "model", "train_share", "published", *POINT_COLUMNS), rows)


def _table(curves: _Curves, published: _Published) -> Table:
    columns = [("", "Data"), ("", "Share")]
    for title in map(model_title, _MODELS):
        columns += [(title, name) for name in ("published", "`best_test`", "`validated`", "seeds")]
    columns += [("Difference", name) for name in ("published", "`best_test`", "`validated`")]
    rows = []
    for data in _DATA_SETS:
        for share in _SHARES:
            row = [data_title(data), str(share)]
            for model in _MODELS:
                point = curves[data, model][share]
                row += [
                    published_figure(published[data, model][share]),
                    *(mean_and_sd(point, protocol) for protocol in _PROTOCOLS),
                    seed_count(point),
                ]
            row += [
                difference(_published_difference(published, data, share)),
                *(difference(_difference(curves, data, share, name)) for name in _PROTOCOLS),
            ]
            rows.append(row)
    points = [point for curve in curves.values() for point in curve.values()]
    return Table(EXPERIMENT, _CAPTION, columns, rows, _notes(points))


def _difference(curves: _Curves, data: str, share: float, protocol: str) -> float | None:
    """GLocal-K − SparseFC, over the seeds that both have."""
    ours, other = (curves[data, model][share] for model in _MODELS)
    return ours.minus(other, protocol)


def _published_difference(published: _Published, data: str, share: float) -> float:
    ours, other = (float(published[data, model][share]) for model in _MODELS)
    return ours - other


def _notes(points: Sequence[Point]) -> list[str]:
    return [
        f"Test RMSE. Published: Fig. 2 of {PAPER}, digitized from its vector graphics (± .0003; "
        "ML-100K to three decimals). Ours: mean ± sample standard deviation over seeds; in the "
        "figure, the lines are means and the dots are seeds. Difference: GLocal-K − SparseFC, "
        "ours over the seeds that both have. `last` is in `fig2.csv`.",
        "The paper calls this cold start. No user or item is held out: training ratings are "
        "removed at random, for each seed others, and the test ratings stay. All training ratings "
        "(share 1.0): the runs of Table 1.",
        *(f"`{name}`: {PROTOCOL_NOTES[name]}" for name in _PROTOCOLS),
        *cost_notes(points),
        "Made by `make fig2`, or `glocalk reproduce experiment=fig2`; `make report` draws the "
        "figure from the records.",
    ]


def fig2_figure(records: Sequence[Record]) -> Figure:
    """A column for each data set; rows: each protocol's errors, and the differences."""
    curves, published = _curves(records), _published()
    figure = Figure(figsize=(COLUMN_WIDTH, 4.6), layout="constrained")
    grid = figure.subplots(3, len(_DATA_SETS), sharex=True)
    for column, data in enumerate(_DATA_SETS):
        for row, protocol in enumerate(_PROTOCOLS):
            _draw_errors(grid[row, column], curves, published, data, protocol)
        _draw_differences(grid[2, column], curves, published, data)
        grid[0, column].set_title(data_title(data))
        grid[2, column].set_xlabel("Share of ratings")
        grid[2, column].set_xticks([0.2, 0.4, 0.6, 0.8, 1.0])
    for row, protocol in enumerate(_PROTOCOLS):
        grid[row, 0].set_ylabel(f"RMSE, {protocol}")
    grid[2, 0].set_ylabel("GLocal-K − SparseFC")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    more = grid[2, 0].get_legend_handles_labels()
    figure.legend([*handles, *more[0]], [*labels, *more[1]], loc="outside lower center", ncols=2)
    return figure


def _draw_errors(
    axes: Axes, curves: _Curves, published: _Published, data: str, protocol: str
) -> None:
    for model in _MODELS:
        color, marker = _STYLES[model]
        title = model_title(model)
        draw_published(axes, _floats(published[data, model]), color, marker, f"{title}, published")
        draw_ours(axes, curves[data, model], protocol, color, marker, f"{title}, ours")


def _draw_differences(axes: Axes, curves: _Curves, published: _Published, data: str) -> None:
    axes.axhline(0, color=GRAY, lw=0.6)
    theirs = {share: _published_difference(published, data, share) for share in _SHARES}
    draw_published(axes, theirs, "black", "D", "Difference, published")
    for protocol, color, marker in (("best_test", VERMILION, "v"), ("validated", GREEN, "o")):
        ours = {share: _difference(curves, data, share, protocol) for share in _SHARES}
        drawn = {share: value for share, value in ours.items() if value is not None}
        axes.plot(
            list(drawn), list(drawn.values()), color=color, lw=0.9, marker=marker, ms=3.6, mew=0,
            label=f"Difference, {protocol}",
        )  # fmt: skip


def _floats(figures: Mapping[float, str]) -> dict[float, float]:
    return {share: float(figure) for share, figure in figures.items()}
