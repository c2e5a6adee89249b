"""Test RMSE as published by Han et al., "GLocal-K", CIKM 2021 (arXiv 2108.12184)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Published:
    """One figure of Table 1.

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
    """Every figure of Table 1, row by row."""
    return [
        Published(
            model=row["model"],
            title=row["title"],
            side_information=row["side_information"] == "yes",
            data=row["data"],
            rmse=float(row["rmse"]),
            note=row["note"],
        )
        for row in _rows("published.csv")
    ]


def read_figures(file: str, *keys: str) -> dict[tuple[str, ...], str]:
    """The test RMSE in another of this package's csv files, with the decimals it is known to.

    Args:
        file: its name, as in `published_fig2.csv`.
        keys: the columns that name a figure.
    """
    return {tuple(row[key] for key in keys): row["rmse"] for row in _rows(file)}


def _rows(file: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
