"""Table 2 of the paper, variants of the global kernel, beside our runs."""

from __future__ import annotations

from collections.abc import Sequence

from glocalk.records.run import Record
from glocalk.report.cells import DATA_SETS, GLOCAL_K
from glocalk.report.layout import csv_text, number
from glocalk.report.parts import Files
from glocalk.report.points import (
    POINT_COLUMNS,
    Point,
    cost_notes,
    find_point,
    point_values,
)
from glocalk.report.published import read_figures
from glocalk.report.table1 import PROTOCOL_NOTES
from glocalk.report.tables import PAPER, Table, mean_and_sd, published_figure, seed_count

EXPERIMENT = "table2"

# What is varied: its title, and the title of each value.
_VARIED = {
    "kernel_size": ("kernel size", {"3": "3×3 (base)", "5": "5×5", "7": "7×7"}),
    "convolution_layers": ("convolution layers", {"1": "1 (base)", "2": "2", "3": "3"}),
    "aggregation": ("kernel aggregation", {"average": "average", "weighted": "weighted (base)"}),
}
_BASE = {"kernel_size": "3", "convolution_layers": "1", "aggregation": "weighted"}

_COLUMNS = (
    *("varied", "value", "data", "published"),
    *POINT_COLUMNS,
    *("best_test_minus_base", "validated_minus_base"),
)


def table2_files(records: Sequence[Record]) -> Files:
    """The table as csv, Markdown and LaTeX."""
    table = _table(records)
    return {
        "table2.csv": _csv(records),
        "table2.md": table.markdown(),
        "table2.tex": table.tex(),
    }


def _point(records: Sequence[Record], varied: str, value: str, data: str) -> Point:
    if value == _BASE[varied]:
        return find_point(records, "table1", data, GLOCAL_K)
    return find_point(records, EXPERIMENT, data, GLOCAL_K, variant=f"model.{varied}={value}")


def _csv(records: Sequence[Record]) -> str:
    published = _published()
    rows = []
    for varied, value in _lines():
        for data in DATA_SETS:
            point = _point(records, varied, value, data)
            base = _point(records, varied, _BASE[varied], data)
            minus_base = [
                number(None if point == base else point.minus(base, protocol))
                for protocol in ("best_test", "validated")
            ]
            rows.append(
                [
                    *(varied, value, data, published[data, varied, value]),
                    *(*point_values(point), *minus_base),
                ]
            )
    return csv_text(_COLUMNS, rows)


def _table(records: Sequence[Record]) -> Table:
    published = _published()
    columns = [("", "Varied"), ("", "Value")]
    for title in DATA_SETS.values():
        columns += [(title, name) for name in ("published", "`best_test`", "`validated`", "seeds")]
    rows, points = [], []
    for varied, value in _lines():
        title, values = _VARIED[varied]
        row = [title, values[value]]
        for data in DATA_SETS:
            point = _point(records, varied, value, data)
            row += [
                published_figure(published[data, varied, value]),
                mean_and_sd(point, "best_test"),
                mean_and_sd(point, "validated"),
                seed_count(point),
            ]
            points.append(point)
        rows.append(row)
    return Table(
        name=EXPERIMENT,
        caption="Variants of GLocal-K's global kernel: published test RMSE (Table 2) and ours.",
        columns=columns,
        rows=rows,
        notes=_notes(points),
    )


def _notes(points: Sequence[Point]) -> list[str]:
    return [
        f"Test RMSE of GLocal-K. Published: Table 2 of {PAPER}. Ours: mean ± sample standard "
        "deviation over seeds; `last` and the mean difference to the base point over common seeds "
        "are in `table2.csv`.",
        "Base: Table 1's runs, with one 3×3 kernel, aggregated by weights. Each other row changes "
        "one option.",
        "Neither the paper nor the official code defines the variants; these are our readings. L "
        "convolution layers: L global kernels made from the same pooled vector, each with its own "
        "item kernels, applied one after the other with a ReLU after each. Average: the global "
        "kernel is the mean of the item kernels over items, times `dot_scale`, without the pooled "
        "ratings as weights.",
        *(f"`{name}`: {PROTOCOL_NOTES[name]}" for name in ("best_test", "validated")),
        *cost_notes(points),
        "Planned are seeds 0 to 2 of each variant on ML-100K and Douban, and on ML-1M seed 0 alone "
        "and no kernel sizes, because of their cost.",
        "Made by `make table2`, or `glocalk reproduce experiment=table2`; `make report` makes the "
        "table from the records.",
    ]


def _lines() -> list[tuple[str, str]]:
    """What each line varies, and to which value."""
    return [(varied, value) for varied, (_, values) in _VARIED.items() for value in values]


def _published() -> dict[tuple[str, ...], str]:
    return read_figures("published_table2.csv", "data", "varied", "value")
