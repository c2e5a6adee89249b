"""What the paper does not have: other models and data sets, side information, cold starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from glocalk.report.cells import data_title, model_title
from glocalk.report.layout import NOTHING, difference_interval
from glocalk.report.page.grid import (
    Column,
    Entry,
    change,
    figure,
    grid,
    published,
    words,
)
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section
from glocalk.report.side import titled, verdict_words

Row = Mapping[str, str]

_SHOWN = "validated"


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
    return _section(
        material, "side", ("What side information is worth", "Side inf."), lead, columns, lines
    )


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
    return _section(material, "cold_start", titles, lead, columns, lines)


def _compared(material: Material, name: str, title: str, short: str) -> Section | None:
    columns = [
        *(Column(head, kind="text") for head in ("Data", "Model", "Side inf.")),
        Column("published"),
        *(Column(f"`{protocol}`") for protocol in ("official", "best_test", "validated", "last")),
        Column("seeds"),
    ]
    lead = "Test RMSE beside the figures of other papers and codes."
    lines = [_model(row) for row in material.rows(f"{name}.csv")]
    return _section(material, name, (title, short), lead, columns, lines)


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


def _section(
    material: Material,
    name: str,
    titles: tuple[str, str],
    lead: str,
    columns: Sequence[Column],
    lines: Sequence[Sequence[Entry]],
) -> Section | None:
    """A table; None without lines.

    Args:
        material: what the page shows.
        name: of the files that it shows, and its anchor.
        titles: heading, and name in the navigation.
        lead: what stands before the table.
        columns: of the table.
        lines: its rows.
    """
    if not lines:
        return None
    body: Markup = fill(
        "study.html",
        lead=lead,
        shown=grid(f"{name}-table", titles[0], columns, lines),
        notes=material.notes(f"{name}.md"),
        values=None,
    )
    return Section(name, *titles, body)
