"""What the hyperparameters of a table row were chosen by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glocalk.records.run import Record
from glocalk.records.search import PLAIN_SEARCH, Search, Trial, ended
from glocalk.report.cells import Cell, data_title
from glocalk.report.layout import NOTHING, enumeration

DATES_NOTE = (
    "Bayesian FM on ML-100K, and a combination with it, also knows the dates of the test ratings, "
    "as in the official code; `reports/side.md` has its error without them."
)
ORIGIN_NOTE = (
    "Hyperparameters: `paper` are published ones, or the defaults of a model without any. `search` "
    "is the best trial of a search on held-out training ratings (`first trial`: none was better "
    "than the hyperparameters that it started from), `search, then by hand` others than the best "
    "trial's, `by hand` a choice without a recorded search (`none better`: in the trials of the "
    "later search of `tuned.md`). Both were made on held-out training ratings too; `conf/settings` "
    "says how."
)

_LATER = "tuned"  # the experiment that searches all models from where they are
_RELATIVE = 1e-3  # configs hold the four digits that a search prints


@dataclass(frozen=True)
class Origin:
    """What hyperparameters were chosen by.

    Attributes:
        chosen_by: `paper`, `search`, `search, then by hand`, `by hand`, or `–` without any.
        trials: number of trials of the search, or of a later one that found none better; None
            without either.
        first: whether no trial was better than the first.
    """

    chosen_by: str
    trials: int | None = None
    first: bool = False

    @property
    def text(self) -> str:
        """In a table: `search, 12 trials`."""
        if self.trials is None:
            return self.chosen_by
        if self.chosen_by == "by hand":
            return f"by hand (none better in {self.trials} trials)"
        search, *rest = self.chosen_by.split(", ")
        first = " (first trial)" if self.first else ""
        return ", ".join([search, f"{self.trials} trials{first}", *rest])


def dates_note(runs: Iterable[Record]) -> list[str]:
    """A note on models that know the dates of the test ratings; empty without such a run."""
    return [DATES_NOTE] * any(map(knows_dates, runs))


def knows_dates(run: Record) -> bool:
    """Whether a model, or a member of a combination, knew the dates of ML-100K's test ratings."""
    return run.data == "ml_100k" and _takes_dates(run.config["model"])


def _takes_dates(options: Mapping[str, Any]) -> bool:
    members = options.get("members")
    those = members.values() if isinstance(members, Mapping) else ()
    return options.get("dates") is True or any(map(_takes_dates, those))


def origins_text(cells: Sequence[Cell], searches: Sequence[Search]) -> str:
    """The origins of a model's hyperparameters on each data set: `ML-1M: paper; Douban: by hand`.

    Args:
        cells: the model's cells.
        searches: the committed searches.
    """
    titles: dict[str, list[str]] = {}
    for cell in cells:
        made = origin(cell, searches)
        if made is not None:
            titles.setdefault(made.text, []).append(data_title(cell.data))
    if len(titles) < 2:
        return "".join(titles) or NOTHING
    return "; ".join(f"{enumeration(names)}: {text}" for text, names in titles.items())


def origin(cell: Cell, searches: Sequence[Search]) -> Origin | None:
    """What the hyperparameters of a cell's runs were chosen by; None without runs."""
    return origin_of(cell.runs[0], searches) if cell.runs else None


def origin_of(run: Record, searches: Sequence[Search]) -> Origin:
    """What the hyperparameters of a run were chosen by.

    The label `settings_from` says whether they are the paper's. If not, the committed search of the
    model on the data tells: its best options are those of the runs, or others. Without one, they
    were tried by hand; the later search of all models may have found none better.
    """
    if run.config["model"].keys() <= {"name"}:
        return Origin(NOTHING)
    if run.settings_from == "paper":
        return Origin("paper")
    made = [
        it
        for it in searches
        if (it.model, it.data) == (run.model, run.data) and it.best is not None
    ]
    for search in made:
        if search.experiment == PLAIN_SEARCH:
            return _searched(search, run)
    for search in made:
        confirmed = search.best is search.trials[0] and len(ended(search.trials)) > 1
        is_later = search.experiment == _LATER and confirmed
        if is_later and are_used(search, search.trials[0], run):
            return Origin("by hand", len(search.trials), first=True)
    return Origin("by hand")


def _searched(search: Search, run: Record) -> Origin:
    best = search.best
    assert best is not None
    if not are_used(search, best, run):
        return Origin("search, then by hand", len(search.trials))
    return Origin("search", len(search.trials), first=best is search.trials[0])


def are_used(search: Search, trial: Trial, run: Record) -> bool:
    """Whether a run has the options that a trial of a search tried.

    A config leaves out an option that was added later and has its default. If that of the search
    does so too, the default is what the first trial began with.
    """

    def used(name: str) -> Any:
        value = _value(run.config["model"], name)
        left_out = value is None and _value(search.config["model"], name) is None
        return search.trials[0].options[name] if left_out else value

    return all(_equal(used(name), value) for name, value in trial.options.items())


def _value(options: Mapping[str, Any], name: str) -> Any:
    """The value under a dotted name; None where the model has no such option."""
    value: Any = options
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _equal(used: Any, tried: Any) -> bool:
    if isinstance(used, int | float) and isinstance(tried, int | float):
        return math.isclose(used, tried, rel_tol=_RELATIVE)
    return bool(used == tried)
