"""Figures of models, as the committed tables in `reports/` have them."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from website.catalog import DATA_TITLES, ROOT

REPORTS = ROOT / "reports"
# A row of an earlier table is taken where several have the model and the data set.
TABLES = ("table1", "around", "monti")
PROTOCOLS = ("validated", "best_test", "last")


@dataclass(frozen=True)
class Figures:
    """Test RMSE of a model on a data set.

    Attributes:
        model: its config name.
        data: config name of the data set.
        table: the page or file of `reports/` that has the figures.
        published: the published figure, as it was printed; empty without one.
        source: where it was published.
        means: mean over seeds under each protocol.
        deviations: sample standard deviation over seeds; None for a single run.
        seeds: number of runs.
        seconds: median time of a training; None if the table does not have it.
    """

    model: str
    data: str
    table: str
    published: str
    source: str
    means: dict[str, float]
    deviations: dict[str, float | None]
    seeds: int
    seconds: float | None


@cache
def all_figures() -> dict[tuple[str, str], Figures]:
    """The figures of each (model, data set)."""
    found: dict[tuple[str, str], Figures] = {}
    for each in (*_of_tables(), *_of_runs()):
        found.setdefault((each.model, each.data), each)
    return found


def figures_of(model: str) -> list[Figures]:
    """The figures of a model, in the order of the data sets."""
    found = all_figures()
    return [found[model, data] for data in DATA_TITLES if (model, data) in found]


def _of_tables() -> Iterator[Figures]:
    for table in TABLES:
        for row in _rows(table):
            means = {name: _number(row[f"{name}_mean"]) for name in PROTOCOLS}
            made = {name: mean for name, mean in means.items() if mean is not None}
            if row["data"] in DATA_TITLES and (made or row["published"]):
                source = row.get("source", "Table 1 of Han et al., CIKM 2021")
                yield Figures(
                    model=row["model"],
                    data=row["data"],
                    table=f"{table}.md",
                    published=row["published"].removeprefix("0"),
                    source=source * bool(row["published"]),
                    means=made,
                    deviations={name: _number(row[f"{name}_sd"]) for name in PROTOCOLS},
                    # `table1.csv` has the number of seeds, the others list them.
                    seeds=int(row["seeds"]) if table == "table1" else len(row["seeds"].split()),
                    seconds=_number(row["training_seconds_median"]),
                )


def _of_runs() -> Iterator[Figures]:
    """Figures of models that no table has, such as ablations, from the list of all runs."""
    runs: dict[tuple[str, str], dict[str, list[dict[str, str]]]] = {}
    for row in _rows("results"):
        if row["variant"] == "default" and float(row["train_share"]) == 1:
            of_model = runs.setdefault((row["model"], row["data"]), {})
            of_model.setdefault(row["protocol"], []).append(row)
    for (model, data), by_protocol in runs.items():
        made = {name: by_protocol[name] for name in PROTOCOLS if name in by_protocol}
        errors = {name: [float(row["rmse"]) for row in rows] for name, rows in made.items()}
        ran = next(iter(made.values()))
        yield Figures(
            model=model,
            data=data,
            table="results.csv",
            published="",
            source="",
            means={name: statistics.fmean(each) for name, each in errors.items()},
            deviations={
                name: statistics.stdev(each) if len(each) > 1 else None
                for name, each in errors.items()
            },
            seeds=len(ran),
            seconds=statistics.median(float(row["seconds"]) for row in ran),
        )


def _rows(table: str) -> list[dict[str, str]]:
    with (REPORTS / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float | None:
    return float(text) if text else None
