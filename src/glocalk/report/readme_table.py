"""The README's table: one figure of ours beside each published one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from glocalk.report.cells import DATA_SETS, Cell
from glocalk.report.layout import NOTHING, markdown_table, rmse
from glocalk.report.table1 import budget_notes, dampings_note, group_label

PROTOCOL = "validated"


def readme_table(cells: Sequence[Cell], full_table: str) -> str:
    """A row per model, two columns per data set, and a few notes.

    Args:
        cells: the cells of Table 1.
        full_table: link to the table with every protocol.
    """
    header = ["Model", "Side inf."]
    for title in DATA_SETS.values():
        header += [f"{title}<br>published", f"{title}<br>ours"]
    rows = []
    groups = [(label, list(group)) for label, group in groupby(cells, key=group_label)]
    for label, group in groups:
        if len(groups) > 1:
            rows.append([f"*{label}*", *[""] * (len(header) - 1)])
        rows += [_row(list(row)) for _, row in groupby(group, key=lambda cell: cell.model)]
    notes = "".join(f"- {note}\n" for note in _notes(cells, full_table))
    return f"{markdown_table(header, rows, left=2)}\n{notes}"


def _row(cells: Sequence[Cell]) -> list[str]:
    by_data = {cell.data: cell for cell in cells}
    row = [cells[0].title, "yes" if cells[0].side_information else ""]
    for data in DATA_SETS:
        cell = by_data.get(data)
        row += [NOTHING, NOTHING] if cell is None else [rmse(cell.published_rmse, 3), _ours(cell)]
    return row


def _ours(cell: Cell) -> str:
    sd = cell.sd(PROTOCOL)
    return rmse(cell.mean(PROTOCOL)) + ("" if sd is None else f" ± {rmse(sd)}")


def _notes(cells: Sequence[Cell], full_table: str) -> list[str]:
    return [
        "Test RMSE; lower is better. *Published*: Table 1 of Han et al., CIKM 2021 "
        "(arXiv 2108.12184), whose figures for GLocal-K are those of the epoch that is best on "
        "the test set.",
        "*Ours*: the `validated` protocol. A part of the training ratings, held out in a "
        "separate run, chooses the epoch; no epoch is chosen on the test set.",
        f"±: sample standard deviation over seeds. Without it: one run. {NOTHING}: no figure.",
        *dampings_note(cells, " ([reports/tuned.md](reports/tuned.md))"),
        *budget_notes([cell for cell in cells if cell.data in DATA_SETS]),
        f"Every protocol, the rule of the published figures among them, the seeds and where "
        f"hyperparameters come from: [{full_table}]({full_table}).",
    ]
