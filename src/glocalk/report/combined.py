"""Combinations of models, each beside its best member: test RMSE, paired by user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glocalk.records.run import Record
from glocalk.report.cells import data_sets_in_order, data_title, model_title
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    difference,
    difference_interval,
    number,
    p_value,
)
from glocalk.report.load import CellKey
from glocalk.report.origins import DATES_NOTE
from glocalk.report.parts import Files, Sources
from glocalk.report.points import Point, find_point
from glocalk.report.statistics.bootstrap import LEVEL, RESAMPLES
from glocalk.report.statistics.measured import Difference, Measured
from glocalk.report.statistics.paired import holm
from glocalk.report.tables import Table, mean_and_sd, seed_count

EXPERIMENT = "combined"

_PROTOCOLS = ("validated", "last")
_COMBINATIONS = ("glocal_k_ensemble", "ensemble", "stack", "stack_side")
_COLUMNS = (
    *("data", "model", "variant", "protocol", "seeds", "mean", "sd"),
    *("best_member", "best_mean", "best_sd"),
    *("minus_best", "low", "high", "p_adjusted", "members", "seconds"),
)


@dataclass(frozen=True)
class _Row:
    """A combination on a data set under one protocol.

    Attributes:
        point: its runs.
        protocol: the protocol.
        best: those of its members that are of the model with the lowest error.
        minus: the combination's error minus the mean of theirs.
        p_adjusted: its p-value, adjusted for all rows.
    """

    point: Point
    protocol: str
    best: Point
    minus: Difference | None
    p_adjusted: float | None = None

    @property
    def run(self) -> Record:
        """The run of its lowest seed."""
        return self.point.runs[0]

    @property
    def weights(self) -> str:
        """The members with their weights, the largest first; those without one are counted."""
        shares: dict[str, list[float]] = {}
        for member in self.run.members:
            shares.setdefault(member.model, []).append(member.weights[self.protocol])
        ordered = sorted(shares.items(), key=lambda share: -abs(sum(share[1])))
        shown = [
            f"{model_title(model)} {weight}"
            + (f" ({len(weights)} trainings)" if len(weights) > 1 else "")
            for model, weights in ordered
            if (weight := number(sum(weights), 3)).strip("-") != "0.000"
        ]
        others = len(ordered) - len(shown)
        return ", ".join([*shown, f"{others} without weight"] if others else shown)

    @property
    def seconds(self) -> float:
        """Of its members and itself, of the lowest seed."""
        return self.run.seconds["total"]


def combined_files(sources: Sources) -> Files:
    """The table as csv, Markdown and LaTeX."""
    rows = _rows([run for run in sources.records if run.experiment == EXPERIMENT])
    table = _table(rows)
    return {
        f"{EXPERIMENT}.csv": csv_text(_COLUMNS, map(_csv_row, rows)),
        f"{EXPERIMENT}.md": table.markdown(),
        f"{EXPERIMENT}.tex": table.tex(),
    }


def _rows(runs: Sequence[Record]) -> list[_Row]:
    measured = Measured(runs)
    made = list(_each_row(runs, measured))
    tested = [row for row in made if row.minus is not None]
    adjusted = holm([row.minus.p_value for row in tested if row.minus is not None])
    found = {id(row): p for row, p in zip(tested, adjusted, strict=True)}
    return [_Row(row.point, row.protocol, row.best, row.minus, found.get(id(row))) for row in made]


def _each_row(runs: Sequence[Record], measured: Measured) -> Iterator[_Row]:
    combinations = {(run.data, run.model, run.variant) for run in runs if run.members}
    places = data_sets_in_order(data for data, _, _ in combinations)

    def order(combination: tuple[str, str, str]) -> tuple[int, int, str, str]:
        data, model, variant = combination
        known = _COMBINATIONS.index(model) if model in _COMBINATIONS else len(_COMBINATIONS)
        return places.index(data), known, model, variant

    for data, model, variant in sorted(combinations, key=order):
        point = find_point(runs, EXPERIMENT, data, model, variant)
        for protocol in _PROTOCOLS:
            if point.by_seed(protocol):
                best, minus = _beside_best(point, protocol, runs, measured)
                yield _Row(point, protocol, best, minus)


def _beside_best(
    point: Point, protocol: str, runs: Sequence[Record], measured: Measured
) -> tuple[Point, Difference | None]:
    """The runs of the best model among the members, and the combination's error minus theirs."""
    first = point.runs[0]
    trainings: dict[tuple[str, str], set[int]] = {}
    for run in point.runs:
        for member in run.members:
            for variant in ("default", run.variant):
                trainings.setdefault((member.model, variant), set()).add(member.seed)
    candidates: list[tuple[float, CellKey, Point]] = []
    for (model, variant), seeds in sorted(trainings.items()):
        found = find_point(runs, EXPERIMENT, first.data, model, variant, first.train_share)
        kept = Point(tuple(run for run in found.runs if run.seed in seeds))
        mean = kept.mean(protocol)
        if mean is not None and kept.by_seed(protocol).keys() == seeds:
            cell = CellKey(EXPERIMENT, first.data, first.train_share, model, variant)
            candidates.append((mean, cell, kept))
    if not candidates:
        return Point(()), None
    _, cell, best = min(candidates, key=lambda candidate: candidate[0])
    own = CellKey(EXPERIMENT, first.data, first.train_share, first.model, first.variant)
    mine = measured.sample(own, protocol, set(point.by_seed(protocol)))
    theirs = measured.sample(cell, protocol, set(best.seeds))
    if mine is None or theirs is None:
        return best, None
    return best, measured.difference([(1, mine), (-1, theirs)])


def _name(run: Record) -> str:
    title = model_title(run.model)
    if several := re.fullmatch(r"model\.seeds=(\d+)", run.variant):
        return f"{title}, mean of {several[1]} seeds"
    return title if run.variant == "default" else f"{title}, {run.variant}"


def _table(rows: Sequence[_Row]) -> Table:
    return Table(
        name=EXPERIMENT,
        caption="Combinations of models beside the best of their members: test RMSE. The runs are "
        "those of `glocalk reproduce experiment=combined`.",
        columns=[
            *(("", name) for name in ("Data", "Combination", "Protocol", "Members and weights")),
            ("RMSE", "combined"),
            ("Best member", "name"),
            ("Best member", "RMSE"),
            *(("Combined − best member", name) for name in ("difference", "interval", "p")),
            ("", "Seeds"),
        ],
        rows=[_line(row) for row in rows],
        notes=[
            "The best member is the model with the lowest mean *test* error over its trainings in "
            "the combination, under the same protocol: it is chosen by what it is compared by, in "
            "its favor. Of a model with several trainings, their mean is compared, not the best of "
            "them; ± is their sample standard deviation. A mean of them cannot have a larger mean "
            "squared error than they have on average: there, the size of the difference tells "
            "more than p.",
            "`validated`: each member at the epoch that its own selection run chose; `last`: at "
            "its last epoch. Weights come from what the members' selection runs hold out, at the "
            "same kind of epoch. The test ratings choose no epoch and no weight.",
            f"Interval: {100 * LEVEL:.0f} %, by a bootstrap over users with test ratings "
            f"({RESAMPLES:,} resamples). p: paired t-test with the user as unit, by Holm's method "
            "adjusted for all rows.",
            DATES_NOTE,
            "Weights of the lowest seed; a model trained with several seeds has the sum of theirs.",
        ],
    )


def _line(row: _Row) -> list[str]:
    minus = row.minus
    return [
        data_title(row.run.data),
        _name(row.run),
        f"`{row.protocol}`",
        row.weights,
        mean_and_sd(row.point, row.protocol),
        _name(row.best.runs[0]) if row.best.runs else NOTHING,
        mean_and_sd(row.best, row.protocol),
        difference(minus.estimate) if minus else NOTHING,
        difference_interval(*minus.interval) if minus else NOTHING,
        p_value(row.p_adjusted),
        seed_count(row.point),
    ]


def _csv_row(row: _Row) -> list[str]:
    minus, best = row.minus, row.best
    return [
        *(row.run.data, row.run.model, row.run.variant, row.protocol),
        " ".join(map(str, row.point.seeds)),
        number(row.point.mean(row.protocol)),
        number(row.point.sd(row.protocol)),
        best.runs[0].model if best.runs else "",
        number(best.mean(row.protocol)),
        number(best.sd(row.protocol)),
        number(minus.estimate if minus else None),
        *(map(number, minus.interval) if minus else ("", "")),
        number(row.p_adjusted),
        " ".join(
            f"{member.model}/{member.seed}={number(member.weights[row.protocol])}"
            for member in row.run.members
        ),
        number(row.seconds, 1),
    ]
