"""The runs in order, and how long they are expected to take."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glocalk.completers.registry import build_completer
from glocalk.executors.jobs import Job
from glocalk.records.run import Record
from glocalk.report.layout import duration
from glocalk.reproduce.runs import Found
from glocalk.reproduce.waiting import Waits, needed_first, waits
from glocalk.run.config import RunConfig
from glocalk.run.execute import held_record


@dataclass(frozen=True)
class Planned:
    """A run of the plan.

    Attributes:
        config: config of the run.
        seconds: the time it is expected to take; None if unknown.
        bound: whether `seconds` are those of a larger data set, without a record of this one.
        quick: whether its model has no epochs, and no record says that it takes a minute.
        held: whether the runs folder has its record already.
        arguments: those of `glocalk train` that make it.
    """

    config: RunConfig
    seconds: float | None
    bound: bool
    quick: bool
    held: bool
    arguments: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What is run; no other run of a plan has the same title."""
        run = self.config
        title = f"{run.data_name} {run.model_name} seed {run.seed}"
        if run.train_share != 1:
            title += f", share {run.train_share:g}"
        return title if run.variant == "default" else f"{title}, {run.variant}"

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


def make_plan(runs: Sequence[Found], committed: Sequence[Record]) -> list[Planned]:
    """The runs in order: those made already, quick ones, GLocal-K on ML-100K, then the cheapest.

    A run comes after those that it waits for.

    Args:
        runs: those whose data is there.
        committed: records, which tell how long runs take.
    """

    def order(planned: Planned) -> tuple[bool, bool, float, int]:
        run = planned.config
        main = (run.model_name, run.data_name) == ("glocal_k", "ml_100k")
        seconds = float("inf") if planned.seconds is None else planned.seconds
        return not planned.quick, not main, seconds, run.seed

    plan = sorted((_planned(run, committed) for run in runs), key=order)
    todo = [planned for planned in plan if not planned.held]
    return [
        *(planned for planned in plan if planned.held),
        *(todo[number] for number in needed_first(_waits(todo))),
    ]


def jobs_of(plan: Sequence[Planned]) -> list[Job]:
    """The runs still to be made; each waits for those that it takes something from.

    Args:
        plan: what `make_plan` returned.
    """
    todo = [planned for planned in plan if not planned.held]
    jobs: list[Job] = []
    for planned, wait in zip(todo, _waits(todo), strict=True):
        job = Job(
            planned.title,
            planned.arguments,
            after=tuple(jobs[number] for number in wait.needs),
            rather_after=tuple(jobs[number] for number in wait.prefers),
            expected=planned.time,
        )
        jobs.append(job)
    return jobs


def expected_time(plan: Iterable[Planned]) -> str:
    """The time that the runs still to be made take together, as far as it is known, in words."""
    runs = [planned for planned in plan if not planned.held]
    if not runs:
        return "nothing to do"
    told = duration(max(1, sum(planned.seconds or 0 for planned in runs)))
    unknown = sum(planned.seconds is None and not planned.quick for planned in runs)
    return f"about {told}" + (f", and {unknown} of unknown time" if unknown else "")


def _planned(found: Found, committed: Sequence[Record]) -> Planned:
    run = found.config
    records = [
        record
        for record in committed
        if (record.model, record.variant, record.train_share, record.status)
        == (run.model_name, run.variant, run.train_share, "done")
    ]
    of_data = [record for record in records if record.data == run.data_name]
    # Seeds differ in time where only the lowest makes the selection run. Elsewhere the median over
    # seeds is safer: one of them may have been held up by the machine.
    alike = run.protocol.selection != "lowest_seed"
    of_seed = [record for record in of_data if alike or record.seed == run.seed]
    same = [_own_seconds(record) for record in of_seed or of_data]
    larger = [
        _own_seconds(record) for record in records if sum(record.user_counts) > found.test_ratings
    ]
    if same:
        seconds: float | None = statistics.median(same)
    else:
        seconds = min(larger, default=None)
    return Planned(
        config=run,
        seconds=seconds,
        bound=not same,
        quick=(seconds or 0) < 60 and not build_completer(run.model).has_epochs,
        held=not run.force and held_record(run, found.checksum) is not None,
        arguments=found.arguments,
    )


def _own_seconds(record: Record) -> float:
    """The time of a run, without the members of a combination, which are runs of their own."""
    return record.seconds["total"] - record.seconds.get("members", 0.0)


def _waits(plan: Sequence[Planned]) -> list[Waits]:
    return waits([planned.config for planned in plan])
