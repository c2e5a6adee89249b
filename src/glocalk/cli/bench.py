"""`glocalk bench`: measure, and keep the measurements in `reports/bench.json`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from glocalk.cli.arguments import read_arguments, refuse_words, wants_help
from glocalk.cli.help import Help, fields
from glocalk.config import BaseConfig, Listed, Names, did_you_mean
from glocalk.errors import GlocalkError

_Part = Literal["evaluations", "trainings", "scaling", "products", "alternatives", "busy", "stall"]

_HELP = Help(
    command="bench",
    does="measure formulations of the rating matrix, trainings of GLocal-K, how time and memory "
    "grow with the ratings, glocalk's own loops against libraries, and trainings beside a busy "
    "program. Use a quiet machine; glocalk report then writes reports/bench.md.",
    usage=["bench [name=value ...]"],
    examples={
        "bench parts=[trainings] data=[ml_100k]": "one training",
        "bench parts=[stall] data=[ml_1m] seed=2 out=reports/stall.json": "the loss around the "
        "place where a training stands still",
        "bench parts=[scaling] most_ratings=1000000 model.hidden_size=100": "with another "
        "option: all others are those of glocalk train",
    },
    flags={},
)


class BenchConfig(BaseConfig):
    """What is measured."""

    parts: Annotated[list[_Part], Listed] = Field(
        default=[part for part in get_args(_Part) if part != "stall"],
        description="what to measure; stall: why a training stands still",
    )
    data: Names = Field(
        default=["ml_100k", "douban", "ml_1m"],
        description="data sets by config name, for all parts but scaling",
    )
    repeats: int = Field(default=7, ge=1, description="measurements of each kind")
    most_ratings: int = Field(
        default=10**7, ge=10**5, description="largest number of ratings of scaling"
    )
    out: Path = Field(
        default=Path("reports/bench.json"), description="file that keeps the measurements"
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    if wants_help(arguments):
        print(_HELP.text(("Options", fields(BenchConfig))))
        return 0
    from glocalk.cli.app import exit_with_sentence

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    with exit_with_sentence():
        words, options = read_arguments("bench", arguments)
        refuse_words(words)
        own = {name: value for name, value in options.items() if name in BenchConfig.model_fields}
        of_runs = [f"{name}={value}" for name, value in options.items() if name not in own]
        config = BenchConfig.check(own, "")
        from glocalk.bench.parts import measure
        from glocalk.run.compose import compose

        known = {str(name) for name in compose("train", ["data=synthetic"])}
        for name in options.keys() - own.keys():
            if name.lstrip("+~").split(".")[0] not in known:
                near = did_you_mean(name, known | BenchConfig.model_fields.keys())
                raise GlocalkError(f"Unknown option '{name}': {near}")

        measure(config.parts, config.data, config.repeats, config.most_ratings, of_runs, config.out)
    return 0


def completions() -> list[str]:
    """What the shell may complete an argument to."""
    return [f"{name}=" for name in BenchConfig.model_fields]
