"""The result in one view: GLocal-K, SparseFC and the best other model beside published figures."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from glocalk.report.cells import DATA_SETS, GLOCAL_K, SPARSE_FC, Cell
from glocalk.report.layout import difference, enumeration, rmse
from glocalk.report.page.chart import padded
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section
from glocalk.report.page.strip import Axis, Mark, ruler, strip

_MODELS = (GLOCAL_K, SPARSE_FC)


def summary_section(material: Material) -> Section | None:
    """A card for each data set; None where neither model has a run."""
    cards = [
        (title, *_rows(cells))
        for data, title in DATA_SETS.items()
        if (cells := _shown(material, data))
    ]
    if not cards:
        return None
    body = fill("summary.html", cards=cards, sentence=_sentence(material.cells))
    return Section("result", "The result in one view", "Result", body)


def _shown(material: Material, data: str) -> list[Cell]:
    """The two models, then the other with the lowest mean under `validated`."""
    made = {cell.model: cell for cell in material.cells if cell.data == data and cell.runs}
    ours = [made.pop(model) for model in _MODELS if model in made]
    others = [cell for cell in made.values() if cell.mean("validated") is not None]
    return ours + sorted(others, key=lambda cell: cell.mean("validated") or 0.0)[:1] if ours else []


def _rows(cells: Sequence[Cell]) -> tuple[list[tuple[Cell, str, str, str, Markup]], Markup]:
    """The rows of a card, and the numbers of the axis that they share."""
    marks = {cell.model: _marks(cell) for cell in cells}
    ends = [mark.value for row in marks.values() for mark in row]
    ends += [end for cell in cells if (spread := _spread(cell)) for end in spread]
    axis = Axis(*padded(ends, 0.02), width=340)
    rows = [
        (
            cell,
            rmse(cell.published_rmse, 3),
            rmse(cell.mean("best_test")),
            rmse(cell.mean("validated")),
            strip(axis, marks[cell.model], _spread(cell)),
        )
        for cell in cells
    ]
    return rows, ruler(axis)


def _marks(cell: Cell) -> list[Mark]:
    marks = []
    if cell.published_rmse is not None:
        marks.append(Mark(cell.published_rmse, "diamond", "ink", hollow=True))
    for protocol, shape, hue in (("best_test", "triangle", "two"), ("validated", "circle", "one")):
        mean = cell.mean(protocol)
        if mean is not None:
            marks.append(Mark(mean, shape, hue))
    return marks


def _spread(cell: Cell) -> tuple[float, float] | None:
    mean, sd = cell.mean("validated"), cell.sd("validated")
    return None if mean is None or sd is None else (mean - sd, mean + sd)


def _sentence(cells: Sequence[Cell]) -> str:
    """How far our means for GLocal-K are from the published figures, under the same rule."""
    gaps = [
        f"{difference(mean - cell.published_rmse)} on {DATA_SETS[cell.data]}"
        for cell in cells
        if cell.model == GLOCAL_K
        and cell.data in DATA_SETS
        and cell.published_rmse is not None
        and (mean := cell.mean("best_test")) is not None
    ]
    if not gaps:
        return ""
    return (
        "By the rule behind the published figures, the epoch that is best on the test set, our "
        f"means for GLocal-K differ from them by {enumeration(gaps)}."
    )
