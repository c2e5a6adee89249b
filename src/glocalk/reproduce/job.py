"""Find the data, make the runs of the plan, and write the table of this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from glocalk.completers.registry import build_completer
from glocalk.data.fetch.download import fetch_missing
from glocalk.data.fetch.files import offline
from glocalk.data.sources import Source, build_source
from glocalk.errors import GlocalkError, MissingDataError
from glocalk.executors.base import build_executor
from glocalk.executors.jobs import Job, run_jobs
from glocalk.names import inside
from glocalk.records.run import read_records
from glocalk.report.local import write_local_table
from glocalk.reproduce.config import ReproduceConfig
from glocalk.reproduce.plan import Planned, expected_time, make_plan, places
from glocalk.run.composed import compose_run
from glocalk.run.config import RunConfig

_log = logging.getLogger(__name__)


def reproduce(config: ReproduceConfig) -> None:
    """Print the plan, make its runs, and write the table of this machine after each.

    Raises:
        GlocalkError: an unknown name, damaged data, data missing with `strict`, or a failed run
            (the others are made first).
    """
    runs, gaps = _find_data(config)
    committed = read_records(config.reports_dir / "records")
    plan = make_plan(runs, committed, config.config_dirs)
    _show(plan)
    table = inside(config.runs_dir, "report")

    def write_table(*_: object) -> None:
        write_local_table(config.runs_dir, config.reports_dir / "records", table, gaps)

    jobs = [
        Job(planned.title, tuple(planned.arguments), expected=planned.time)
        for planned in plan
        if not planned.held
    ]
    with build_executor(config.executor, len(plan)) as executor:
        failed = run_jobs(jobs, executor, executor.at_once, write_table)
    write_table()
    _log.info("\n%s", (table / "table1.md").read_text(encoding="utf-8"))
    if failed:
        titles = "; ".join(job.title for job, _ in failed)
        raise GlocalkError(f"Failed: {titles}: see above, then start again.")


def _find_data(
    config: ReproduceConfig,
) -> tuple[list[tuple[RunConfig, int]], dict[str, str]]:
    """The runs whose data exists, with numbers of test ratings; why the others are left out."""
    chosen = {
        data: [
            _run_config(config, data, model, seed)
            for model in config.models_on(data)
            for seed in config.seeds
        ]
        for data in config.data_sets
    }
    chosen = {data: of_data for data, of_data in chosen.items() if of_data}
    sources = {data: build_source(of_data[0].data) for data, of_data in chosen.items()}
    absent = _fetch(sources.values(), config)
    runs, gaps = [], {}
    for data, source in sources.items():
        try:
            for file_set in source.file_sets():
                if file_set.title in absent:
                    raise absent[file_set.title]
            split = source.split(config.data_dir)
        except MissingDataError as error:
            if config.strict:
                raise
            gaps[data] = str(error)
            _log.info("%s", error)
        else:
            # A model that does not depend on the seed is run once.
            runs += [
                (run, len(split.test))
                for run in chosen[data]
                if run.seed == config.seeds[0] or not build_completer(run.model).deterministic
            ]
    return runs, gaps


def _fetch(sources: Iterable[Source], config: ReproduceConfig) -> Mapping[str, MissingDataError]:
    """Download all missing files of the sources; by title, what is still missing."""
    file_sets = {files.title: files for source in sources for files in source.file_sets()}
    missing = [files for files in file_sets.values() if files.missing(config.data_dir)]
    if missing and not offline():
        titles = ", ".join(files.title for files in missing)
        _log.info("Not in '%s': %s. Checking download sources.", config.data_dir, titles)
    return fetch_missing(missing, config.data_dir)


def _run_config(config: ReproduceConfig, data: str, model: str, seed: int) -> RunConfig:
    names = f"data={data}", f"model={model}", f"seed={seed}"
    where = places(config.data_dir, config.runs_dir, config.force)
    return compose_run([*names, *where], config.config_dirs)


def _show(plan: Sequence[Planned]) -> None:
    _log.info("Plan:")
    for number, planned in enumerate(plan, start=1):
        _log.info("  %2d. %s: %s", number, planned.title, planned.time)
    _log.info("Together: %s.", expected_time(plan))
