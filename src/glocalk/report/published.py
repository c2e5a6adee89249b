"""Test RMSE as published: Table 1 of Han et al., "GLocal-K", CIKM 2021 (arXiv 2108.12184)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Published:
    """One figure of the table.

    Attributes:
        model: config name of the model.
        title: its name in the paper.
        side_information: whether it uses more than ratings.
        data: config name of the data set.
        rmse: test RMSE, of three decimals.
        note: what a reader should know about the figure, or empty.
    """

    model: str
    title: str
    side_information: bool
    data: str
    rmse: float
    note: str


def read_published() -> list[Published]:
    """Every figure of the table, row by row."""
    text = resources.files(__package__).joinpath("published.csv").read_text(encoding="utf-8")
    return [
        Published(
            model=row["model"],
            title=row["title"],
            side_information=row["side_information"] == "yes",
            data=row["data"],
            rmse=float(row["rmse"]),
            note=row["note"],
        )
        for row in csv.DictReader(text.splitlines())
    ]
