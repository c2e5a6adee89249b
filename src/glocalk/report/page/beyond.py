"""What the paper does not have: other models and data sets, folds, attributes."""

from __future__ import annotations

from collections.abc import Mapping

from glocalk.report.cells import data_title, model_title
from glocalk.report.layout import NOTHING, difference_interval
from glocalk.report.page.grid import (
    Column,
    Entry,
    change,
    figure,
    published,
    words,
)
from glocalk.report.page.section import Material, Section
from glocalk.report.page.study import study_section
from glocalk.report.side import verdict_words

Row = Mapping[str, str]

_SHOWN = "validated"
_PROTOCOLS = ("best_test", "validated", "last")


def around_section(material: Material) -> Section | None:
    """Models around the paper."""
    return _compared(material, "around", "Models around the paper", "Around")


def monti_section(material: Material) -> Section | None:
    """Every model on the further sets of Monti et al."""
    return _compared(material, "monti", "Flixster and YahooMusic", "Flixster, YahooMusic")


def side_section(material: Material) -> Section | None:
    """Side information against none."""
    columns = [
        *(Column(name, kind="text") for name in ("Data", "With, against without")),
        Column("published"),
        Column("difference", f"`{_SHOWN}`"),
        Column("interval", f"`{_SHOWN}`", kind=""),
        Column("Side information", kind="text"),
    ]
    lead = "Test RMSE with side information minus that without: below 0, it helps."
    lines = [_pair(row) for row in material.rows("side.csv") if row["protocol"] == _SHOWN]
    return study_section(
        material, "side", ("What side information is worth", "Side inf."), lead, columns, lines
    )


def cross_validation_section(material: Material) -> Section | None:
    """Errors over folds."""
    cells: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in material.rows("cross_validation.csv"):
        key = row["data"], row["model"], row["changed"]
        cells.setdefault(key, {})[row["protocol"]] = row
    columns = [
        *(Column(name, kind="text") for name in ("Data", "Model", "Changed", "Folds")),
        *(Column(f"`{protocol}`") for protocol in _PROTOCOLS),
    ]
    lines = [
        [
            *map(words, (data_title(data), model_title(model), f"`{changed}`" if changed else "")),
            words(f"{by_protocol['last']['folds']} of {by_protocol['last']['of']}"),
            *(figure(by_protocol[name]["mean"], by_protocol[name]["sd"]) for name in _PROTOCOLS),
        ]
        for (data, model, changed), by_protocol in cells.items()
    ]
    lead = "Test RMSE where each fold tests once: mean ± sample standard deviation over folds."
    titles = "Cross-validation", "Cross-validation"
    return study_section(material, "cross_validation", titles, lead, columns, lines)


def _compared(material: Material, name: str, title: str, short: str) -> Section | None:
    columns = [
        *(Column(head, kind="text") for head in ("Data", "Model", "Side inf.")),
        Column("published"),
        *(Column(f"`{protocol}`") for protocol in ("official", "best_test", "validated", "last")),
        Column("seeds"),
    ]
    lead = "Test RMSE beside the figures of other papers and codes."
    lines = [_model(row) for row in material.rows(f"{name}.csv")]
    return study_section(material, name, (title, short), lead, columns, lines)


def _model(row: Row) -> list[Entry]:
    seeds = str(len(row["seeds"].split()))
    return [
        words(data_title(row["data"])),
        words(model_title(row["model"])),
        words("yes" if row["side_information"] == "yes" else ""),
        published(row["published"]),
        *(
            figure(row[f"{name}_mean"], row[f"{name}_sd"])
            for name in ("official", "best_test", "validated", "last")
        ),
        Entry(seeds, seeds),
    ]


def _pair(row: Row) -> list[Entry]:
    told = bool(row["difference"])
    interval = difference_interval(float(row["low"]), float(row["high"])) if told else NOTHING
    return [
        *map(words, (data_title(row["data"]), row["against"])),
        change(row["published"]),
        change(row["difference"]),
        Entry(interval),
        words(verdict_words(row["verdict"])),
    ]
