"""`glocalk bench`: measure, and keep the measurements in `reports/bench.json`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from glocalk.cli.arguments import Listed, Names, read_arguments, refuse_words, wants_help
from glocalk.cli.help import Help, fields
from glocalk.config import BaseConfig

_log = logging.getLogger(__name__)

# At the largest, 70,000 users × 10,000 items; users × items grows with the ratings.
_RATINGS = (10**5, 3 * 10**5, 10**6, 3 * 10**6, 10**7)

_HELP = Help(
    command="bench",
    does="measure formulations of the rating matrix, trainings of GLocal-K, and how time and "
    "memory grow with the ratings. Use a quiet machine; glocalk report then writes "
    "reports/bench.md.",
    usage=["bench [name=value ...]"],
    examples={
        "bench parts=[trainings] data=[ml_100k]": "one training",
        "bench parts=[scaling] most_ratings=1000000 model.hidden_size=100": "with another "
        "option: all others are those of glocalk train",
    },
    flags={},
)


class BenchConfig(BaseConfig):
    """What is measured."""

    parts: Annotated[list[Literal["evaluations", "trainings", "scaling"]], Listed] = Field(
        default=["evaluations", "trainings", "scaling"], description="what to measure"
    )
    data: Names = Field(
        default=["ml_100k", "douban", "ml_1m"],
        description="data sets of evaluations and trainings",
    )
    repeats: int = Field(default=7, ge=1, description="evaluations of each formulation")
    most_ratings: int = Field(
        default=_RATINGS[-1], ge=_RATINGS[0], description="largest number of ratings of scaling"
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
        _measure(BenchConfig.check(own, ""), of_runs)
    return 0


def completions() -> list[str]:
    """What the shell may complete an argument to."""
    return [f"{name}=" for name in BenchConfig.model_fields]


def _measure(config: BenchConfig, overrides: Sequence[str]) -> None:
    from glocalk.records.benchmark import Bench

    parts: dict[str, Callable[[], list[Any]]] = {
        "evaluations": lambda: _evaluations(config.data, config.repeats, overrides),
        "trainings": lambda: _trainings(config.data, overrides),
        "scaling": lambda: _scaling(config.most_ratings, overrides),
    }
    for part in config.parts:
        found = parts[part]()
        bench = Bench.read(config.out)
        origins = {**bench.origins, part: _origin()}
        bench.model_copy(update={"origins": origins, part: found}).write(config.out)


def _evaluations(data_sets: Sequence[str], repeats: int, overrides: Sequence[str]) -> list[Any]:
    from glocalk.bench.evaluations import measure_evaluations

    found = []
    for data in data_sets:
        _log.info("evaluations: %s", data)
        found += measure_evaluations(_run_config(data, *overrides), repeats)
    return found


def _trainings(data_sets: Sequence[str], overrides: Sequence[str]) -> list[Any]:
    from glocalk.bench.process import in_own_process
    from glocalk.bench.trainings import measure_training

    found = []
    for data in data_sets:
        _log.info("training: %s", data)
        found.append(in_own_process(measure_training, _run_config(data, *overrides)))
    return found


def _scaling(most_ratings: int, overrides: Sequence[str]) -> list[Any]:
    from glocalk.bench.evaluations import STAGES
    from glocalk.bench.process import in_own_process
    from glocalk.bench.trainings import measure_scaling

    found = []
    for ratings in (number for number in _RATINGS if number <= most_ratings):
        side = (ratings / _RATINGS[-1]) ** 0.5
        planted = {"users": 70_000 * side, "items": 10_000 * side, "ratings": ratings / 0.9}
        for stage in STAGES:
            _log.info("scaling: %s on %d ratings", stage, ratings)
            sizes = [f"data.{name}={round(size)}" for name, size in planted.items()]
            epochs = [f"model.{other}.epochs={int(other == stage)}" for other in STAGES]
            config = _run_config("synthetic", *overrides, *sizes, *epochs)
            found.append(in_own_process(measure_scaling, config))
    return found


def _run_config(data: str, *overrides: str) -> Any:
    from glocalk.run.composed import compose_run

    return compose_run([f"data={data}", "model=glocal_k", *overrides])


def _origin() -> Any:
    import torch

    from glocalk.records.benchmark import Origin
    from glocalk.run import provenance

    commit, dirty = provenance.commit()
    return Origin(
        commit=commit,
        dirty=dirty,
        versions=provenance.versions(),
        threads=torch.get_num_threads(),
        cpu=provenance.cpu(),
    )
