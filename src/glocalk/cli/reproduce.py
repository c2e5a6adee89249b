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

from glocalk.cli.app import exit_with_sentence, own_config_dirs, run_app
from glocalk.cli.config_help import groups, options
from glocalk.cli.help import HYDRA_FLAGS, Help
from glocalk.completers.registry import build_completer
from glocalk.config import BaseConfig
from glocalk.data.fetch.download import fetch_missing
from glocalk.data.fetch.files import offline
from glocalk.data.sources import Source, build_source
from glocalk.errors import GlocalkError, MissingDataError
from glocalk.records.run import Record, read_records
from glocalk.report.layout import duration
from glocalk.report.local import write_local_table
from glocalk.run.compose import CONFIGS, VERSION_BASE, as_dict, without
from glocalk.run.composed import compose_run
from glocalk.run.config import RunConfig
from glocalk.run.execute import held_record

_log = logging.getLogger(__name__)

_HELP = Help(
    command="reproduce",
    does="train the rows of the paper's table, the cheapest first, and write this machine's "
    "table beside the committed and the published figures to runs/report/table1.md. Missing data "
    "is downloaded. Runs that are already there are not repeated.",
    usage=["reproduce [name=value ...] [flags]"],
    examples={
        "reproduce data_sets=[ml_100k] seeds=[0,1,2,3,4]": "one data set, five seeds",
        "reproduce models=[my_model] --config-dir conf": "a completer of your own, which "
        "conf/model/my_model.yaml names",
    },
    flags={name: says for name, says in HYDRA_FLAGS.items() if not name.startswith("-m")},
)


class Rows(BaseConfig):
    """Models by what they are to the paper's table."""

    paper: list[str] = Field(description="models of the paper's table")
    classics: list[str] = Field(description="models that the paper leaves out")


class ReproduceConfig(BaseConfig):
    """What to reproduce, and where things lie."""

    data_sets: list[str] = Field(min_length=1, description="data sets by config name")
    scope: Literal["paper", "all", "full"] = Field(
        description="paper: the rows of the paper's table; all: the classics too; full: also "
        "those that are heavy"
    )
    models: Annotated[list[str], Field(min_length=1)] | None = Field(
        description="models by config name, heavy or not, in place of those of the scope"
    )
    rows: Rows
    heavy: dict[str, list[str]] = Field(
        description="data sets on which a model is trained with scope=full only"
    )
    seeds: list[int] = Field(min_length=1, description="seeds of each row")
    strict: bool = Field(description="fail if a data set is missing, instead of leaving a gap")
    force: bool = Field(description="train again what runs_dir already holds")
    data_dir: Path = Field(description="folder with the files of data sets")
    runs_dir: Path = Field(description="folder of the runs")
    reports_dir: Path = Field(
        description="its committed records give expected times and figures to compare with"
    )
    config_dirs: tuple[Path, ...] = Field(
        default=(), description="folders with more configs, from --config-dir"
    )

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
        config: of the run.
        seconds: the time it is expected to take; None if no committed record tells.
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
        places = _places(run.data_dir, run.runs_dir, run.force)
        return [*names, *places, *_search_path(self.config_dirs)]


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
    table = config.runs_dir / "report"
    failed = []
    for number, planned in enumerate(plan, start=1):
        if not planned.held:
            _log.info("\n[%d/%d] %s (%s)", number, len(plan), planned.title, planned.time)
            if not _train(planned):
                failed.append(planned.title)
        write_local_table(config.runs_dir, config.reports_dir / "records", table, gaps)
    write_local_table(config.runs_dir, config.reports_dir / "records", table, gaps)
    _log.info("\n%s", (table / "table1.md").read_text())
    if failed:
        raise GlocalkError(f"Failed: {'; '.join(failed)}: see above, then start again.")


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


def _train(planned: Planned) -> bool:
    """Make a run in a process of its own; returns whether it succeeded."""
    command = [sys.executable, "-m", "glocalk", "train", *planned.arguments]
    return subprocess.run(command, check=False).returncode == 0


def _find_data(
    config: ReproduceConfig,
) -> tuple[list[tuple[RunConfig, int]], dict[str, str]]:
    """The runs whose data is there with their numbers of test ratings; why the others are not."""
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
        _log.info("Not in '%s': %s. Asking where to get it from.", config.data_dir, titles)
    return fetch_missing(missing, config.data_dir)


def _run_config(config: ReproduceConfig, data: str, model: str, seed: int) -> RunConfig:
    names = f"data={data}", f"model={model}", f"seed={seed}"
    places = _places(config.data_dir, config.runs_dir, config.force)
    return compose_run([*names, *places], config.config_dirs)


def _places(data_dir: Path, runs_dir: Path, force: bool) -> list[str]:
    """Overrides of a run that do not change its result."""
    return [f"data_dir='{data_dir}'", f"runs_dir='{runs_dir}'", f"force={force}"]


def _search_path(config_dirs: Iterable[Path]) -> list[str]:
    """The override that makes more configs known."""
    folders = ",".join(f"'file://{folder}'" for folder in config_dirs)
    return [f"hydra.searchpath=[{folders}]"] if folders else []


def _show(plan: Sequence[Planned]) -> None:
    _log.info("Plan:")
    for number, planned in enumerate(plan, start=1):
        _log.info("  %2d. %s: %s", number, planned.title, planned.time)
    _log.info("Together: %s.", expected_time(plan))


def expected_time(plan: Iterable[Planned]) -> str:
    """The time that the runs still to be made take together, as far as records tell, in words."""
    runs = [planned for planned in plan if not planned.held]
    if not runs:
        return "nothing to do"
    told = duration(max(1, sum(planned.seconds or 0 for planned in runs)))
    unknown = sum(planned.seconds is None and not planned.quick for planned in runs)
    return f"about {told}" + (f", and {unknown} of unknown time" if unknown else "")


@hydra.main(version_base=VERSION_BASE, config_path=CONFIGS, config_name="reproduce")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        reproduce(ReproduceConfig.check({**as_dict(config), "config_dirs": own_config_dirs()}, ""))


def _help(config: DictConfig) -> str:
    return _HELP.text(
        ("Names of models and data sets", groups(config, ["model", "data"])),
        ("Options", options(without(config, "hydra"), ReproduceConfig)),
    )


def main() -> None:
    """Entry point; the arguments are in `sys.argv`."""
    run_app(_app, "reproduce", _help)
