"""New users and items: without ratings, or with a few that are folded in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glocalk.report.cells import data_title, model_title
from glocalk.report.layout import NOTHING
from glocalk.report.page.chart import padded
from glocalk.report.page.grid import Column, Entry, change, figure, words
from glocalk.report.page.section import Material, Section
from glocalk.report.page.strip import Axis, Mark, ruler, strip
from glocalk.report.page.study import study_section
from glocalk.report.side import titled

Row = Mapping[str, str]

_SHOWN = "validated"
_SHAPES = ("triangle", "square", "circle", "diamond")  # of numbers of revealed ratings, ascending


def cold_start_section(material: Material) -> Section | None:
    """Users and items without training ratings."""
    by_model: dict[tuple[str, ...], list[Row]] = {}
    for row in material.rows("cold_start.csv"):
        if row["protocol"] == _SHOWN:
            key = tuple(row[name] for name in ("data", "new", "model", "changed"))
            by_model.setdefault(key, []).append(row)
    columns = [
        *(Column(name, kind="text") for name in ("Data", "New", "Model", "Side inf.")),
        Column(f"`{_SHOWN}`"),
        *(Column(name, "difference to") for name in (model_title("bias"), "itself without")),
    ]
    lead = "Test RMSE where a random tenth of the users, or of the items, is held out whole."
    lines = [_new(rows) for rows in by_model.values()]
    titles = "New users and items", "Cold starts"
    return study_section(material, "cold_start", titles, lead, columns, lines)


def fold_in_section(material: Material) -> Section | None:
    """New users and items whose ratings are folded in, or trained on."""
    rows = material.rows("fold_in.csv")
    counts = sorted({int(row["revealed"]) for row in rows} - {0})
    by_model: dict[tuple[str, str, str], dict[int, Row]] = {}
    for row in rows:
        key = row["data"], row["new"], row["model"]
        by_model.setdefault(key, {})[int(row["revealed"])] = row
    differences = [float(row["difference"]) for row in rows if row["difference"]]
    axis = Axis(*padded([*differences, 0.0]), lines=(0.0,), width=180)
    groups = [f"{count} rating{'s' * (count != 1)}" for count in counts]
    columns = [
        *(Column(name, kind="text") for name in ("Data", "New", "Model")),
        Column("0 ratings"),
        *(Column(name, group) for group in groups for name in ("folded in", "difference")),
        Column("differences drawn", kind="", drawn=ruler(axis, signed=True)),
        *(Column(name, "seconds") for name in ("fold-in", "training")),
    ]
    shapes = dict(zip(counts, _SHAPES, strict=False))
    marks = ", ".join(f"{shape} {group}" for shape, group in zip(_SHAPES, groups, strict=False))
    lead = (
        "Test RMSE of new users and items with some of their ratings folded in after the training, "
        "mean over draws. "
        "Difference: folded in minus trained on anew with the same ratings; below 0, folding in is "
        f"better. Drawn: {marks}."
    )
    lines = [_folded(*key, by_count, shapes, axis) for key, by_count in by_model.items()]
    titles = "New users and items without training", "Fold-in"
    return study_section(material, "fold_in", titles, lead, columns, lines)


def _new(rows: Sequence[Row]) -> list[Entry]:
    """A model on new users or items; a row of the csv for each that it is compared with."""
    first = rows[0]
    minus = {row["against"]: row["minus"] for row in rows}
    title = titled(first["model"], first["changed"])
    bias = minus.pop("bias", "")
    return [
        *map(words, (data_title(first["data"]), first["new"], title)),
        words("yes" if first["side_information"] == "yes" else ""),
        figure(first["mean"], first["sd"]),
        change(bias),
        change(next(iter(minus.values()), "")),
    ]


def _folded(
    data: str,
    new: str,
    model: str,
    by_count: Mapping[int, Row],
    shapes: Mapping[int, str],
    axis: Axis,
) -> list[Entry]:
    """A model on new users or items; a row of the csv for each number of revealed ratings."""
    nothing = dict.fromkeys(next(iter(by_count.values())), "")
    made = [by_count.get(count, nothing) for count in shapes]
    start, most = by_count.get(0, nothing), by_count[max(by_count)]
    marks = [
        Mark(float(row["difference"]), shape, "one")
        for row, shape in zip(made, shapes.values(), strict=True)
        if row["difference"]
    ]
    return [
        *map(words, (data_title(data), new, model_title(model))),
        figure(start["trained"]),
        *(entry for row in made for entry in (figure(row["folded_in"]), change(row["difference"]))),
        Entry("", drawn=strip(axis, marks)),
        *map(_seconds, (most["fold_in_seconds"], most["training_seconds"])),
    ]


def _seconds(value: str) -> Entry:
    return Entry(f"{float(value):.2g}", value) if value else Entry(NOTHING)
