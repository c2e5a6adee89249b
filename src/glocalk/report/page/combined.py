"""Combinations of models, each beside its best member."""

from __future__ import annotations

from collections.abc import Mapping

from glocalk.report.cells import data_title, model_title
from glocalk.report.layout import NOTHING, difference_interval, p_value
from glocalk.report.page.grid import Column, Entry, change, figure, words
from glocalk.report.page.section import Material, Section
from glocalk.report.page.study import study_section

_SHOWN = "validated"


def combined_section(material: Material) -> Section | None:
    """A row for each combination; its errors after the last epoch beside those shown."""
    rows = material.rows("combined.csv")
    last = {_place(row): row for row in rows if row["protocol"] == "last"}
    shown = [row for row in rows if row["protocol"] == _SHOWN]
    columns = [
        *(Column(name, kind="text") for name in ("Data", "Combination", "Changed")),
        *(Column(f"`{protocol}`", "combined") for protocol in (_SHOWN, "last")),
        Column("name", "best member", kind="text"),
        Column(f"`{_SHOWN}`", "best member"),
        Column("difference", "combined minus best member"),
        Column("interval", "combined minus best member", kind=""),
        Column("p", "combined minus best member"),
        Column("Members, largest weight first", kind="text"),
    ]
    lead = "Test RMSE of a mean, or of linear stacking, beside the best of the models combined."
    lines = [_line(row, last.get(_place(row))) for row in shown]
    titles = "Combinations of models", "Combined"
    return study_section(material, "combined", titles, lead, columns, lines)


def _place(row: Mapping[str, str]) -> tuple[str, ...]:
    return row["data"], row["model"], row["variant"]


def _line(row: Mapping[str, str], last: Mapping[str, str] | None) -> list[Entry]:
    tested = bool(row["minus_best"])
    interval = difference_interval(float(row["low"]), float(row["high"])) if tested else NOTHING
    changed = "" if row["variant"] == "default" else f"`{row['variant']}`"
    p = row["p_adjusted"]
    return [
        *map(words, (data_title(row["data"]), model_title(row["model"]), changed)),
        figure(row["mean"], row["sd"]),
        figure(last["mean"], last["sd"]) if last else figure(""),
        words(model_title(row["best_member"]) if row["best_member"] else NOTHING),
        figure(row["best_mean"], row["best_sd"]),
        change(row["minus_best"]),
        Entry(interval),
        Entry(p_value(float(p) if p else None), p),
        words(_members(row["members"])),
    ]


def _members(text: str) -> str:
    """`GLocal-K .41, SparseFC .2` of `glocal_k/0=.41 sparse_fc/0=.2`."""
    weights: dict[str, float] = {}
    for part in text.split():
        training, weight = part.split("=")
        model = training.split("/")[0]
        weights[model] = weights.get(model, 0.0) + float(weight)
    ordered = sorted(weights.items(), key=lambda share: -abs(share[1]))
    shown = [
        f"{model_title(model)} {weight:.2f}" for model, weight in ordered if abs(weight) >= 5e-3
    ]
    others = len(ordered) - len(shown)
    return ", ".join([*shown, f"{others} below 0.005"] if others else shown)
