"""Ablations of the global kernel, and the option that leaves a kink, beside GLocal-K."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glocalk.records.run import Record
from glocalk.report.cells import DATA_SETS, GLOCAL_K
from glocalk.report.kernels.traced import EXPERIMENT
from glocalk.report.load import CellKey
from glocalk.report.points import Point, find_point
from glocalk.report.statistics.measured import Difference, Measured
from glocalk.report.statistics.paired import holm

HELD = "model.hold_kernels=true"
TITLES = {
    ("glocal_k", "default"): "GLocal-K",
    ("glocal_k_scalar", "default"): "one trained number",
    ("glocal_k_permuted", "default"): "random order of users and items",
    ("glocal_k_decayed", "default"): "penalized item kernels",
    ("glocal_k", HELD): "kernels held where epochs stand still",
}
PROTOCOLS = ("best_test", "last")


@dataclass(frozen=True)
class Ablation:
    """An ablation on a data set.

    Attributes:
        data: config name of the data set.
        title: what is changed.
        model: config name of the model.
        variant: label of the runs.
        seeds: the seeds that it has in common with GLocal-K; for GLocal-K its own.
        point: its runs with these seeds.
        minus: its mean RMSE minus GLocal-K's on the same seeds, by protocol; empty for GLocal-K.
        by_seed: the same of each seed.
        p_adjusted: p-values of these by Holm's method over the whole table, by protocol.
    """

    data: str
    title: str
    model: str
    variant: str
    seeds: list[int]
    point: Point
    minus: dict[str, Difference]
    by_seed: dict[str, list[float]]
    p_adjusted: dict[str, float]


def ablations(records: Sequence[Record]) -> list[Ablation]:
    """Every ablation with runs, below GLocal-K's runs of the experiment."""
    measured = Measured(run for run in records if run.experiment == EXPERIMENT)
    rows = [
        _row(records, measured, data, model, variant)
        for data in DATA_SETS
        for model, variant in TITLES
    ]
    made = [row for row in rows if row.point.runs]
    tests = [(row, protocol) for row in made for protocol in row.minus]
    adjusted = holm([row.minus[protocol].p_value for row, protocol in tests])
    for (row, protocol), p_value in zip(tests, adjusted, strict=True):
        row.p_adjusted[protocol] = p_value
    return made


def _row(
    records: Sequence[Record], measured: Measured, data: str, model: str, variant: str
) -> Ablation:
    point = find_point(records, EXPERIMENT, data, model, variant)
    seeds, minus, by_seed = list(point.seeds), {}, {}
    if (model, variant) != (GLOCAL_K, "default"):
        ours = find_point(records, EXPERIMENT, data, GLOCAL_K)
        seeds = sorted(set(seeds) & set(ours.seeds))
        minus = dict(_differences(measured, data, model, variant, seeds))
        for protocol in minus:
            mine, theirs = point.by_seed(protocol), ours.by_seed(protocol)
            by_seed[protocol] = [mine[seed] - theirs[seed] for seed in seeds]
    runs = tuple(run for run in point.runs if run.seed in seeds)
    title = TITLES[model, variant]
    return Ablation(data, title, model, variant, seeds, Point(runs), minus, by_seed, {})


def _differences(
    measured: Measured, data: str, model: str, variant: str, seeds: Sequence[int]
) -> Iterable[tuple[str, Difference]]:
    for protocol in PROTOCOLS:
        changed = measured.sample(CellKey(EXPERIMENT, data, 1.0, model, variant), protocol, seeds)
        ours = measured.sample(CellKey(EXPERIMENT, data, 1.0, GLOCAL_K, "default"), protocol, seeds)
        if changed is not None and ours is not None:
            yield protocol, measured.difference([(1, changed), (-1, ours)])
