"""What the runs of Table 1 cost: time of a training and peak memory."""

from __future__ import annotations

from collections.abc import Sequence

from glocalk.report.cells import DATA_SETS, Cell
from glocalk.report.layout import NOTHING, duration, markdown, markdown_table


def costs_markdown(cells: Sequence[Cell]) -> str:
    """A row for each model and each kind of machine that it ran on."""
    header = ["Model", "Device", "Threads"]
    for title in DATA_SETS.values():
        header += [f"{title}<br>a training", f"{title}<br>peak MB"]
    rows: dict[tuple[str, str, int], dict[str, Cell]] = {}
    for cell in cells:
        if cell.runs and cell.data in DATA_SETS:
            machine = markdown(cell.runs[0].device), cell.runs[0].threads
            rows.setdefault((cell.title, *machine), {})[cell.data] = cell
    lines = (
        [
            *map(str, row),
            *(text for data in DATA_SETS for text in _cost(made.get(data))),
        ]
        for row, made in rows.items()
    )
    return markdown_table(header, lines, left=2)


def _cost(cell: Cell | None) -> tuple[str, str]:
    if cell is None or cell.seconds is None:
        return NOTHING, NOTHING
    budget = min(run.budget for run in cell.runs)
    part = f" for {100 * budget:.0f} %" if budget < 1 else ""
    return duration(cell.seconds) + part, f"{max(run.peak_rss_mb for run in cell.runs):,.0f}"
