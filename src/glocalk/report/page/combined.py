"""Combinations of models, each beside its best member and the best single model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from glocalk.report.cells import data_title, model_title
from glocalk.report.layout import NOTHING, difference_interval, p_value
from glocalk.report.page.grid import Column, Entry, change, figure, words
from glocalk.report.page.section import Material, Section
from glocalk.report.page.study import study_section

_SHOWN = "validated"
_MEMBER = ("best_member", "best_mean", "best_sd", "minus_best", "low", "high", "p_adjusted")
_SINGLE = (
    *("best_single", "single_mean", "single_sd", "minus_single"),
    *("single_low", "single_high", "single_p_adjusted"),
)


def combined_section(material: Material) -> Section | None:
    """A row for each combination; its errors after the last epoch beside those shown."""
    rows = material.rows("combined.csv")
    last = {_place(row): row for row in rows if row["protocol"] == "last"}
    shown = [row for row in rows if row["protocol"] == _SHOWN]
    columns = [
        *(Column(name, kind="text") for name in ("Data", "Combination", "Changed")),
        *(Column(f"`{protocol}`", "combined") for protocol in (_SHOWN, "last")),
        *(column for which in ("best member", "best single model") for column in _columns(which)),
        Column("Members, largest weight first", kind="text"),
    ]
    lead = (
        "Test RMSE of a mean, or of linear stacking, beside the best of the models combined, and "
        "beside the best single model."
    )
    lines = [_line(row, last.get(_place(row))) for row in shown]
    titles = "Combinations of models", "Combined"
    return study_section(material, "combined", titles, lead, columns, lines)


def _columns(which: str) -> list[Column]:
    return [
        Column("name", which, kind="text"),
        Column(f"`{_SHOWN}`", which),
        Column("difference", f"combined minus {which}"),
        Column("interval", f"combined minus {which}", kind=""),
        Column("p", f"combined minus {which}"),
    ]


def _place(row: Mapping[str, str]) -> tuple[str, ...]:
    return row["data"], row["model"], row["variant"]


def _line(row: Mapping[str, str], last: Mapping[str, str] | None) -> list[Entry]:
    changed = "" if row["variant"] == "default" else f"`{row['variant']}`"
    return [
        *map(words, (data_title(row["data"]), model_title(row["model"]), changed)),
        figure(row["mean"], row["sd"]),
        figure(last["mean"], last["sd"]) if last else figure(""),
        *_beside(*map(row.__getitem__, _MEMBER)),
        *_beside(*map(row.__getitem__, _SINGLE)),
        words(_members(row["members"])),
    ]


def _beside(
    model: str, mean: str, sd: str, minus: str, low: str, high: str, p: str
) -> Iterator[Entry]:
    yield words(model_title(model) if model else NOTHING)
    yield figure(mean, sd)
    yield change(minus)
    yield Entry(difference_interval(float(low), float(high)) if minus else NOTHING)
    yield Entry(p_value(float(p) if p else None), p)


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
