"""Combinations of models beside the best member and the best single model, paired by user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from glocalk.records.run import Record
from glocalk.report.cells import data_sets_in_order, data_title, model_title
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    difference,
    difference_interval,
    enumeration,
    number,
    p_value,
)
from glocalk.report.load import CellKey, cell_of
from glocalk.report.origins import dates_note
from glocalk.report.parts import Files, Sources
from glocalk.report.points import Point, changes_model, find_point
from glocalk.report.single import best_single, experiments_of, single_models
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
    *("best_single", "single_experiment", "single_mean", "single_sd"),
    *("minus_single", "single_low", "single_high", "single_p_adjusted"),
)
_WITH_SIDE = "‡"  # mark of models with side information


@dataclass(frozen=True)
class _Beside:
    """A model that a combination is compared with.

    Attributes:
        point: its runs; empty where there is none.
        minus: the combination's error minus theirs.
        p_adjusted: the p-value of the difference, adjusted for all of the table.
    """

    point: Point
    minus: Difference | None = None
    p_adjusted: float | None = None

    @property
    def first(self) -> Record | None:
        """The run of its lowest seed."""
        return self.point.runs[0] if self.point.runs else None


@dataclass(frozen=True)
class _Row:
    """A combination on a data set under one protocol.

    Attributes:
        point: its runs.
        protocol: the protocol.
        member: those of its members that are of the model with the lowest error.
        single: the runs of the best row of a single model.
        with_side: models with side information on the data set.
    """

    point: Point
    protocol: str
    member: _Beside
    single: _Beside
    with_side: frozenset[str]

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
            f"{self.title(model)} {weight}"
            + (f" ({len(weights)} trainings)" if len(weights) > 1 else "")
            for model, weights in ordered
            if (weight := number(sum(weights), 3)).strip("-") != "0.000"
        ]
        others = len(ordered) - len(shown)
        return ", ".join([*shown, f"{others} without weight"] if others else shown)

    def title(self, model: str) -> str:
        """A single model's name, marked if it has side information."""
        return model_title(model) + (_WITH_SIDE if model in self.with_side else "")

    def name(self, run: Record) -> str:
        """The name of a single model, with the options of its own that it has."""
        title = self.title(run.model)
        return f"{title}, {run.variant}" if changes_model(run) else title

    @property
    def seconds(self) -> float:
        """Of its members and itself, of the lowest seed."""
        return self.run.seconds["total"]


def combined_files(sources: Sources) -> Files:
    """The table as csv, Markdown and LaTeX."""
    runs = [run for run in sources.records if run.experiment == EXPERIMENT]
    singles = single_models(sources.records)
    rows = _adjusted(list(_rows(runs, singles)))
    table = _table(rows, runs, experiments_of(singles))
    return {
        f"{EXPERIMENT}.csv": csv_text(_COLUMNS, map(_csv_row, rows)),
        f"{EXPERIMENT}.md": table.markdown(),
        f"{EXPERIMENT}.tex": table.tex(),
    }


def _adjusted(rows: Sequence[_Row]) -> list[_Row]:
    """The rows with p-values that are adjusted for one another."""
    tested = [each for row in rows for each in (row.member, row.single) if each.minus is not None]
    adjusted = holm([each.minus.p_value for each in tested if each.minus is not None])
    found = {id(each): p for each, p in zip(tested, adjusted, strict=True)}

    def known(each: _Beside) -> _Beside:
        return replace(each, p_adjusted=found.get(id(each)))

    return [replace(row, member=known(row.member), single=known(row.single)) for row in rows]


def _rows(runs: Sequence[Record], singles: Sequence[Record]) -> Iterator[_Row]:
    combinations = {(run.data, run.model, run.variant) for run in runs if run.members}
    places = data_sets_in_order(data for data, _, _ in combinations)

    def order(combination: tuple[str, str, str]) -> tuple[int, int, str, str]:
        data, model, variant = combination
        known = _COMBINATIONS.index(model) if model in _COMBINATIONS else len(_COMBINATIONS)
        return places.index(data), known, model, variant

    measured = Measured({id(run): run for run in [*runs, *singles]}.values())
    for combination in sorted(combinations, key=order):
        point = find_point(runs, EXPERIMENT, *combination)
        data = point.runs[0].data
        with_side = frozenset(
            run.model for run in [*runs, *singles] if run.data == data and run.side_information
        )
        for protocol in _PROTOCOLS:
            if point.by_seed(protocol):
                cell, best = best_single(point.runs[0], protocol, singles)
                single = _Beside(best, _minus(point, protocol, cell, best, measured))
                member = _best_member(point, protocol, runs, measured)
                yield _Row(point, protocol, member, single, with_side)


def _best_member(
    point: Point, protocol: str, runs: Sequence[Record], measured: Measured
) -> _Beside:
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
        return _Beside(Point(()))
    _, cell, best = min(candidates, key=lambda candidate: candidate[0])
    return _Beside(best, _minus(point, protocol, cell, best, measured))


def _minus(
    point: Point, protocol: str, cell: CellKey, other: Point, measured: Measured
) -> Difference | None:
    """The error of a combination minus that of runs of a cell."""
    own = cell_of(point.runs[0])
    mine = measured.sample(own, protocol, set(point.by_seed(protocol)))
    theirs = measured.sample(cell, protocol, set(other.seeds))
    return measured.difference([(1, mine), (-1, theirs)]) if mine and theirs else None


def _name(run: Record) -> str:
    title = model_title(run.model)
    if several := re.fullmatch(r"model\.seeds=(\d+)", run.variant):
        return f"{title}, mean of {several[1]} seeds"
    return title if run.variant == "default" else f"{title}, {run.variant}"


def _table(rows: Sequence[_Row], runs: Sequence[Record], sources: Sequence[str]) -> Table:
    lines = [_line(row) for row in rows]
    marked = any(_WITH_SIDE in text for line in lines for text in line)
    return Table(
        name=EXPERIMENT,
        caption="Combinations of models beside the best of their members, and beside the best "
        "single model: test RMSE. The runs are those of `glocalk reproduce experiment=combined`.",
        columns=[
            *(("", name) for name in ("Data", "Combination", "Protocol", "Members and weights")),
            ("RMSE", "combined"),
            ("Best member", "name"),
            ("Best member", "RMSE"),
            *(("Combined − best member", name) for name in ("difference", "interval", "p")),
            ("Best single model", "name"),
            ("Best single model", "RMSE"),
            *(("Combined − best single model", name) for name in ("difference", "interval", "p")),
            ("", "Seeds"),
        ],
        rows=lines,
        notes=[
            "The best member is the model with the lowest mean *test* error over its trainings in "
            "the combination, under the same protocol: it is chosen by what it is compared by, in "
            "its favor. Of a model with several trainings, their mean is compared, not the best of "
            "them; ± is their sample standard deviation. A mean of them cannot have a larger mean "
            "squared error than they have on average: there, the size of the difference tells "
            "more than p.",
            "The best single model is the one with the lowest mean test error, under the same "
            f"protocol, in the records of {enumeration(sources or ['no experiment'])}; a member "
            "counts if it is in none of the others. Beside a combination of models that take "
            "ratings alone, it takes ratings alone, too. It is chosen in its own favor, and has "
            "all its seeds: a single training of a member may be better.",
            *[f"{_WITH_SIDE}: with side information."] * marked,
            "`validated`: each member at the epoch that its own selection run chose; `last`: at "
            "its last epoch. Weights come from what the members' selection runs hold out, at the "
            "same kind of epoch. The test ratings choose no epoch and no weight.",
            f"Interval: {100 * LEVEL:.0f} %, by a bootstrap over users with test ratings "
            f"({RESAMPLES:,} resamples). p: paired t-test with the user as unit, by Holm's method "
            "adjusted for both comparisons of all rows.",
            *dates_note(runs),
            "Weights of the lowest seed; a model trained with several seeds has the sum of theirs.",
        ],
    )


def _line(row: _Row) -> list[str]:
    return [
        data_title(row.run.data),
        _name(row.run),
        f"`{row.protocol}`",
        row.weights,
        mean_and_sd(row.point, row.protocol),
        *_beside(row, row.member),
        *_beside(row, row.single),
        seed_count(row.point),
    ]


def _beside(row: _Row, each: _Beside) -> list[str]:
    minus = each.minus
    return [
        NOTHING if each.first is None else row.name(each.first),
        mean_and_sd(each.point, row.protocol),
        difference(minus.estimate) if minus else NOTHING,
        difference_interval(*minus.interval) if minus else NOTHING,
        p_value(each.p_adjusted),
    ]


def _csv_row(row: _Row) -> list[str]:
    member, single = row.member.first, row.single.first
    return [
        *(row.run.data, row.run.model, row.run.variant, row.protocol),
        " ".join(map(str, row.point.seeds)),
        number(row.point.mean(row.protocol)),
        number(row.point.sd(row.protocol)),
        member.model if member else "",
        *_figures(row.protocol, row.member),
        " ".join(
            f"{member.model}/{member.seed}={number(member.weights[row.protocol])}"
            for member in row.run.members
        ),
        number(row.seconds, 1),
        *((single.model, single.experiment) if single else ("", "")),
        *_figures(row.protocol, row.single),
    ]


def _figures(protocol: str, each: _Beside) -> list[str]:
    """Mean and sd of a model beside a combination, and their difference."""
    minus = each.minus
    return [
        number(each.point.mean(protocol)),
        number(each.point.sd(protocol)),
        number(minus.estimate if minus else None),
        *(map(number, minus.interval) if minus else ("", "")),
        number(each.p_adjusted),
    ]
