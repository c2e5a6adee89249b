"""What predictive distributions are worth."""

from __future__ import annotations

from collections.abc import Mapping

from glocalk.report.cells import data_title, model_title
from glocalk.report.page.grid import Column, Entry, figure, words
from glocalk.report.page.section import Material, Section
from glocalk.report.page.study import study_section

_FIGURES = ("rmse", "nll", "crps", "mean_std")
_PERCENTS = ("80", "95")


def uncertainty_section(material: Material) -> Section | None:
    """A row for each model that gives a distribution of each rating."""
    columns = [
        *(Column(name, kind="text") for name in ("Data", "Model", "Side inf.")),
        Column("RMSE", "mean"),
        *(Column(name, "distribution") for name in ("NLL", "CRPS", "sd")),
        *(Column(f"{percent} %", "coverage of intervals") for percent in _PERCENTS),
    ]
    lead = "Scores of predictive distributions of the test ratings; lower is better."
    lines = [_line(row) for row in material.rows("uncertainty.csv")]
    titles = "Predictive distributions", "Uncertainty"
    return study_section(material, "uncertainty", titles, lead, columns, lines)


def _line(row: Mapping[str, str]) -> list[Entry]:
    return [
        *map(words, (data_title(row["data"]), model_title(row["model"]))),
        words("yes" if row["side_information"] == "yes" else ""),
        *(figure(row[name]) for name in _FIGURES),
        *(figure(row[f"coverage_{percent}"], digits=3) for percent in _PERCENTS),
    ]
