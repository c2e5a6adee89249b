"""What to reproduce, and where files are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import Field, field_validator

from glocalk.config import BaseConfig
from glocalk.errors import GlocalkError
from glocalk.executors.base import check_executor
from glocalk.names import Name
from glocalk.reproduce.blocks import SCOPES, Block, PlainSeed, Point, Scope, Searches
from glocalk.run.compose import as_dict, config_dirs_of


class ReproduceConfig(BaseConfig):
    """What to reproduce, and where files are."""

    experiment: Name = Field(description="the experiment: a table or figure")
    plan: list[Block] = Field(min_length=1, description="its runs")
    trials: int | None = Field(
        default=None, ge=1, description="number of trials of each search; null: that of the plan"
    )
    hours: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="time that the trials of each search may take; null: that of the plan",
    )
    # After its options, so that a wrong one is named as it was given.
    searches: Searches | None = Field(
        default=None,
        description="budget of the searches for hyperparameters before the runs; null: no searches",
    )
    data_sets: Annotated[list[Name], Field(min_length=1)] | None = Field(
        description="data sets by config name; one that the plan lacks is trained like its own"
    )
    models: Annotated[list[Name], Field(min_length=1)] | None = Field(
        description="models by config name, heavy or not; one that the plan lacks is trained like "
        "its own"
    )
    seeds: Annotated[list[PlainSeed], Field(min_length=1)] | None = Field(
        description="seeds of every row, in place of those of the plan"
    )
    scope: Scope = Field(
        description="rows of experiment=table1: paper (those of the paper's table), all (the "
        "classics too), full (heavy ones too) or committed (every seed of the committed table too)"
    )
    logger: tuple[str, ...] = Field(
        default=(), description="overrides that choose the loggers of each run, and their options"
    )
    trainer: tuple[str, ...] = Field(
        default=(), description="overrides that choose the trainer of each run, and its options"
    )
    strict: bool = Field(description="fail if a data set is missing, instead of leaving a gap")
    force: bool = Field(description="train again even if a record exists")
    executor: dict[str, Any] = Field(
        default={"_target_": "glocalk.executors.local.LocalExecutor"},
        description="where runs are made",
    )
    data_dir: Path = Field(description="folder with the files of data sets")
    data_options: tuple[str, ...] = Field(
        default=(), description="overrides of the data set that data= names, for all runs"
    )
    runs_dir: Path = Field(description="folder of the runs")
    out_dir: Path | None = Field(
        default=None,
        description="folder of the tables and figures of this machine; null: report/ in runs_dir",
    )
    reports_dir: Path = Field(
        description="its committed records give expected times and figures to compare with"
    )
    config_dirs: tuple[Path, ...] = Field(
        default=(), description="folders with more configs, from --config-dir"
    )

    @field_validator("plan")
    @classmethod
    def _knows_the_heavy(cls, plan: list[Block]) -> list[Block]:
        known = {model for block in plan for model in block.models}
        if unknown := {model for block in plan for model in block.heavy} - known:
            raise ValueError(f"heavy names {', '.join(sorted(unknown))}, which the plan lacks")
        return plan

    @field_validator("executor")
    @classmethod
    def _is_known(cls, executor: dict[str, Any]) -> dict[str, Any]:
        check_executor(executor)
        return executor

    def points(self) -> list[Point]:
        """The runs of the plan in its order, each once, narrowed or changed by the other options.

        A data set or model that no block of the scope names is trained in every block, like those
        that the block names.

        Raises:
            GlocalkError: there is none.
        """
        within = SCOPES[: SCOPES.index(self.scope) + 1]
        blocks = [block for block in self.plan if block.scope in within]
        data_sets = {data for block in blocks for data in block.data}
        models = {model for block in blocks for model in block.models}
        points = [
            point
            for block in blocks
            for data in _chosen(block.data, self.data_sets, data_sets)
            for model in _chosen(block.models, self.models, models)
            if not self._too_heavy(block, data, model)
            for point in block.points(data, model, self.seeds or block.seeds)
        ]
        points = [self._with_data_options(point) for point in points]
        if not points:
            raise GlocalkError(
                f"The plan of experiment '{self.experiment}' has no run with these options: see "
                f"experiment/{self.experiment}.yaml."
            )
        # Blocks may share a point that only `fixed` or `unchanged` tells apart: the first makes it.
        first: dict[Point, Point] = {}
        for point in points:
            first.setdefault(replace(point, fixed=(), unchanged=""), point)
        return list(first.values())

    def _with_data_options(self, point: Point) -> Point:
        """The point with the options of the data set, which name its variant, as in `train`."""
        own = {line.split("=")[0] for line in (*point.options, *point.fixed)}
        for line in self.data_options:
            if (name := line.split("=")[0]) in own:
                raise GlocalkError(
                    f"Option '{name}' is set by the plan of experiment '{self.experiment}': leave "
                    f"it out, or change it in a copy of experiment/{self.experiment}.yaml in a "
                    "folder given with --config-dir."
                )
        return replace(point, options=(*point.options, *self.data_options))

    def _too_heavy(self, block: Block, data: str, model: str) -> bool:
        small = self.scope in ("paper", "all") and self.models is None
        return small and data in block.heavy.get(model, ())


def reproduce_config(config: DictConfig, hydra: Any) -> ReproduceConfig:
    """The checked config: of the experiment's file it has the plan alone.

    Args:
        config: a composed `reproduce` config.
        hydra: Hydra's own options, which say which experiment was chosen.

    Raises:
        GlocalkError: an unknown option, an invalid value, several experiments, or one without a
            plan.
    """
    options = as_dict(config)
    name = hydra.runtime.choices.get("experiment")
    if not isinstance(name, str):  # Hydra takes a list of them
        raise GlocalkError("Option 'experiment' is one name, as in experiment=table2.")
    content = options.pop("experiment", None)
    plan = content.get("plan") if isinstance(content, dict) else None
    if not plan:
        raise GlocalkError(
            f"Experiment '{name}' has no plan: write one into experiment/{name}.yaml, as in "
            "conf/experiment/table2.yaml."
        )
    own = {"experiment": name, "plan": plan, "config_dirs": config_dirs_of(hydra)}
    own["data_options"] = _data_options(options, hydra)
    own["logger"] = _logger(options, hydra)
    own["trainer"] = _trainer(options, hydra)
    own["searches"] = _searches(content.get("searches"), options)
    if set_twice := own.keys() & options.keys():
        raise GlocalkError(
            f"Option '{min(set_twice)}' is not set on the command line: write a plan into a file "
            f"experiment/name.yaml, and choose it with experiment=name."
        )
    return ReproduceConfig.check({**options, **own}, "")


def _searches(of_plan: Any, options: Mapping[str, Any]) -> Any:
    """The budget of searches that the plan has, changed by the options `trials` and `hours`."""
    given = {name: options[name] for name in ("trials", "hours") if options[name] is not None}
    if of_plan is None and given:
        raise GlocalkError(
            f"Option '{min(given)}' is of an experiment with searches, as in experiment=tuned."
        )
    return {**of_plan, **given} if isinstance(of_plan, dict) else of_plan


def _logger(options: dict[str, Any], hydra: Any) -> tuple[str, ...]:
    """The overrides of the loggers, which are those of `train` without any."""
    options.pop("logger", None)
    if hydra.runtime.choices.get("logger") in (None, "null"):
        return ()
    return _lines_of("logger", hydra)


def _trainer(options: dict[str, Any], hydra: Any) -> tuple[str, ...]:
    """The overrides of the trainer, which without any is that of `train`."""
    options.pop("trainer", None)
    return _lines_of("trainer", hydra)


def _lines_of(group: str, hydra: Any) -> tuple[str, ...]:
    """The overrides that choose a config of a group, and those of its options."""
    lines = map(str, hydra.overrides.task)
    return tuple(line for line in lines if re.match(rf"[+~]*{group}[.=]", line))


def _data_options(options: dict[str, Any], hydra: Any) -> tuple[str, ...]:
    """The overrides of the data set that `data=` names, which becomes the only one of the plan."""
    name = hydra.runtime.choices.get("data")
    if options.pop("data", None) is None:
        return ()
    if options["data_sets"] is not None:
        raise GlocalkError(
            "Options 'data' and 'data_sets' both name the data sets of the plan: give one of them."
        )
    lines = [line for line in _lines_of("data", hydra) if not line.startswith("data=")]
    if any(line.split("=")[0].endswith("._target_") for line in lines):
        raise GlocalkError(
            "Option 'data._target_' is one of glocalk train: name the class in a file "
            "data/name.yaml of a folder given with --config-dir, and choose it with data=name."
        )
    options["data_sets"] = [name]
    return tuple(lines)


def _chosen(own: Sequence[str], wanted: Sequence[str] | None, named: set[str]) -> Sequence[str]:
    """The names of a block, or those of them that are wanted, and wanted ones that none names."""
    if wanted is None:
        return own
    return [name for name in wanted if name in own or name not in named]
