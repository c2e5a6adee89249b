"""Every model with hyperparameters from a search of its own, all searches with one budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from glocalk.records.run import Record
from glocalk.records.search import Search, ended
from glocalk.report.cells import data_sets_in_order, data_title, in_order, model_title
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    difference,
    duration,
    enumeration,
    markdown_table,
    number,
    rmse,
    whole,
    yes,
)
from glocalk.report.origins import DATES_NOTE, are_used
from glocalk.report.parts import Files, Sources
from glocalk.report.points import Point
from glocalk.report.table1 import PROTOCOL_NOTES
from glocalk.report.tables import mean_and_sd, seed_count, tex_table

EXPERIMENT = "tuned"
PROTOCOL = "validated"

_SEARCHED, _NOT_SEARCHED = "=", "†"  # marks of rows without a better trial
_PRESENT = ("table1", "around", "monti")  # experiments with the present hyperparameters
_COLUMNS = (
    *("data", "model", "trials", "done", "pruned", "failed", "out_of_time", "search_seconds"),
    *("first_trial_rmse", "best_trial_rmse", "best_trial", "options", "changed"),
    *("validated_mean", "validated_sd", "last_mean", "last_sd", "seeds"),
    *("present_validated_mean", "present_validated_sd", "present_seeds"),
    *("validated_change", "mark"),
)


@dataclass(frozen=True)
class _Row:
    """A model on a data set.

    Attributes:
        search: its search.
        present: runs with the present hyperparameters.
        tuned: runs with those of the best trial; the same runs if no trial was better.
    """

    search: Search
    present: Point
    tuned: Point

    @property
    def changed(self) -> bool:
        """Whether a trial was better than the first."""
        return _better(self.search)

    @property
    def mark(self) -> str:
        """Says why a row has the present hyperparameters; empty for others."""
        if self.changed:
            return ""
        return _SEARCHED if len(ended(self.search.trials)) > 1 else _NOT_SEARCHED

    @property
    def change(self) -> float | None:
        """Tuned minus present, over the seeds that both have; None where they are the same runs."""
        return self.tuned.minus(self.present, PROTOCOL) if self.changed else None


def tuned_files(sources: Sources) -> Files:
    """`tuned.md`, `tuned.csv` and `tuned.tex`; nothing without searches."""
    rows = _rows(sources)
    if not rows:
        return {}
    header, lines = _overview(rows)
    caption = (
        "Every model after a search for its hyperparameters, all searches with one small budget: "
        f"test RMSE under `{PROTOCOL}`."
    )
    notes = _notes(rows)
    listed = "".join(f"- {note}\n" for note in notes)
    return {
        "tuned.csv": csv_text(_COLUMNS, map(_csv_row, rows)),
        "tuned.md": f"{caption}\n\n{markdown_table(header, lines, left=1)}\n{listed}\n"
        f"## Searches\n\n{_details(rows)}",
        "tuned.tex": tex_table(
            EXPERIMENT,
            caption,
            "l" + "r" * (len(header) - 1),
            [("", len(header))],
            header,
            [lines],
            notes,
        ),
    }


def _rows(sources: Sources) -> list[_Row]:
    """The models that have been searched, by data set."""
    searches = {
        (search.data, search.model): search
        for search in sources.searches
        if search.experiment == EXPERIMENT
    }
    rows = []
    for data in data_sets_in_order(data for data, _ in searches):
        for model in in_order({model for where, model in searches if where == data}):
            search = searches[data, model]
            present, tuned = _present(sources.records, search), _tuned(sources.records, search)
            rows.append(_Row(search, present, tuned if _better(search) else present))
    return rows


def _present(records: Sequence[Record], search: Search) -> Point:
    """The runs with the hyperparameters that the search began with."""
    like = [run for run in records if run.config["model"] == search.config["model"]]
    points = (_of_search(like, search, experiment) for experiment in _PRESENT)
    return next((point for point in points if point.runs), Point(()))


def _tuned(records: Sequence[Record], search: Search) -> Point:
    """The runs with the hyperparameters of its best trial."""
    best = search.best
    like = [run for run in records if run.model == search.model]
    made = _of_search(like, search, EXPERIMENT).runs
    return Point(tuple(run for run in made if best is not None and are_used(search, best, run)))


def _of_search(records: Sequence[Record], search: Search, experiment: str) -> Point:
    """The runs of an experiment on the data of a search, under its protocol.

    They are not found by name: the options of user-supplied data make a variant of each run.
    """
    alike = ("data", "protocol")
    found = [
        run
        for run in records
        if (run.experiment, run.train_share) == (experiment, 1)
        and all(run.config.get(name) == search.config.get(name) for name in alike)
    ]
    return Point(tuple(sorted(found, key=lambda run: run.seed)))


def _better(search: Search) -> bool:
    return search.best is not None and search.best is not search.trials[0]


def _overview(rows: Sequence[_Row]) -> tuple[list[str], list[list[str]]]:
    """A row for each model, a column for each data set."""
    cells = {(row.search.model, row.search.data): row for row in rows}
    data_sets = data_sets_in_order(data for _, data in cells)
    lines = [
        [
            model_title(model),
            *(_figure(cells.get((model, data))) for data in data_sets),
        ]
        for model in in_order({model for model, _ in cells})
    ]
    return ["Model", *map(data_title, data_sets)], lines


def _figure(row: _Row | None) -> str:
    if row is None or not row.tuned.runs:
        return NOTHING
    return f"{mean_and_sd(row.tuned, PROTOCOL)} {row.mark}".rstrip()


def _details(rows: Sequence[_Row]) -> str:
    header = ["Data", "Model", "Trials", "Time", "Best trial", "First", "Best", "Tuned", "Present"]
    header += ["Difference", "Seeds"]
    lines = []
    for row in rows:
        search = row.search
        best, first = search.best, search.trials[0]
        lines.append(
            [
                data_title(search.data),
                model_title(search.model),
                _trials(search),
                duration(max(1, search.seconds)),
                _best(row),
                rmse(first.valid_rmse if first.state == "done" else None),
                rmse(best.valid_rmse if best else None),
                *(mean_and_sd(point, PROTOCOL) for point in (row.tuned, row.present)),
                difference(row.change),
                seed_count(row.tuned),
            ]
        )
    return markdown_table(header, lines, left=3)


def _best(row: _Row) -> str:
    best = row.search.best
    if best is None:
        return "none"
    return f"`{best.tried}`" if row.changed else "the first"


def _trials(search: Search) -> str:
    """`12`, or `9: 6 pruned, 1 out of time`."""
    states = Counter(trial.state for trial in search.trials)
    others = [
        f"{states[state]} {state.replace('_', ' ')}"
        for state in ("pruned", "failed", "out_of_time")
        if states[state]
    ]
    return ": ".join([str(len(search.trials)), *([", ".join(others)] if others else [])])


def _notes(rows: Sequence[_Row]) -> list[str]:
    budgets = {
        f"{it.trials} trials" + (f" that take {it.hours:g} h together" if it.hours else "")
        for it in (row.search.budget for row in rows)
        if it is not None
    }
    searches = [row.search for row in rows]
    unsearched = sum(row.mark == _NOT_SEARCHED for row in rows)
    seeds = {str(it.seed if it.valid_seed is None else it.valid_seed) for it in searches}
    exhausted = any(it.is_exhausted for it in searches)
    return [
        f"Budget of every search: {enumeration(sorted(budgets))}, on one core. A training that "
        "reaches the limit is ended at its next epoch, and counts as out of time; one without "
        "epochs is made to its end."
        + (" A search ends earlier when every combination has been tried." if exhausted else ""),
        *_repeats(searches),
        "The first trial has the present hyperparameters: published ones, or those of an earlier "
        f"search. `{_SEARCHED}`: no other trial was better; `{_NOT_SEARCHED}`: no other trial "
        f"ended in time, so that the model was not searched: {unsearched} of "
        f"{len(searches)}. The runs of both are those of the "
        "tables of the present hyperparameters.",
        "Pruned: ended because its held-out error was above the median of the earlier trials at "
        "the same epoch. Failed: could not be trained, mostly because it diverged.",
        "First, best: RMSE of these trials on the held-out ratings. Tuned, present: test RMSE of "
        "the runs with the hyperparameters of the best and of the first trial. Difference: "
        "tuned minus present, over the seeds that both have; seeds: those of the tuned runs.",
        "Trials are judged by held-out training ratings, never by test ratings. They are drawn by "
        f"seed {enumeration(sorted(seeds))}, which chooses no epoch afterwards.",
        f"`{PROTOCOL}`: {PROTOCOL_NOTES[PROTOCOL]} Mean ± sample standard deviation over seeds.",
        DATES_NOTE,
        "Made by `glocalk reproduce experiment=tuned`; `make report` makes the table from the "
        "records. Every trial: `searches.csv`.",
    ]


def _repeats(searches: Sequence[Search]) -> list[str]:
    """A note on searches of an older version, which could try the same options twice."""
    repeated = [it for it in searches if len({trial.point for trial in it.trials}) < len(it.trials)]
    if not repeated:
        return []
    return [
        f"{len(repeated)} of {len(searches)} searches tried a combination more than once, which "
        "gives the same error and finds nothing; those made now do not."
    ]


def _csv_row(row: _Row) -> list[str]:
    search = row.search
    states = Counter(trial.state for trial in search.trials)
    best, first = search.best, search.trials[0]
    position = None if best is None else 1 + search.trials.index(best)
    return [
        *(search.data, search.model, str(len(search.trials))),
        *(str(states[state]) for state in ("done", "pruned", "failed", "out_of_time")),
        number(search.seconds, 1),
        number(first.valid_rmse if first.state == "done" else None),
        number(best.valid_rmse if best else None),
        whole(position),
        best.tried if best else "",
        yes(row.changed),
        *(
            number(figure(protocol))
            for protocol in (PROTOCOL, "last")
            for figure in (row.tuned.mean, row.tuned.sd)
        ),
        " ".join(map(str, row.tuned.seeds)),
        *(number(figure(PROTOCOL)) for figure in (row.present.mean, row.present.sd)),
        " ".join(map(str, row.present.seeds)),
        number(row.change),
        row.mark,
    ]
