"""The table of all trials of all searches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glocalk.errors import GlocalkError
from glocalk.names import inside
from glocalk.records.search import PLAIN_SEARCH, Search
from glocalk.report.layout import csv_text, number, whole, yes

_COLUMNS = (
    *("experiment", "data", "model", "trial", "options", "state", "valid_rmse", "epoch", "best"),
    "seconds",
)


def read_searches(folder: Path) -> list[Search]:
    """Every search below `folder`, in order of path."""
    return [Search.read(path) for path in sorted(folder.glob("**/*.json"))]


def searches_csv(searches: Sequence[Search]) -> str:
    """A line for each trial, in order of time."""
    rows = [
        [
            search.experiment,
            search.data,
            search.model,
            str(order),
            trial.tried,
            trial.state,
            number(trial.valid_rmse),
            whole(trial.epoch),
            yes(trial is search.best),
            number(trial.seconds, 1),
        ]
        for search in searches
        for order, trial in enumerate(search.trials, start=1)
    ]
    return csv_text(_COLUMNS, rows)


def promote_searches(runs: Path, out_dir: Path) -> list[str]:
    """Copy this machine's searches to the committed ones.

    Raises:
        GlocalkError: a damaged search, one made from a dirty working tree, or two for one place.
    """
    places: dict[Path, Search] = {}
    for path in sorted((runs / "searches").glob("**/search.json")):
        search = Search.read(path)
        if search.dirty or search.commit is None:
            raise GlocalkError(
                f"The search '{path}' was made from a dirty working tree: commit the code and "
                "search again with force=true."
            )
        place = place_of(search, out_dir)
        if place in places:
            raise GlocalkError(
                f"'{path}' is another search over {search.model} on {search.data}: remove one of "
                "them; nothing was promoted."
            )
        places[place] = search
    for place, search in places.items():
        search.write(place)
    return [
        f"Promoted: search over {search.model} on {search.data} to '{place}'."
        for place, search in places.items()
    ]


def place_of(search: Search, out_dir: Path) -> Path:
    """Where a search is committed; one that belongs to no experiment has no folder of its own."""
    of_experiment = () if search.experiment == PLAIN_SEARCH else (search.experiment,)
    return inside(out_dir, "searches", *of_experiment, search.data, f"{search.model}.json")
