"""The blocks that the plan of an experiment consists of, and the points that they stand for."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from pydantic import AfterValidator, Field

from glocalk.config import BaseConfig
from glocalk.errors import one_line
from glocalk.names import Name, Seed
from glocalk.run.overrides import readable

Scope = Literal["paper", "all", "full", "committed"]
SCOPES: tuple[Scope, ...] = ("paper", "all", "full", "committed")

PlainSeed: TypeAlias = Annotated[Seed, Field(strict=True)]
"""A seed written as a whole number: `true` is none, nor is "1"."""

_OWN_ENTRIES = ("experiment", "model", "data", "seed")
_OF_THE_COMMAND = ("data_dir", "runs_dir", "force", "variant")  # `reproduce` sets them


@dataclass(frozen=True)
class Point:
    """A run of a plan, as its overrides.

    Attributes:
        data: config name of the data set.
        model: config name of the model.
        seed: the seed.
        options: overrides that make the variant, unless they change nothing.
        fixed: further overrides, which the variant is not named after.
        experiment: the experiment that the run belongs to; empty: that of the plan.
        unchanged: in a plan with searches, the experiment that it belongs to where no trial was
            better than the present hyperparameters.
    """

    data: str
    model: str
    seed: int
    options: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    experiment: str = ""
    unchanged: str = ""


def overrides_of(sweep: str) -> list[tuple[str, ...]]:
    """The overrides of each run that `glocalk train -m` makes of a line such as `a=1,2 b=3`.

    Raises:
        ValueError: the line cannot be read, or it names what a plan has entries for.
    """
    lines = [readable(line, sweeps=True) for line in shlex.split(sweep)]
    try:
        parsed = OverridesParser.create().parse_overrides(lines)
        (points,) = BasicSweeper.split_arguments(parsed, None)
    except HydraException as error:
        raise ValueError(one_line(error)) from error
    for override in parsed:
        if override.key_or_group in _OWN_ENTRIES:
            raise ValueError(f"'{override.key_or_group}' is no option of a sweep")
        if override.key_or_group in _OF_THE_COMMAND:
            raise ValueError(f"'{override.key_or_group}' is not set by a plan")
    return [tuple(point) for point in points]


def _checked_sweep(sweep: str) -> str:
    overrides_of(sweep)
    return sweep


def _checked_options(options: str) -> str:
    if len(overrides_of(options)) > 1:
        raise ValueError("each of its options has one value")
    return options


class Searches(BaseConfig):
    """The searches for hyperparameters that come before the runs of a plan, all with one budget."""

    trials: int = Field(ge=1, description="number of trials of each")
    hours: float | None = Field(
        gt=0, allow_inf_nan=False, description="time that the trials of each may take together"
    )
    valid_seed: PlainSeed = Field(
        default=1000, description="seed of the choice of held-out ratings, shared by no run"
    )


class Block(BaseConfig):
    """Runs of a plan: every combination of models, data sets, seeds and swept options."""

    models: list[Name] = Field(min_length=1, description="models by config name")
    data: list[Name] = Field(min_length=1, description="data sets by config name")
    seeds: list[PlainSeed] = Field(default=[0], min_length=1, description="seeds")
    sweeps: list[Annotated[str, AfterValidator(_checked_sweep)]] = Field(
        default=[""],
        min_length=1,
        description="options, each as after glocalk train -m: model.kernel_size=3,5,7",
    )
    fixed: Annotated[str, AfterValidator(_checked_options)] = Field(
        default="", description="options of all these runs that are not part of the variant's name"
    )
    scope: Scope = Field(default="paper", description="the smallest scope with these runs")
    unchanged: Name = Field(
        default="table1",
        description="in a plan with searches, the experiment whose run stands for a row where no "
        "trial was better than the present hyperparameters",
    )
    heavy: dict[Name, list[Name]] = Field(
        default={}, description="by model, the data sets that it is trained on in scope full alone"
    )

    def points(self, data: str, model: str, seeds: Sequence[Seed]) -> list[Point]:
        """Its points for one data set, one model and these seeds."""
        fixed = tuple(shlex.split(self.fixed))
        return [
            Point(data, model, seed, options, fixed, unchanged=self.unchanged)
            for sweep in self.sweeps
            for options in overrides_of(sweep)
            for seed in seeds
        ]
