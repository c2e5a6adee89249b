"""Errors over the folds of a cross-validation: mean ± sample standard deviation."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from glocalk.records.run import Record
from glocalk.report.cells import data_sets_in_order, data_title, in_order, model_title
from glocalk.report.layout import code, csv_text, number
from glocalk.report.parts import Files
from glocalk.report.points import changed_options
from glocalk.report.table1 import PROTOCOL_NOTES
from glocalk.report.tables import Table, with_sd

EXPERIMENT = "cross_validation"

_PROTOCOLS = ("best_test", "validated", "last")
_COLUMNS = ("data", "model", "changed", "protocol", "folds", "of", "mean", "sd", "by_fold")


class _Key(NamedTuple):
    """What the folds of a row have in common: data set, model, and further changed options."""

    data: str
    model: str
    changed: str


@dataclass(frozen=True)
class _Row:
    """A model on the folds of a data set.

    Attributes:
        key: what it is.
        errors: by protocol and fold, the test RMSE, a mean over seeds.
        folds: number of folds, made or not.
    """

    key: _Key
    errors: Mapping[str, Mapping[int, float]]
    folds: int

    def mean(self, protocol: str) -> float | None:
        """Mean over the folds that were made; None without any."""
        made = self.errors[protocol].values()
        return statistics.fmean(made) if made else None

    def sd(self, protocol: str) -> float | None:
        """Sample standard deviation over the folds that were made; None for one of them."""
        made = self.errors[protocol].values()
        return statistics.stdev(made) if len(made) > 1 else None

    def count(self, protocol: str) -> int:
        """Number of folds that were made."""
        return len(self.errors[protocol])


def cross_validation_files(records: Sequence[Record]) -> Files:
    """The table as csv, Markdown and LaTeX."""
    runs = [run for run in records if run.experiment == EXPERIMENT]
    return _files(_rows(runs), EXPERIMENT, EXPERIMENT)


def files_of_folds(records: Sequence[Record], experiment: str) -> Files:
    """The same of a user-defined experiment: its runs of data sets of which several folds test.

    Args:
        records: records of any experiments.
        experiment: its name. The files are called `<experiment>_folds`.

    Returns:
        The files; none without such runs.
    """
    runs = [run for run in records if run.experiment == experiment and _folds(run)]
    rows = [row for row in _rows(runs) if row.count("last") > 1]
    return _files(rows, experiment, f"{experiment}_folds") if rows else {}


def _files(rows: Sequence[_Row], experiment: str, name: str) -> Files:
    table = _table(rows, experiment, name)
    return {
        f"{name}.csv": csv_text(
            _COLUMNS, (_csv_row(row, protocol) for row in rows for protocol in _PROTOCOLS)
        ),
        f"{name}.md": table.markdown(),
        f"{name}.tex": table.tex(),
    }


def _rows(runs: Sequence[Record]) -> list[_Row]:
    """By data set, further changed options, and model."""
    by_key: dict[_Key, list[Record]] = {}
    for run in runs:
        by_key.setdefault(_Key(run.data, run.model, _changed(run)), []).append(run)
    models = in_order({key.model for key in by_key})
    places = data_sets_in_order(key.data for key in by_key)

    def order(key: _Key) -> tuple[int, str, int]:
        return places.index(key.data), key.changed, models.index(key.model)

    return [_row(key, by_key[key]) for key in sorted(by_key, key=order)]


def _row(key: _Key, runs: Sequence[Record]) -> _Row:
    numbers = sorted({_fold(run) for run in runs})
    errors = {
        protocol: {
            fold: statistics.fmean(made)
            for fold in numbers
            if (made := _errors(runs, fold, protocol))
        }
        for protocol in _PROTOCOLS
    }
    asked = [_folds(run) or len(numbers) for run in runs]
    return _Row(key, errors, max(asked))


def _errors(runs: Sequence[Record], fold: int, protocol: str) -> list[float]:
    """The test RMSE of each seed on a fold."""
    of_fold = [run for run in runs if _fold(run) == fold]
    return [run.protocols[protocol].rmse for run in of_fold if protocol in run.protocols]


def _folds(run: Record) -> int:
    """The number of folds that a run's data set is divided into; 0 for another split."""
    return int(run.config.get("data", {}).get("folds") or 0)


def _fold(run: Record) -> int:
    return int(run.config.get("data", {}).get("fold", 1))


def _changed(run: Record) -> str:
    """What a run changes beside the fold."""
    return re.sub(r"(^|,)data\.folds?=\d+(?=,|$)", "", changed_options(run)).strip(",")


def _csv_row(row: _Row, protocol: str) -> list[str]:
    by_fold = " ".join(number(error) for error in row.errors[protocol].values())
    counts = str(row.count(protocol)), str(row.folds)
    return [
        *row.key,
        protocol,
        *counts,
        number(row.mean(protocol)),
        number(row.sd(protocol)),
        by_fold,
    ]


def _table(rows: Sequence[_Row], experiment: str, name: str) -> Table:
    columns = [("", name) for name in ("Data", "Model", "Changed", "Folds")]
    columns += [("Test RMSE", f"`{protocol}`") for protocol in _PROTOCOLS]
    return Table(
        name=name,
        caption="Cross-validation: each fold tests once.",
        columns=columns,
        rows=[
            [
                data_title(row.key.data),
                model_title(row.key.model),
                code(row.key.changed) if row.key.changed else "",
                f"{row.count('last')} of {row.folds}",
                *(with_sd(row.mean(protocol), row.sd(protocol)) for protocol in _PROTOCOLS),
            ]
            for row in rows
        ],
        notes=[
            "Mean ± sample standard deviation over the folds that were made. The folds share most "
            "of their training ratings, so that their errors are not independent: the standard "
            "deviation says how folds differ, not how certain the mean is.",
            "Folds of ML-100K without data.split_seed: the official ones, u1 to u5. Others: parts "
            "of a random permutation of all ratings, drawn with data.split_seed.",
            *(f"`{name}`: {PROTOCOL_NOTES[name]}" for name in _PROTOCOLS),
            f"Made by `glocalk reproduce experiment={experiment}`; figures of each fold are in "
            f"`{name}.csv`.",
        ],
    )
