"""The rows of the table of searches: a search, and the runs before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glocalk.records.run import Record
from glocalk.records.search import Search, ended
from glocalk.report.cells import data_sets_in_order, in_order
from glocalk.report.origins import are_used
from glocalk.report.parts import Sources
from glocalk.report.points import Point

EXPERIMENT = "tuned"
PROTOCOL = "validated"
SEARCHED, NOT_SEARCHED = "=", "†"  # marks of rows without a better trial

_PRESENT = ("table1", "around", "monti")  # experiments with the present hyperparameters


@dataclass(frozen=True)
class TunedRow:
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
    def with_side(self) -> bool:
        """Whether the model uses more than ratings."""
        return any(run.side_information for run in self.tuned.runs)

    @property
    def chooses_epoch(self) -> bool:
        """Whether held-out ratings choose an epoch of the present runs."""
        return any(
            run.protocols[PROTOCOL].rmse_epoch is not None
            for run in self.present.runs
            if PROTOCOL in run.protocols
        )

    @property
    def mark(self) -> str:
        """Says why a row has the present hyperparameters; empty for others."""
        if self.changed:
            return ""
        return SEARCHED if len(ended(self.search.trials)) > 1 else NOT_SEARCHED

    @property
    def change(self) -> float | None:
        """Tuned minus present, over the seeds that both have; None where they are the same runs."""
        return self.tuned.minus(self.present, PROTOCOL) if self.changed else None


def tuned_rows(sources: Sources) -> list[TunedRow]:
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
            rows.append(TunedRow(search, present, tuned if _better(search) else present))
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
