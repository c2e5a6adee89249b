"""`glocalk reproduce`: train the plan cheapest first, with a table after every run."""

from __future__ import annotations

import logging
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import hydra
from omegaconf import DictConfig
from pydantic import Field

from glocalk.cli.app import exit_with_sentence, plain, run_app, settings_of
from glocalk.completers.registry import build_completer
from glocalk.config import BaseConfig
from glocalk.data.fetch.download import fetch_missing
from glocalk.data.fetch.files import offline
from glocalk.data.sources import Source, build_source
from glocalk.errors import GlocalkError, MissingDataError
from glocalk.records.run import Record, read_records
from glocalk.report.layout import duration
from glocalk.report.local import write_local_table
from glocalk.run.config import RunConfig
from glocalk.run.execute import held_record

_log = logging.getLogger(__name__)


class Rows(BaseConfig):
    """Models by what they are to the paper's table."""

    paper: list[str]
    classics: list[str]


class ReproduceConfig(BaseConfig):
    """What to reproduce, and where things lie."""

    data_sets: list[str] = Field(min_length=1)
    scope: Literal["paper", "all", "full"]
    models: Annotated[list[str], Field(min_length=1)] | None
    rows: Rows
    heavy: dict[str, list[str]]
    seeds: list[int] = Field(min_length=1)
    strict: bool
    force: bool
    data_dir: Path
    runs_dir: Path
    reports_dir: Path

    def models_on(self, data: str) -> list[str]:
        """The models to train on a data set."""
        if self.models is not None:
            return self.models
        models = self.rows.paper + (self.rows.classics if self.scope != "paper" else [])
        return [
            model
            for model in models
            if self.scope == "full" or data not in self.heavy.get(model, ())
        ]


@dataclass(frozen=True)
class Planned:
    """A run of the plan.

    Attributes:
        settings: of the run.
        seconds: the time it is expected to take; None where no committed record tells.
        bound: whether `seconds` are those of a larger data set, for want of a record of this one.
        floor: whether its model has no epochs, and no record says that it takes a minute.
        held: whether the runs folder has its record already.
    """

    settings: RunConfig
    seconds: float | None
    bound: bool
    floor: bool
    held: bool

    @property
    def title(self) -> str:
        """What is run."""
        run = self.settings
        return f"{run.data_name} {run.model_name} seed {run.seed}"

    @property
    def time(self) -> str:
        """The expected time, in words."""
        if self.held:
            return "done already"
        if self.floor:
            return "seconds"
        if self.seconds is None:
            return "time unknown"
        return f"{'less than' if self.bound else 'about'} {duration(max(1, self.seconds))}"

    @property
    def overrides(self) -> list[str]:
        """Arguments of `glocalk.cli.train` that make this run."""
        run = self.settings
        return [
            f"data={run.data_name}",
            f"model={run.model_name}",
            f"seed={run.seed}",
            f"data_dir='{run.data_dir}'",
            f"runs_dir='{run.runs_dir}'",
            f"force={run.force}",
        ]


def reproduce(settings: ReproduceConfig) -> None:
    """Print the plan, make its runs, and write the table of this machine after each.

    Raises:
        GlocalkError: an unknown name, damaged data, data missing with `strict`, or a failed run
            (the others are made first).
    """
    runs, gaps = _find_data(settings)
    committed = read_records(settings.reports_dir / "records")
    plan = make_plan(runs, committed)
    _show(plan)
    table = settings.runs_dir / "report"
    failed = []
    for number, planned in enumerate(plan, start=1):
        if not planned.held:
            _log.info("\n[%d/%d] %s (%s)", number, len(plan), planned.title, planned.time)
            if not _train(planned):
                failed.append(planned.title)
        write_local_table(settings.runs_dir, settings.reports_dir / "records", table, gaps)
    write_local_table(settings.runs_dir, settings.reports_dir / "records", table, gaps)
    _log.info("\n%s", (table / "table1.md").read_text())
    if failed:
        raise GlocalkError(f"Failed: {'; '.join(failed)}: see above, then start again.")


def make_plan(runs: Sequence[tuple[RunConfig, int]], committed: Sequence[Record]) -> list[Planned]:
    """The runs in order: floors, GLocal-K on ML-100K, then the cheapest first.

    Args:
        runs: each with the number of its test ratings.
        committed: records, which tell how long runs take.
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
        # Seeds differ where only the lowest makes the held-out training.
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
                settings=run,
                seconds=seconds,
                bound=not same,
                floor=(seconds or 0) < 60 and not build_completer(run.model).has_epochs,
                held=not run.force and held_record(run) is not None,
            )
        )

    def order(planned: Planned) -> tuple[bool, bool, float, int]:
        run = planned.settings
        main = (run.model_name, run.data_name) == ("glocal_k", "ml_100k")
        seconds = float("inf") if planned.seconds is None else planned.seconds
        return not planned.floor, not main, seconds, run.seed

    return sorted(plan, key=order)


def _train(planned: Planned) -> bool:
    """Make a run in a process of its own; whether it ended well."""
    command = [sys.executable, "-m", "glocalk.cli.train", *planned.overrides]
    return subprocess.run(command, check=False).returncode == 0


def _find_data(
    settings: ReproduceConfig,
) -> tuple[list[tuple[RunConfig, int]], dict[str, str]]:
    """The runs whose data is there with their numbers of test ratings; why the others are not."""
    chosen = {
        data: [
            _settings_of_run(settings, data, model, seed)
            for model in settings.models_on(data)
            for seed in settings.seeds
        ]
        for data in settings.data_sets
    }
    chosen = {data: of_data for data, of_data in chosen.items() if of_data}
    sources = {data: build_source(of_data[0].data) for data, of_data in chosen.items()}
    absent = _fetch(sources.values(), settings)
    runs, gaps = [], {}
    for data, source in sources.items():
        try:
            for file_set in source.file_sets():
                if file_set.title in absent:
                    raise absent[file_set.title]
            split = source.split(settings.data_dir)
        except MissingDataError as error:
            if settings.strict:
                raise
            gaps[data] = str(error)
            _log.info("%s", error)
        else:
            # A seed that changes nothing is run once.
            runs += [
                (run, len(split.test))
                for run in chosen[data]
                if run.seed == settings.seeds[0] or not build_completer(run.model).deterministic
            ]
    return runs, gaps


def _fetch(sources: Iterable[Source], settings: ReproduceConfig) -> Mapping[str, MissingDataError]:
    """Get all files that the sources lack; by title, what cannot be had."""
    file_sets = {files.title: files for source in sources for files in source.file_sets()}
    missing = [files for files in file_sets.values() if files.missing(settings.data_dir)]
    if missing and not offline():
        titles = ", ".join(files.title for files in missing)
        _log.info("Not in '%s': %s. Asking where to get it from.", settings.data_dir, titles)
    return fetch_missing(missing, settings.data_dir)


def _settings_of_run(settings: ReproduceConfig, data: str, model: str, seed: int) -> RunConfig:
    config = hydra.compose(
        "train",
        [
            f"data={data}",
            f"model={model}",
            f"seed={seed}",
            f"data_dir='{settings.data_dir}'",
            f"runs_dir='{settings.runs_dir}'",
            f"force={settings.force}",
        ],
    )
    return settings_of(config, data, model, overrides=())


def _show(plan: Sequence[Planned]) -> None:
    _log.info("Plan:")
    for number, planned in enumerate(plan, start=1):
        _log.info("  %2d. %s: %s", number, planned.title, planned.time)
    _log.info("Together: %s.", expected_time(plan))


def expected_time(plan: Iterable[Planned]) -> str:
    """What the runs that are not done take together, as far as records tell, in words."""
    runs = [planned for planned in plan if not planned.held]
    if not runs:
        return "nothing to do"
    told = duration(max(1, sum(planned.seconds or 0 for planned in runs)))
    unknown = sum(planned.seconds is None and not planned.floor for planned in runs)
    return f"about {told}" + (f", and {unknown} of unknown time" if unknown else "")


@hydra.main(version_base="1.3", config_path="pkg://glocalk.conf", config_name="reproduce")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        reproduce(ReproduceConfig.check(plain(config), ""))


def main() -> None:
    """Entry point."""
    run_app(_app)


if __name__ == "__main__":
    main()
