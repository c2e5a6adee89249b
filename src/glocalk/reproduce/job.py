"""Find the data, make the runs of the plan, and write the tables and figures of this machine."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from glocalk.errors import GlocalkError
from glocalk.executors.base import build_executor
from glocalk.executors.jobs import run_jobs
from glocalk.records.run import read_records
from glocalk.reproduce.config import ReproduceConfig
from glocalk.reproduce.files import write_files
from glocalk.reproduce.plan import Planned, expected_time, jobs_of, make_plan
from glocalk.reproduce.runs import find_runs

_log = logging.getLogger(__name__)


def reproduce(config: ReproduceConfig) -> None:
    """Print the plan, make its runs, and write the files of the experiment after each.

    Raises:
        GlocalkError: an unknown name, damaged data, data missing with `strict`, or a failed run
            (the others are made first).
    """
    runs, gaps = find_runs(config)
    committed = read_records(config.reports_dir / "records")
    plan = make_plan(runs, committed)
    _show(plan)

    jobs = jobs_of(plan)

    def write(*_: object) -> None:
        write_files(config, gaps)

    with build_executor(config.executor, len(jobs)) as executor:
        failed = run_jobs(jobs, executor, executor.at_once, write)
    _log.info("\n%s", write_files(config, gaps))
    if failed:
        titles = "; ".join(job.title for job, _ in failed)
        raise GlocalkError(f"Failed: {titles}: see above, then start again.")


def _show(plan: Sequence[Planned]) -> None:
    _log.info("Plan:")
    for number, planned in enumerate(plan, start=1):
        _log.info("  %2d. %s: %s", number, planned.title, planned.time)
    _log.info("Together: %s.", expected_time(plan))
