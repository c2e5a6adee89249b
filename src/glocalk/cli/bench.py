"""`glocalk bench`: measure, and keep what was found in `reports/bench.json`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
import torch

from glocalk.bench.alternatives import (
    ALLOCATOR_CASES,
    PRODUCT_CASES,
    Case,
    measure_allocator_trainings,
    measure_product_trainings,
    measure_products,
)
from glocalk.bench.evaluations import STAGES, measure_evaluations
from glocalk.bench.process import in_own_process
from glocalk.bench.trainings import measure_scaling, measure_training
from glocalk.cli.app import exit_with_sentence, settings_of
from glocalk.records.benchmark import Bench, Origin
from glocalk.run import provenance
from glocalk.run.config import RunConfig

_log = logging.getLogger(__name__)

# At the largest, 70,000 users × 10,000 items; users × items grows with the ratings.
_RATINGS = (10**5, 3 * 10**5, 10**6, 3 * 10**6, 10**7)
_WIDTHS = (500, 32)  # hidden sizes of GLocal-K and GC-MC, and of IGMC
_OWN_THREADS = {"products": 1, "alternatives": 1}  # of parts that do not use torch's number


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parts: dict[str, Callable[[], list[Any]]] = {
        "evaluations": lambda: _evaluations(options.data, options.repeats, options.options),
        "trainings": lambda: _trainings(options.data, options.options),
        "scaling": lambda: _scaling(options.most_ratings, options.options),
        "products": lambda: _products(options.data, options.repeats, options.options),
        "alternatives": lambda: _alternatives(options.data, options.repeats, options.options),
    }
    with (
        exit_with_sentence(),
        hydra.initialize_config_module("glocalk.conf", version_base="1.3"),
    ):
        for part in options.parts:
            found = parts[part]()
            bench = Bench.read(options.out)
            threads = _OWN_THREADS.get(part, torch.get_num_threads())
            origins = {**bench.origins, part: _origin(threads)}
            bench.model_copy(update={"origins": origins, part: found}).write(options.out)


def _evaluations(data_sets: Sequence[str], repeats: int, overrides: Sequence[str]) -> list[Any]:
    found = []
    for data in data_sets:
        _log.info("evaluations: %s", data)
        found += measure_evaluations(_settings(data, *overrides), repeats)
    return found


def _trainings(data_sets: Sequence[str], overrides: Sequence[str]) -> list[Any]:
    found = []
    for data in data_sets:
        _log.info("training: %s", data)
        found.append(in_own_process(measure_training, _settings(data, *overrides)))
    return found


def _scaling(most_ratings: int, overrides: Sequence[str]) -> list[Any]:
    found = []
    for ratings in (number for number in _RATINGS if number <= most_ratings):
        side = (ratings / _RATINGS[-1]) ** 0.5
        planted = {"users": 70_000 * side, "items": 10_000 * side, "ratings": ratings / 0.9}
        for stage in STAGES:
            _log.info("scaling: %s on %d ratings", stage, ratings)
            sizes = [f"data.{name}={round(size)}" for name, size in planted.items()]
            epochs = [f"model.{other}.epochs={int(other == stage)}" for other in STAGES]
            settings = _settings("synthetic", *overrides, *sizes, *epochs)
            found.append(in_own_process(measure_scaling, settings))
    return found


def _products(data_sets: Sequence[str], repeats: int, overrides: Sequence[str]) -> list[Any]:
    found = []
    for data in data_sets:
        _log.info("products: %s", data)
        settings = _settings(data, *overrides)
        found += in_own_process(measure_products, settings, _WIDTHS, repeats)
    return found


def _alternatives(data_sets: Sequence[str], repeats: int, overrides: Sequence[str]) -> list[Any]:
    """Trainings on those of the data sets that the cases name."""

    def cases(all_cases: Sequence[Case]) -> Iterator[tuple[Case, RunConfig]]:
        for case in all_cases:
            if case.data in data_sets:
                _log.info("alternatives: %s on %s", case.model, case.data)
                changed = (*case.options, *overrides)
                yield case, _settings(case.data, *changed, model=case.model)

    found = []
    for case, settings in cases(PRODUCT_CASES):
        small = _settings("synthetic", *case.options, *overrides, model=case.model)
        found += in_own_process(measure_product_trainings, settings, small, case.options, repeats)
    for case, settings in cases(ALLOCATOR_CASES):
        found += measure_allocator_trainings(settings, case.options, repeats)
    return found


def _settings(data: str, *overrides: str, model: str = "glocal_k") -> RunConfig:
    config = hydra.compose("train", [f"data={data}", f"model={model}", *overrides])
    return settings_of(config, data, model, overrides)


def _origin(threads: int) -> Origin:
    commit, dirty = provenance.commit()
    return Origin(
        commit=commit,
        dirty=dirty,
        versions=provenance.versions(),
        threads=threads,
        cpu=provenance.cpu(),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glocalk bench", description=(__doc__ or "").partition(": ")[2]
    )
    every = ["evaluations", "trainings", "scaling", "products", "alternatives"]
    names = ["ml_100k", "douban", "ml_1m"]
    parser.add_argument("--parts", nargs="+", choices=every, default=every)
    parser.add_argument("--data", nargs="+", default=names, help="config names of data sets")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each kind")
    parser.add_argument("--most-ratings", type=int, default=_RATINGS[-1], help="of scaling")
    parser.add_argument("--options", nargs="+", default=[], help="options of glocalk train")
    parser.add_argument("--out", type=Path, default=Path("reports/bench.json"))
    return parser


if __name__ == "__main__":
    main()
