"""Errors on users and items without training ratings, which the paper does not show."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from glocalk.records.run import Record
from glocalk.report.cells import data_sets_in_order, data_title, in_order, model_title
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    difference,
    difference_interval,
    number,
    yes,
)
from glocalk.report.parts import Files, Sources
from glocalk.report.side import WITHOUT_DATES, titled
from glocalk.report.statistics.few import t_interval
from glocalk.report.tables import Table, with_sd

EXPERIMENT = "cold_start"

_PROTOCOL = "validated"
_BASELINE = ("bias", "")
_COLUMNS = (
    *("data", "new", "model", "changed", "side_information", "protocol", "draws", "mean", "sd"),
    *("minus", "against", "low", "high"),
)

_Model: TypeAlias = tuple[str, str]
"""Config name of a model, and the options of it that are changed."""

# What models are compared with, beside the baseline: themselves without side information.
_WITHOUT: dict[_Model, _Model] = {
    ("gc_mc_extra", ""): ("gc_mc", ""),
    ("graphrec_extra", ""): ("graphrec", ""),
    ("bayesian_fm", ""): ("bayesian_fm", WITHOUT_DATES),
}


@dataclass(frozen=True)
class _Row:
    """A model on the new users or items of a data set.

    Attributes:
        data: config name of the data set.
        new: `users` or `items`.
        model: the model.
        side_information: whether it uses more than ratings.
        errors: test RMSE by draw.
    """

    data: str
    new: str
    model: _Model
    side_information: bool
    errors: Mapping[int, float]

    @property
    def title(self) -> str:
        """The model's name in tables."""
        return titled(*self.model)


def cold_start_files(sources: Sources) -> Files:
    """The table as csv, Markdown and LaTeX."""
    runs = [run for run in sources.records if run.experiment == EXPERIMENT]
    rows = {protocol: _rows(runs, protocol) for protocol in ("best_test", _PROTOCOL, "last")}
    table = _table(rows[_PROTOCOL])
    return {
        "cold_start.csv": csv_text(
            _COLUMNS,
            (
                line
                for protocol, made in rows.items()
                for row in made
                for line in _csv_rows(row, protocol, made)
            ),
        ),
        "cold_start.md": table.markdown(),
        "cold_start.tex": table.tex(),
    }


def _rows(runs: Sequence[Record], protocol: str) -> list[_Row]:
    """By data set, what is new, and model."""
    errors: dict[tuple[str, str, _Model], dict[int, float]] = {}
    with_side = {_model(run) for run in runs if run.side_information}
    for run in runs:
        options = run.config.get("protocol", {})
        new, draw = options.get("cold_start"), options.get("cold_start_seed", 0)
        if new is not None and protocol in run.protocols:
            draws = errors.setdefault((run.data, str(new), _model(run)), {})
            draws[int(draw)] = run.protocols[protocol].rmse
    where = dict.fromkeys((data, new) for data, new, _ in sorted(errors))
    places = data_sets_in_order(data for data, _ in where)
    known = in_order({name for _, _, (name, _) in errors})
    models = sorted(
        {model for _, _, model in errors}, key=lambda one: (known.index(one[0]), one[1])
    )
    return [
        _Row(data, new, model, model in with_side, errors[data, new, model])
        for data, new in sorted(where, key=lambda place: (places.index(place[0]), place[1]))
        for model in models
        if (data, new, model) in errors
    ]


def _model(run: Record) -> _Model:
    """The model of a run; what its variant says of the protocol is no change of it."""
    changed = [part for part in run.variant.split(",") if not part.startswith("protocol.")]
    return run.model, ",".join(changed)


def _differences(row: _Row, rows: Sequence[_Row], against: _Model) -> list[float]:
    """Its error minus that of the other model, of each draw that both have."""
    for other in rows:
        if (other.data, other.new, other.model) == (row.data, row.new, against):
            common = sorted(row.errors.keys() & other.errors.keys())
            return [row.errors[draw] - other.errors[draw] for draw in common]
    return []


def _rivals(row: _Row) -> list[_Model]:
    own = [_WITHOUT[row.model]] if row.model in _WITHOUT else []
    return [model for model in (_BASELINE, *own) if model != row.model]


def _csv_rows(row: _Row, protocol: str, rows: Sequence[_Row]) -> list[list[str]]:
    errors = list(row.errors.values())
    sd = statistics.stdev(errors) if len(errors) > 1 else None
    first = [row.data, row.new, *row.model, yes(row.side_information), protocol]
    first += [str(len(errors)), number(statistics.fmean(errors)), number(sd)]
    lines = []
    for against in _rivals(row):
        made = _differences(row, rows, against)
        interval = t_interval(made)
        mean = number(statistics.fmean(made)) if made else ""
        ends = map(number, interval) if interval else ("", "")
        lines.append([*first, mean, against[0], *ends])
    return lines or [[*first, "", "", "", ""]]


def _table(rows: Sequence[_Row]) -> Table:
    return Table(
        name=EXPERIMENT,
        caption="New users and items: test RMSE where a random tenth of the users, or of the "
        "items, is held out with all ratings.",
        columns=[
            *(("", name) for name in ("Data", "New", "Model", "Side inf.")),
            ("", f"`{_PROTOCOL}`"),
            (f"− {model_title(_BASELINE[0])}", "difference"),
            (f"− {model_title(_BASELINE[0])}", "interval"),
            ("− itself without side inf.", "difference"),
            ("− itself without side inf.", "interval"),
            ("", "Draws"),
        ],
        rows=[_line(row, rows) for row in rows],
        notes=[
            f"`{_PROTOCOL}`: the epoch is chosen on 5 % of the other users or items, held out "
            "whole. Mean ± sample standard deviation over draws of the new users or items; one "
            "training of seed 0 for each draw.",
            "Differences: mean over draws, on the same draws, and its 95 % interval by Student's "
            "t-distribution. Three draws make wide intervals, which are not adjusted for their "
            "number. An interval that does not contain 0 "
            "shows a difference.",
            "Without side information: of GC-MC + Extra, GC-MC; of GraphRec + Extra, GraphRec; of "
            "Bayesian FM, itself without attributes and dates. It also knows the dates of the test "
            "ratings. Its implicit features, who rated an item and what a user rated, are for new "
            "ones the mean over the training ratings.",
            "A model from ratings alone predicts a new item or user by a default that its "
            "docstring names: a mean, or the mean of the levels. So do, here, GraphRec + Extra and "
            "GRAEM: what they would predict from side information is not used for pairs with a "
            "user or an item without training ratings.",
            "`best_test` and `last` are in `cold_start.csv`.",
            "Made by `glocalk reproduce experiment=cold_start`; `make report` makes the table from "
            "the records.",
        ],
    )


def _line(row: _Row, rows: Sequence[_Row]) -> list[str]:
    errors = list(row.errors.values())
    sd = statistics.stdev(errors) if len(errors) > 1 else None
    own = _WITHOUT.get(row.model)
    return [
        data_title(row.data),
        row.new,
        row.title,
        "yes" if row.side_information else "",
        with_sd(statistics.fmean(errors), sd),
        *_told(_differences(row, rows, _BASELINE) if row.model != _BASELINE else []),
        *_told(_differences(row, rows, own) if own else []),
        str(len(errors)),
    ]


def _told(differences: Sequence[float]) -> tuple[str, str]:
    if not differences:
        return NOTHING, NOTHING
    interval = t_interval(differences)
    mean = difference(statistics.fmean(differences))
    return mean, difference_interval(*interval) if interval else NOTHING
