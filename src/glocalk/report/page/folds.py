"""GLocal-K and SparseFC on other splits than the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glocalk.report.cells import GLOCAL_K, SPARSE_FC, data_title, model_title
from glocalk.report.folds import over_splits
from glocalk.report.page.grid import Column, change, figure, grid, words
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section

_PROTOCOLS = ("best_test", "validated")
_MODELS = (GLOCAL_K, SPARSE_FC)


def folds_section(material: Material) -> Section | None:
    """A row for each split; None where nothing was run."""
    rows = material.rows("folds.csv")
    if not any(row["difference"] for row in rows):
        return None
    cells = {(row["data"], row["split"], row["protocol"]): row for row in rows}
    columns = [Column("Data", kind="text"), Column("Split", kind="text")]
    for name in _PROTOCOLS:
        columns += [Column(model_title(model), f"`{name}`") for model in _MODELS]
        columns.append(Column("difference", f"`{name}`"))
    lines = []
    for data, split in dict.fromkeys((data, split) for data, split, _ in cells):
        line = [words(data_title(data)), words(split)]
        for name in _PROTOCOLS:
            row = cells[data, split, name]
            line += [*(figure(row[model]) for model in _MODELS), change(row["difference"])]
        lines.append(line)
    means = "; ".join(
        f"{data_title(data)} {over_splits(_differences(rows, data), signed=True)}"
        for data in dict.fromkeys(data for data, _, _ in cells)
    )
    body = fill(
        "study.html",
        lead="One training of each model on every split, test RMSE. Mean difference ± sample "
        f"standard deviation over splits, at the best test epoch: {means}.",
        shown=grid("folds-table", "GLocal-K and SparseFC on other splits", columns, lines),
        notes=material.notes("folds.md"),
        values=None,
    )
    return Section("folds", "Other splits than the paper's", "Splits", body)


def _differences(rows: Sequence[Mapping[str, str]], data: str) -> list[float | None]:
    """That of each split at the best test epoch."""
    return [
        float(row["difference"]) if row["difference"] else None
        for row in rows
        if (row["data"], row["protocol"]) == (data, "best_test")
    ]
