"""Test RMSE as published by Han et al., "GLocal-K", CIKM 2021 (arXiv 2108.12184)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from glocalk.records.run import ProtocolResult, Record


@dataclass(frozen=True)
class Published:
    """One figure of Table 1.

    Attributes:
        model: config name of the model.
        title: its name in the paper.
        side_information: whether it uses more than ratings.
        data: config name of the data set.
        rmse: test RMSE, of three decimals.
        rule: the protocol by which whoever published the figure picked it; empty where that is
            the rule of the model's own code, as far as is known.
        note: what a reader should know about the figure, or empty.
    """

    model: str
    title: str
    side_information: bool
    data: str
    rmse: float
    rule: str
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
            rule=row["rule"],
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


def read_sourced(file: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Figures with their sources, by data set and model.

    Args:
        file: its name, as in `published_elsewhere.csv`.
    """
    return {(row["data"], row["model"]): (row["rmse"], row["source"]) for row in _rows(file)}


def _rows(file: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def results_of(record: Record) -> Mapping[str, ProtocolResult]:
    """The results of a record under each protocol, `official` by the rule of the published figure.

    The record's own `official` is by the rule of the model's own code. It stays where the figure
    was published by the same rule, and where there is no published figure.
    """
    published = _rules().get((record.model, record.data))
    result = record.protocols.get(published) if published else None
    return record.protocols if result is None else {**record.protocols, "official": result}


@cache
def _rules() -> dict[tuple[str, str], str]:
    return {(figure.model, figure.data): figure.rule for figure in read_published()}
