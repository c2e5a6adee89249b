"""Find the data, make the runs of the plan, and write the tables and figures of this machine."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from glocalk.errors import GlocalkError
from glocalk.executors.base import build_executor
from glocalk.executors.jobs import Done, Job, run_jobs
from glocalk.records.run import read_records
from glocalk.records.search import Search
from glocalk.reproduce.config import ReproduceConfig
from glocalk.reproduce.files import FilesAfterRuns, write_files
from glocalk.reproduce.plan import Planned, expected_time, jobs_of, make_plan
from glocalk.reproduce.runs import find_runs
from glocalk.reproduce.searches import (
    Place,
    PlannedSearch,
    find_again,
    held,
    plan_searches,
    search_jobs,
    unchanged,
    warning_of_seeds,
    with_best,
)

_log = logging.getLogger(__name__)


def reproduce(config: ReproduceConfig) -> None:
    """Print the plan, make its runs, and write the files of the experiment after them.

    Raises:
        GlocalkError: an unknown name, damaged data, data missing with `strict`, or a failed run
            (the others are made first).
    """
    points = config.points()
    failed: list[Job] = []
    made: list[Search] = []
    if config.searches is None:
        runs, gaps = find_runs(config, points)
    else:
        runs, gaps = find_runs(config, unchanged(points))
        planned = plan_searches(config, points, runs)
        if warning := warning_of_seeds(config, points):
            _log.warning("%s", warning)
        failed, by_place = _search(config, planned)
        runs = find_again(config, with_best(points, planned, by_place), runs)
        made = list(by_place.values())
    committed = read_records(config.reports_dir / "records")
    plan = make_plan(runs, committed)
    _show(plan)

    with FilesAfterRuns(lambda: write_files(config, gaps, made)) as files:
        failed += _make(config, jobs_of(plan), files.after_run)
    _log.info("\n%s", files.table)
    if failed:
        titles = "; ".join(job.title for job in failed)
        raise GlocalkError(f"Failed: {titles}: see above, then start again.")


def _search(
    config: ReproduceConfig, planned: Sequence[PlannedSearch]
) -> tuple[list[Job], dict[Place, Search]]:
    """Make the searches that are missing; the jobs that failed, and the searches that are made."""
    missing = [search for search in planned if config.force or held(config, search) is None]
    _log.info("Searches for hyperparameters: %d of %d to make.", len(missing), len(planned))
    failed = _make(config, search_jobs(missing)) if missing else []
    titles = {job.title for job in failed}
    made = {it.place: held(config, it) for it in planned if it.title not in titles}
    return failed, {place: search for place, search in made.items() if search is not None}


def _make(config: ReproduceConfig, jobs: Sequence[Job], done: Done = lambda *_: None) -> list[Job]:
    """Make the jobs with the executor; those that failed."""
    with build_executor(config.executor, len(jobs)) as executor:
        return [job for job, _ in run_jobs(jobs, executor, executor.at_once, done)]


def _show(plan: Sequence[Planned]) -> None:
    _log.info("Plan:")
    for number, planned in enumerate(plan, start=1):
        _log.info("  %2d. %s: %s", number, planned.title, planned.time)
    _log.info("Together: %s.", expected_time(plan))
