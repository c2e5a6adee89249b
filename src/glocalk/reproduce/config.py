"""What to reproduce, and where files are."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from pydantic import AfterValidator, Field

from glocalk.config import BaseConfig
from glocalk.errors import GlocalkError, one_line
from glocalk.names import Name, Seed
from glocalk.run.overrides import readable

Scope = Literal["paper", "all", "full", "committed"]
_SCOPES: tuple[Scope, ...] = ("paper", "all", "full", "committed")

_OWN_ENTRIES = ("experiment", "model", "data", "seed")


@dataclass(frozen=True)
class Point:
    """A run of a plan, as its overrides.

    Attributes:
        data: config name of the data set.
        model: config name of the model.
        seed: the seed.
        options: overrides that make the variant, unless they change nothing.
        fixed: further overrides, which the variant is not named after.
    """

    data: str
    model: str
    seed: int
    options: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()


def points_of_sweep(sweep: str) -> list[tuple[str, ...]]:
    """The overrides of each run that `glocalk train -m` makes of a line such as `a=1,2 b=3`.

    Raises:
        ValueError: the line cannot be read, or it names what other entries of a plan name.
    """
    lines = [readable(line, sweeps=True) for line in shlex.split(sweep)]
    try:
        parsed = OverridesParser.create().parse_overrides(lines)
        (points,) = BasicSweeper.split_arguments(parsed, None)
    except HydraException as error:
        raise ValueError(one_line(error)) from error
    for override in parsed:
        if override.key_or_group in _OWN_ENTRIES:
            raise ValueError(f"'{override.key_or_group}' has its own entry in a plan")
    return [tuple(point) for point in points]


def _checked_sweep(sweep: str) -> str:
    points_of_sweep(sweep)
    return sweep


def _checked_options(options: str) -> str:
    if len(points_of_sweep(options)) != 1:
        raise ValueError("each of these options has one value")
    return options


class Block(BaseConfig):
    """Runs of a plan: every combination of models, data sets, seeds and values of options."""

    models: list[Name] = Field(min_length=1, description="models by config name")
    data: list[Name] = Field(min_length=1, description="data sets by config name")
    seeds: list[Seed] = Field(default=[0], min_length=1, description="seeds")
    sweep: Annotated[str, AfterValidator(_checked_sweep)] = Field(
        default="", description="options as after glocalk train -m: model.kernel_size=3,5,7"
    )
    fixed: Annotated[str, AfterValidator(_checked_options)] = Field(
        default="", description="options of all runs which the variant is not named after"
    )
    scope: Scope = Field(default="paper", description="the smallest scope with these runs")
    heavy: dict[Name, list[Name]] = Field(
        default={}, description="by model, data sets that only scope=full and committed train it on"
    )


class ReproduceConfig(BaseConfig):
    """What to reproduce, and where files are."""

    experiment: Name = Field(description="the experiment: a table or figure")
    plan: list[Block] = Field(min_length=1, description="its runs")
    data_sets: Annotated[list[Name], Field(min_length=1)] | None = Field(
        description="data sets by config name, in place of those of the plan"
    )
    models: Annotated[list[Name], Field(min_length=1)] | None = Field(
        description="models by config name, heavy or not, in place of those of the plan"
    )
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = Field(
        description="seeds of every row, in place of those of the plan"
    )
    scope: Scope = Field(
        description="of table1: paper: the rows of the paper's table; all: the classics too; full: "
        "also those that are heavy; committed: also every further seed of the committed table"
    )
    strict: bool = Field(description="fail if a data set is missing, instead of leaving a gap")
    force: bool = Field(description="train again even if a record exists")
    data_dir: Path = Field(description="folder with the files of data sets")
    runs_dir: Path = Field(description="folder of the runs")
    reports_dir: Path = Field(
        description="its committed records give expected times and figures to compare with"
    )
    config_dirs: tuple[Path, ...] = Field(
        default=(), description="folders with more configs, from --config-dir"
    )

    def points(self) -> list[Point]:
        """The runs of the plan in its order, each once, narrowed or changed by the other options.

        A data set or model that no block of the scope names is trained like those that each names.

        Raises:
            GlocalkError: there is none.
        """
        blocks = [
            block for block in self.plan if _SCOPES.index(block.scope) <= _SCOPES.index(self.scope)
        ]
        data_sets = {data for block in blocks for data in block.data}
        models = {model for block in blocks for model in block.models}
        points = [
            Point(data, model, seed, options, tuple(shlex.split(block.fixed)))
            for block in blocks
            for data in _chosen(block.data, self.data_sets, data_sets)
            for model in _chosen(block.models, self.models, models)
            if not self._too_heavy(block, data, model)
            for seed in self.seeds or block.seeds
            for options in points_of_sweep(block.sweep)
        ]
        if not points:
            raise GlocalkError(
                f"The plan of experiment '{self.experiment}' has no run with these options: see its "
                f"file, conf/experiment/{self.experiment}.yaml."
            )
        return list(dict.fromkeys(points))

    def _too_heavy(self, block: Block, data: str, model: str) -> bool:
        small = self.scope in ("paper", "all") and self.models is None
        return small and data in block.heavy.get(model, ())


def _chosen(own: Sequence[str], wanted: Sequence[str] | None, named: set[str]) -> Sequence[str]:
    """The names of a block, or those of them that are wanted, and wanted ones that none names."""
    if wanted is None:
        return own
    return [name for name in wanted if name in own or name not in named]
