"""The parts of the benchmark: what is measured, on which data sets, and kept in one file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from glocalk.bench.alternatives import (
    ALLOCATOR_CASES,
    PRODUCT_CASES,
    Case,
    measure_allocator_trainings,
    measure_product_trainings,
    measure_products,
)
from glocalk.bench.busy import BUSY_CASES, measure_busy_trainings
from glocalk.bench.evaluations import STAGES, measure_evaluations
from glocalk.bench.process import in_own_process
from glocalk.bench.stall import measure_stall
from glocalk.bench.trainings import measure_scaling, measure_training
from glocalk.records.benchmark import Bench, Origin
from glocalk.run import provenance
from glocalk.run.composed import compose_run
from glocalk.run.config import RunConfig

_log = logging.getLogger(__name__)

# At the largest, 70,000 users × 10,000 items; users × items grows with the ratings.
_RATINGS = (10**5, 3 * 10**5, 10**6, 3 * 10**6, 10**7)
_WIDTHS = (500, 32)  # hidden sizes of GLocal-K and GC-MC, and of IGMC
_OWN_THREADS = {"products": 1, "alternatives": 1}  # of parts that do not use torch's number


def measure(
    parts: Sequence[str],
    data_sets: Sequence[str],
    repeats: int,
    most_ratings: int,
    overrides: Sequence[str],
    out: Path,
) -> None:
    """Measure the parts; each replaces its entry in the file of measurements.

    Args:
        parts: `evaluations`, `trainings`, `scaling`, `products`, `alternatives`, `busy`
            or `stall`.
        data_sets: config names of data sets; `scaling` has its own.
        repeats: number of measurements of each kind.
        most_ratings: largest number of ratings of `scaling`.
        overrides: options of the trainings, as on the command line.
        out: file that keeps the measurements.

    Raises:
        GlocalkError: an unknown option, missing data, or `out` holds something else.
    """
    measures: dict[str, Callable[[], list[Any]]] = {
        "evaluations": lambda: _evaluations(data_sets, repeats, overrides),
        "trainings": lambda: _trainings(data_sets, overrides),
        "scaling": lambda: _scaling(most_ratings, overrides),
        "products": lambda: _products(data_sets, repeats, overrides),
        "alternatives": lambda: _alternatives(data_sets, repeats, overrides),
        "busy": lambda: _busy(data_sets, repeats, overrides),
        "stall": lambda: _stall(data_sets, overrides),
    }
    for part in parts:
        found = measures[part]()
        bench = Bench.read(out)
        threads = _OWN_THREADS.get(part, torch.get_num_threads())
        origins = {**bench.origins, part: _origin(threads)}
        bench.model_copy(update={"origins": origins, part: found}).write(out)


def _evaluations(data_sets: Sequence[str], repeats: int, overrides: Sequence[str]) -> list[Any]:
    found = []
    for data in data_sets:
        _log.info("evaluations: %s", data)
        found += measure_evaluations(_run_config(data, *overrides), repeats)
    return found


def _trainings(data_sets: Sequence[str], overrides: Sequence[str]) -> list[Any]:
    found = []
    for data in data_sets:
        _log.info("training: %s", data)
        found.append(in_own_process(measure_training, _run_config(data, *overrides)))
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
            config = _run_config("synthetic", *overrides, *sizes, *epochs)
            found.append(in_own_process(measure_scaling, config))
    return found


def _products(data_sets: Sequence[str], repeats: int, overrides: Sequence[str]) -> list[Any]:
    found = []
    for data in data_sets:
        _log.info("products: %s", data)
        config = _run_config(data, *overrides)
        found += in_own_process(measure_products, config, _WIDTHS, repeats)
    return found


def _alternatives(data_sets: Sequence[str], repeats: int, overrides: Sequence[str]) -> list[Any]:
    """Trainings on those of the data sets that the cases name."""
    found = []
    for case, config in _cases("alternatives", PRODUCT_CASES, data_sets, overrides):
        small = _run_config("synthetic", *case.options, *overrides, model=case.model)
        found += in_own_process(measure_product_trainings, config, small, case.options, repeats)
    for case, config in _cases("alternatives", ALLOCATOR_CASES, data_sets, overrides):
        found += measure_allocator_trainings(config, case.options, repeats)
    return found


def _busy(data_sets: Sequence[str], repeats: int, overrides: Sequence[str]) -> list[Any]:
    found = []
    for case, config in _cases("busy", BUSY_CASES, data_sets, overrides):
        small = _run_config("synthetic", *case.options, *overrides, model=case.model)
        found += measure_busy_trainings(config, small, case.options, repeats)
    return found


def _stall(data_sets: Sequence[str], overrides: Sequence[str]) -> list[Any]:
    found = []
    for data in data_sets:
        _log.info("stall: %s", data)
        found.append(measure_stall(_run_config(data, *overrides)))
    return found


def _cases(
    part: str, cases: Sequence[Case], data_sets: Sequence[str], overrides: Sequence[str]
) -> Iterator[tuple[Case, RunConfig]]:
    """Yield those of the cases whose data set was asked for, with their configs."""
    for case in cases:
        if case.data in data_sets:
            _log.info("%s: %s on %s", part, case.model, case.data)
            yield case, _run_config(case.data, *case.options, *overrides, model=case.model)


def _run_config(data: str, *overrides: str, model: str = "glocal_k") -> RunConfig:
    return compose_run([f"data={data}", f"model={model}", *overrides])


def _origin(threads: int) -> Origin:
    commit, dirty = provenance.commit()
    return Origin(
        commit=commit,
        dirty=dirty,
        versions=provenance.versions(),
        threads=threads,
        cpu=provenance.cpu(),
    )
