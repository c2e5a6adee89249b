"""What each training of Table 1 costs."""

from __future__ import annotations

from glocalk.report.cells import DATA_SETS, Cell
from glocalk.report.layout import NOTHING, duration
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section


def costs_section(material: Material) -> Section | None:
    """A row for each model and machine, as in `costs.md`; None without a run."""
    rows: dict[tuple[str, str, int], dict[str, Cell]] = {}
    for cell in material.cells:
        if cell.runs and cell.data in DATA_SETS:
            machine = cell.runs[0].device, cell.runs[0].threads
            rows.setdefault((cell.title, *machine), {})[cell.data] = cell
    if not rows:
        return None
    lines = [(*row, [_cost(made.get(data)) for data in DATA_SETS]) for row, made in rows.items()]
    body = fill("costs.html", data_sets=list(DATA_SETS.values()), rows=lines)
    return Section("costs", "What a training costs", "Costs", body)


def _cost(cell: Cell | None) -> list[tuple[str, str]]:
    """Text and value of the median time, and of the peak memory."""
    if cell is None or cell.seconds is None:
        return [(NOTHING, "")] * 2
    peak = max(run.peak_rss_mb for run in cell.runs)
    return [(duration(cell.seconds), f"{cell.seconds:.3f}"), (f"{peak:,.0f}", f"{peak:.1f}")]
