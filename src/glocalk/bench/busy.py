"""Trainings alone, and while another program keeps one core busy.

The threads of a parallel loop wait for the slowest one. A run therefore takes the cores that are
free when it begins; the comparison is with one that takes all cores.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from glocalk.bench.alternatives import Case
from glocalk.bench.process import in_own_process
from glocalk.data.sources import build_source
from glocalk.records.benchmark import BusyTraining
from glocalk.run.config import RunConfig
from glocalk.run.trainings import train_once
from glocalk.threads import ALL_THREADS, free_threads

BUSY_CASES = (
    Case("ml_100k", "glocal_k", ("model.pretrain.epochs=4", "model.finetune.epochs=4")),
    Case("ml_100k", "gc_mc", ("model.epochs=25",)),
    Case("ml_100k", "cf_nade", ("model.epochs=2",)),
    Case("ml_100k", "graphrec", ("model.epochs=4",)),
    Case(
        "ml_100k",
        "igmc",
        (
            "model.epochs=1",
            "model.ensemble.members=1",
            "model.ensemble.interval=1",
            "+trainer.limit_train_batches=100",
        ),
    ),
)
CORES = ("free", "all")


def measure_busy_trainings(
    config: RunConfig, warm_up: RunConfig, options: Sequence[str], repeats: int
) -> list[BusyTraining]:
    """Measure a training on the free cores and one on all, in turns, each in a separate process.

    Args:
        config: config of the training.
        warm_up: config of a small training, which loads the same compiled loops.
        options: the options that make it short.
        repeats: number of trainings of each kind.
    """
    alone: dict[str, list[float]] = {cores: [] for cores in CORES}
    beside: dict[str, list[float]] = {cores: [] for cores in CORES}
    for _ in range(repeats):
        for cores in CORES:
            alone[cores].append(in_own_process(_seconds, config, warm_up, cores))
            with _busy_program():
                beside[cores].append(in_own_process(_seconds, config, warm_up, cores))
    return [
        BusyTraining(
            data=config.data_name,
            model=config.model_name,
            options=list(options),
            cores=cores,
            seconds=alone[cores],
            busy_seconds=beside[cores],
        )
        for cores in CORES
    ]


def _seconds(config: RunConfig, warm_up: RunConfig, cores: str) -> float:
    """Wall-clock seconds of a training after the warm-up."""
    torch.set_num_threads(free_threads() if cores == "free" else ALL_THREADS)
    _train(warm_up)
    return _train(config)


def _train(config: RunConfig) -> float:
    split = build_source(config.data).split(config.data_dir)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        train_once(config, split, Path(folder))
    return time.perf_counter() - start


@contextmanager
def _busy_program() -> Iterator[None]:
    """Run a program that computes without end while the block runs."""
    program = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        program.kill()
        program.wait()
