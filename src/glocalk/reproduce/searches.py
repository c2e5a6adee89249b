"""The searches for hyperparameters that come before the runs of a plan.

Every model that has a search space is searched on every data set, with one budget for all. The runs
have the hyperparameters of the best trial. Where no trial was better than the first, which has the
present hyperparameters, the run of another experiment stands for them: that of Table 1, for
example, which need not be made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from glocalk.errors import GlocalkError
from glocalk.executors.jobs import Job
from glocalk.names import inside
from glocalk.records.search import Budget, Search
from glocalk.reproduce.blocks import Point
from glocalk.reproduce.config import ReproduceConfig
from glocalk.reproduce.runs import Found, compose_runs, places, search_path
from glocalk.run.compose import as_dict, compose
from glocalk.run.composed import run_config
from glocalk.run.config import RunConfig
from glocalk.run.overrides import assignment
from glocalk.run.search import held_search

Place: TypeAlias = tuple[str, str, tuple[str, ...]]
"""Data set, model and further options of the points that share a search."""


@dataclass(frozen=True)
class PlannedSearch:
    """A search of the plan.

    Attributes:
        place: where it is made.
        config: config of the run that it varies.
        space: its search space.
        checksum: that of its data.
        arguments: those of `glocalk tune` that make it.
    """

    place: Place
    config: RunConfig
    space: Mapping[str, Any]
    checksum: str
    arguments: tuple[str, ...]

    @property
    def title(self) -> str:
        """What is searched."""
        return f"{self.config.data_name} {self.config.model_name} search"


def unchanged(points: Sequence[Point]) -> list[Point]:
    """The points with the present hyperparameters."""
    return [replace(point, experiment=point.unchanged) for point in points]


def plan_searches(
    config: ReproduceConfig, points: Sequence[Point], runs: Sequence[Found]
) -> list[PlannedSearch]:
    """The searches of the points whose data is there.

    Args:
        config: what to reproduce.
        points: the points of the plan.
        runs: those of `unchanged` points whose data is there.

    Raises:
        GlocalkError: an unknown option or an invalid value, or two searches over a model on a data
            set.
    """
    checksums = {(run.config.data_name, run.config.model_name): run.checksum for run in runs}
    planned = []
    places_of: dict[tuple[str, str], Place] = {}
    for place in dict.fromkeys(map(_place, points)):
        data, model, options = place
        if places_of.setdefault((data, model), place) != place:
            raise GlocalkError(
                f"The plan of experiment '{config.experiment}' has several searches over {model} "
                f"on {data}, and there is one record for them: sweep no options in a plan with "
                "searches."
            )
        if (data, model) not in checksums:
            continue
        assert config.searches is not None
        arguments = (
            *(f"experiment={config.experiment}", f"data={data}", f"model={model}"),
            *(assignment(name, value) for name, value in config.searches.model_dump().items()),
            *options,
            *places(config.data_dir, config.runs_dir, config.force),
            *config.trainer,
        )
        composed = compose("tune", arguments, config.config_dirs)
        space = as_dict(composed)["search"]
        if space:
            own = ("search", "storage", "study_name", *type(config.searches).model_fields)
            run = run_config(composed, composed.hydra, without=own)
            arguments = (*arguments, *search_path(config.config_dirs))
            planned.append(PlannedSearch(place, run, space, checksums[data, model], arguments))
    return planned


def held(config: ReproduceConfig, planned: PlannedSearch) -> Search | None:
    """The record of a search that has spent its budget; None if there is none.

    Raises:
        GlocalkError: the record is damaged.
    """
    assert config.searches is not None
    searches, run = config.searches, planned.config
    committed = inside(
        config.reports_dir / "searches", config.experiment, run.data_name, f"{run.model_name}.json"
    )
    budget = Budget(trials=searches.trials, hours=searches.hours)
    return held_search(run, planned.space, budget, searches.valid_seed, planned.checksum, committed)


def warning_of_seeds(config: ReproduceConfig, points: Sequence[Point]) -> str | None:
    """What to say if a run of the plan holds out the ratings that judge the searches.

    Args:
        config: what to reproduce.
        points: the points of the plan.
    """
    assert config.searches is not None
    seed = config.searches.valid_seed
    if seed not in {point.seed for point in points}:
        return None
    return (
        f"With searches.valid_seed={seed}, the trials are judged by the ratings that a selection "
        f"run with seed={seed} holds out, so that they choose the epoch of that run, too: change "
        "one of the two."
    )


def search_jobs(planned: Sequence[PlannedSearch]) -> list[Job]:
    """The jobs that make the searches."""
    return [Job(search.title, search.arguments, command="tune") for search in planned]


def with_best(
    points: Sequence[Point],
    planned: Sequence[PlannedSearch],
    made: Mapping[Place, Search],
) -> list[Point]:
    """The points with the hyperparameters of the best trials.

    A point whose search failed is left out. One without a search space, or whose best trial is the
    first, keeps the present hyperparameters.

    Args:
        points: the points of the plan.
        planned: their searches.
        made: the searches by place.
    """
    wanted = {search.place for search in planned}
    chosen = []
    for point in points:
        search = made.get(_place(point))
        if search is None and _place(point) in wanted:
            continue
        if search is None or search.best is None or search.best is search.trials[0]:
            chosen += unchanged([point])
        else:
            options = [
                assignment(f"model.{name}", value) for name, value in search.best.options.items()
            ]
            fixed = (*point.fixed, *options, "settings_from=validation")
            chosen.append(replace(point, fixed=fixed))
    return chosen


def find_again(
    config: ReproduceConfig, points: Sequence[Point], runs: Sequence[Found]
) -> list[Found]:
    """The runs of the points whose data is there.

    Args:
        config: what to reproduce.
        points: what `with_best` returned.
        runs: those of `unchanged` points whose data is there.
    """
    data = {(run.config.data_name, run.config.model_name): run for run in runs}
    found = []
    for run in compose_runs(config, points):
        there = data.get((run.config.data_name, run.config.model_name))
        if there is not None:
            found.append(replace(there, config=run.config, arguments=run.arguments))
    return found


def _place(point: Point) -> Place:
    return point.data, point.model, point.options
