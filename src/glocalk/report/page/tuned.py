"""Every model after a search for its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping

from glocalk.report.cells import data_sets_in_order, data_title, in_order, model_title
from glocalk.report.page.grid import Column, Entry, change, figure, words
from glocalk.report.page.section import Material, Section
from glocalk.report.page.study import study_section

_SHOWN = "validated"


def tuned_section(material: Material) -> Section | None:
    """A row for each model, two columns for each data set."""
    cells = {(row["model"], row["data"]): row for row in material.rows("tuned.csv")}
    data_sets = data_sets_in_order(data for _, data in cells)
    columns = [
        Column("Model", kind="text"),
        Column("Side inf.", kind="text"),
        *(
            Column(name, data_title(data))
            for data in data_sets
            for name in (f"`{_SHOWN}`", "change")
        ),
    ]
    lead = (
        "Test RMSE after searches for hyperparameters, all with the same small budget. Change: "
        "tuned minus present hyperparameters, over the seeds that both have."
    )
    lines = [
        [
            words(model_title(model)),
            words(_side(model, cells)),
            *(entry for data in data_sets for entry in _cell(cells.get((model, data)))),
        ]
        for model in in_order({model for model, _ in cells})
    ]
    titles = "Searched hyperparameters", "Tuned"
    return study_section(material, "tuned", titles, lead, columns, lines)


def _side(model: str, cells: Mapping[tuple[str, str], Mapping[str, str]]) -> str:
    """`yes` if the model has side information; the data sets if it has so on some alone."""
    known = {
        data: row["side_information"]
        for (name, data), row in cells.items()
        if name == model and row["side_information"]
    }
    having = [data_title(data) for data, has in known.items() if has == "yes"]
    return "yes" if having and len(having) == len(known) else ", ".join(having)


def _cell(row: Mapping[str, str] | None) -> tuple[Entry, Entry]:
    if row is None:
        return figure(""), change("")
    made = figure(row["validated_mean"], row["validated_sd"])
    if row["changed"] == "yes":
        return made, change(row["validated_change"])
    return made, Entry(row["mark"])
