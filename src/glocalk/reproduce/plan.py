"""The runs in order, and how long they are expected to take."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glocalk.completers.registry import build_completer
from glocalk.records.run import Record
from glocalk.report.layout import duration
from glocalk.run.config import RunConfig
from glocalk.run.execute import held_record
from glocalk.run.overrides import override, quoted


@dataclass(frozen=True)
class Planned:
    """A run of the plan.

    Attributes:
        config: config of the run.
        seconds: the time it is expected to take; None if unknown.
        bound: whether `seconds` are those of a larger data set, without a record of this one.
        quick: whether its model has no epochs, and no record says that it takes a minute.
        held: whether the runs folder has its record already.
        config_dirs: folders with more configs.
    """

    config: RunConfig
    seconds: float | None
    bound: bool
    quick: bool
    held: bool
    config_dirs: tuple[Path, ...] = ()

    @property
    def title(self) -> str:
        """What is run."""
        run = self.config
        return f"{run.data_name} {run.model_name} seed {run.seed}"

    @property
    def time(self) -> str:
        """The expected time, in words."""
        if self.held:
            return "done already"
        if self.quick:
            return "seconds"
        if self.seconds is None:
            return "time unknown"
        return f"{'less than' if self.bound else 'about'} {duration(max(1, self.seconds))}"

    @property
    def arguments(self) -> list[str]:
        """Arguments of `glocalk train` that make this run."""
        run = self.config
        names = f"data={run.data_name}", f"model={run.model_name}", f"seed={run.seed}"
        where = places(run.data_dir, run.runs_dir, run.force)
        return [*names, *where, *_search_path(self.config_dirs)]


def make_plan(
    runs: Sequence[tuple[RunConfig, int]],
    committed: Sequence[Record],
    config_dirs: tuple[Path, ...] = (),
) -> list[Planned]:
    """The runs in order: quick ones, GLocal-K on ML-100K, then the cheapest first.

    Args:
        runs: each with the number of its test ratings.
        committed: records, which tell how long runs take.
        config_dirs: folders with more configs.
    """
    plan = []
    for run, test_ratings in runs:
        records = [
            record
            for record in committed
            if (record.model, record.variant, record.status)
            == (run.model_name, run.variant, "done")
        ]
        of_data = [record for record in records if record.data == run.data_name]
        # Seeds differ in time if only the lowest makes the selection run.
        of_seed = [record for record in of_data if record.seed == run.seed]
        same = [record.seconds["total"] for record in of_seed or of_data]
        larger = [
            record.seconds["total"] for record in records if sum(record.user_counts) > test_ratings
        ]
        if same:
            seconds: float | None = statistics.median(same)
        else:
            seconds = min(larger, default=None)
        plan.append(
            Planned(
                config=run,
                seconds=seconds,
                bound=not same,
                quick=(seconds or 0) < 60 and not build_completer(run.model).has_epochs,
                held=not run.force and held_record(run) is not None,
                config_dirs=config_dirs,
            )
        )

    def order(planned: Planned) -> tuple[bool, bool, float, int]:
        run = planned.config
        main = (run.model_name, run.data_name) == ("glocal_k", "ml_100k")
        seconds = float("inf") if planned.seconds is None else planned.seconds
        return not planned.quick, not main, seconds, run.seed

    return sorted(plan, key=order)


def expected_time(plan: Iterable[Planned]) -> str:
    """The time that the runs still to be made take together, as far as it is known, in words."""
    runs = [planned for planned in plan if not planned.held]
    if not runs:
        return "nothing to do"
    told = duration(max(1, sum(planned.seconds or 0 for planned in runs)))
    unknown = sum(planned.seconds is None and not planned.quick for planned in runs)
    return f"about {told}" + (f", and {unknown} of unknown time" if unknown else "")


def places(data_dir: Path, runs_dir: Path, force: bool) -> list[str]:
    """Overrides of a run that do not change its result."""
    return [override("data_dir", data_dir), override("runs_dir", runs_dir), f"force={force}"]


def _search_path(config_dirs: Iterable[Path]) -> list[str]:
    """The override that makes more configs known."""
    folders = ",".join(quoted(f"file://{folder}") for folder in config_dirs)
    return [f"hydra.searchpath=[{folders}]"] if folders else []
