"""The gap of selecting on test, with its interval, and the epochs that protocols pick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glocalk.report.cells import data_title, model_title
from glocalk.report.layout import NOTHING, difference_interval
from glocalk.report.page.chart import padded
from glocalk.report.page.grid import Column, Entry, change, figure, grid, words
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section
from glocalk.report.page.strip import Axis, Mark, ruler, strip

Row = Mapping[str, str]


def gap_section(material: Material) -> Section | None:
    """A row for each model and data set; None where no run has epochs."""
    rows = material.rows("gap.csv")
    if not rows:
        return None
    ends = [float(row[end]) for row in rows for end in ("low", "high")]
    axis = Axis(*padded([*ends, 0.0], 0.04), lines=(0.0,), width=240)
    columns = [
        *(Column("Model", kind="text"), Column("Data", kind="text")),
        *(Column("`best_test`"), Column("`validated`"), Column("gap"), Column("95 % interval")),
        *(Column("drawn", kind="", drawn=ruler(axis, signed=True)), Column("seeds")),
        *(Column(f"epochs of `{name}`", kind="") for name in ("best_test", "validated")),
    ]
    epochs = _epochs(material.rows("epochs.csv"))
    body = fill(
        "gap.html",
        table=grid(
            "gap-table",
            "`best_test` − `validated`, mean over seeds, for each model and data set",
            columns,
            [
                [*_entries(row, axis), *epochs.get((row["model"], row["data"]), _NONE)]
                for row in rows
            ],
        ),
        notes=material.notes("gap.md"),
    )
    return Section("gap", "The gap of selecting on test", "Gap", body)


def _entries(row: Row, axis: Axis) -> list[Entry]:
    low, high, gap = (float(row[name]) for name in ("low", "high", "gap"))
    return [
        words(model_title(row["model"])),
        words(data_title(row["data"])),
        figure(row["best_test_mean"]),
        figure(row["validated_mean"]),
        change(row["gap"]),
        Entry(difference_interval(low, high), row["low"]),
        Entry("", drawn=strip(axis, [Mark(gap, "circle", "one")], (low, high))),
        words(row["seeds"]),
    ]


_NONE = (Entry(NOTHING), Entry(NOTHING))


def _epochs(rows: Sequence[Row]) -> dict[tuple[str, str], list[Entry]]:
    """Per model and data set, the epochs of every seed under either protocol."""
    by_cell: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_cell.setdefault((row["model"], row["data"]), []).append(row)
    return {
        key: [
            Entry(" ".join(row[name] or NOTHING for row in runs))
            for name in ("best_test", "validated")
        ]
        for key, runs in by_cell.items()
    }
