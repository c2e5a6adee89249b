"""Learning curves of every model that has epochs: each seed, the mean, and what protocols chose."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from glocalk.records.run import Curves, Record
from glocalk.report.cells import GLOCAL_K, Cell, data_title
from glocalk.report.figures import STAGES, has_curves
from glocalk.report.layout import rmse
from glocalk.report.page.chart import Chart, Line, Marks, chart_markup, padded
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section

_MOST_POINTS = 90
_MARKS = {
    "best_test": ("triangle", "two"),
    "validated": ("circle", "three"),
    "last": ("square", "four"),
}


def curve_charts(material: Material) -> list[tuple[Cell, Chart]]:
    """A chart for each cell with epochs, GLocal-K first."""
    cells = [cell for cell in material.cells if has_curves(cell)]
    cells.sort(key=lambda cell: cell.model != GLOCAL_K)
    return [(cell, _chart(cell, material)) for cell in cells]


def curves_section(charts: Sequence[tuple[Cell, Chart]]) -> Section | None:
    """All charts and the controls that choose one; None where no run has epochs."""
    if not charts:
        return None
    body = fill(
        "curves.html",
        models={cell.model: cell.title for cell, _ in charts},
        data_sets={cell.data: data_title(cell.data) for cell, _ in charts},
        charts=[(cell, chart_markup(chart)) for cell, chart in charts],
    )
    return Section("curves", "Learning curves", "Curves", body)


def _chart(cell: Cell, material: Material) -> Chart:
    runs = [run for run in cell.runs if run.epochs]
    curves = runs[0].curves["final"]
    size = len(curves.stage)
    kept = sorted({round(float(at)) for at in np.linspace(0, size - 1, min(size, _MOST_POINTS))})
    test = [run.curves["final"].test_rmse for run in runs]
    valid = [run.curves["selection"].valid_rmse for run in runs if "selection" in run.curves]
    lines = [
        *_lines("Test", "one", [run.seed for run in runs], test, kept),
        *_lines(
            "Held-out ratings",
            "five",
            [run.seed for run in runs if "selection" in run.curves],
            valid,
            kept,
            dashed=True,
        ),
    ]
    marks = [made for protocol in _MARKS if (made := _chosen(cell, runs, protocol)).points]
    rules = []
    if cell.published_rmse is not None:
        rules.append((f"Published, {rmse(cell.published_rmse, 3)}", cell.published_rmse))
    drawn = [y for line in lines for _, y in line.points]
    needed = [y for group in marks for _, y in group.points] + [y for _, y in rules]
    stages = _stages(curves)
    return Chart(
        key=f"curve-{cell.model}-{cell.data}",
        title=f"{cell.title} on {data_title(cell.data)}",
        description=_description(cell, runs),
        x_label="epoch of the stage" if len(stages) > 1 else "epoch",
        x_limits=(0, size + 1),
        x_ticks=_ticks(stages),
        # The first epochs have tall errors, which would flatten the rest.
        y_limits=padded([min(drawn), float(np.quantile(drawn, 0.9)), *needed]),
        steps=[(at + 1, _name(curves, at)) for at in kept],
        lines=lines,
        marks=marks,
        rules=rules,
        dividers=[start + 0.5 for _, start, _ in stages[1:]],
        heads=[(start + 0.5 + length / 2, name) for name, start, length in stages]
        if len(stages) > 1
        else [],
        extra=fill("curve_records.html", links=[(run.seed, material.link(run)) for run in runs]),
    )


def _lines(
    label: str,
    hue: str,
    seeds: Sequence[int],
    errors: Sequence[Sequence[float | None]],
    kept: Sequence[int],
    dashed: bool = False,
) -> Iterable[Line]:
    """Each seed thin, if there are several, and their mean."""
    if not seeds:
        return
    if len(seeds) > 1:
        for seed, values in zip(seeds, errors, strict=True):
            points = [(at + 1, y) for at in kept if (y := values[at]) is not None]
            yield Line(f"{label}, seed {seed}", points, hue, dashed=dashed, thin=True)
    name = f"{label}, mean of {len(seeds)} seeds" if len(seeds) > 1 else f"{label}, seed {seeds[0]}"
    columns = [(at, [values[at] for values in errors]) for at in kept]
    means = [
        (at + 1, statistics.fmean(y for y in column if y is not None))
        for at, column in columns
        if None not in column
    ]
    yield Line(name, means, hue, dashed=dashed)


def _chosen(cell: Cell, runs: Sequence[Record], protocol: str) -> Marks:
    shape, hue = _MARKS[protocol]
    points = []
    for run in runs:
        stages, result = run.curves["final"].stage, run.protocols[protocol]
        if result.rmse_epoch is not None:
            # The epochs of a protocol are those of the last stage.
            points.append((float(stages.index(stages[-1]) + result.rmse_epoch), result.rmse))
    return Marks(f"{protocol}, {rmse(cell.mean(protocol))}", points, hue, shape)


def _stages(curves: Curves) -> list[tuple[str, int, int]]:
    """Name, rows before it, and number of rows of each stage."""
    made, start = [], 0
    for stage, rows in groupby(curves.stage):
        size = len(list(rows))
        made.append((STAGES.get(stage, stage), start, size))
        start += size
    return made


def _ticks(stages: Sequence[tuple[str, int, int]]) -> list[tuple[float, str]]:
    total = sum(size for _, _, size in stages)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 10**9) if total <= 12 * step)
    return [
        (float(start + epoch), str(epoch))
        for _, start, size in stages
        for epoch in range(step, size + 1, step)
    ]


def _name(curves: Curves, at: int) -> str:
    stage = STAGES.get(curves.stage[at], curves.stage[at])
    several = len(set(curves.stage)) > 1
    return f"{stage}, epoch {curves.epoch[at]}" if several else f"epoch {curves.epoch[at]}"


def _description(cell: Cell, runs: Sequence[Record]) -> str:
    chosen = [
        f"{protocol} {rmse(cell.mean(protocol))}"
        for protocol in _MARKS
        if cell.mean(protocol) is not None
    ]
    return (
        f"Test RMSE and RMSE on held-out training ratings after each epoch, {len(runs)} "
        f"seed{'s' * (len(runs) > 1)}. Test RMSE that each protocol reports: {', '.join(chosen)}."
    )
