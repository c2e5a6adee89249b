"""Table 1: every model and protocol beside the published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from glocalk.records.run import PROTOCOLS
from glocalk.report.cells import DATA_SETS, Cell
from glocalk.report.layout import NOTHING, rmse
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section
from glocalk.report.table1 import PROTOCOL_NOTES, group_label


@dataclass(frozen=True)
class Figure:
    """A figure of the table: text, value to sort by (empty if there is none), deviation."""

    data: str
    column: str
    text: str
    value: str
    sd: str


@dataclass(frozen=True)
class Row:
    """A model's row."""

    title: str
    side_information: bool
    figures: Sequence[Figure]


def table1_section(material: Material) -> Section:
    """The table, its controls and what the protocols mean."""
    body = fill(
        "table1.html",
        groups=[
            (label, [_row(list(row)) for _, row in groupby(group, key=lambda cell: cell.model)])
            for label, group in groupby(material.cells, key=group_label)
        ],
        data_sets=DATA_SETS,
        protocols=PROTOCOLS,
        notes={name: PROTOCOL_NOTES[name].replace(" (in `table1.csv`)", "") for name in PROTOCOLS},
    )
    return Section("table1", "Table 1: test RMSE of every model", "Table 1", body)


def _row(cells: Sequence[Cell]) -> Row:
    by_data = {cell.data: cell for cell in cells}
    figures = []
    for data in DATA_SETS:
        cell = by_data.get(data)
        figures.append(_figure(data, "published", cell.published_rmse if cell else None, 3))
        for name in PROTOCOLS:
            mean, sd = (cell.mean(name), cell.sd(name)) if cell else (None, None)
            figures.append(_figure(data, name, mean, 4, sd))
    return Row(cells[0].title, cells[0].side_information, figures)


def _figure(
    data: str, column: str, value: float | None, digits: int, sd: float | None = None
) -> Figure:
    return Figure(
        data=data,
        column=column,
        text=NOTHING if value is None else rmse(value, digits),
        value="" if value is None else f"{value:.6f}",
        sd="" if sd is None else rmse(sd),
    )
