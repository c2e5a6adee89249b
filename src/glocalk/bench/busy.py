"""Trainings on all cores, alone and while another program keeps one core busy.

OpenMP's threads wait for each other at the end of every parallel loop. `import glocalk` makes them
wait without spinning; the comparison is with threads that spin, which is GNU OpenMP's default.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch

from glocalk.bench.alternatives import Case
from glocalk.bench.process import in_own_process
from glocalk.data.sources import build_source
from glocalk.records.benchmark import BusyTraining
from glocalk.run.config import RunConfig
from glocalk.run.execute import train_once

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
# The number of spins that GNU OpenMP makes by default overrides the policy that glocalk sets.
WAITING: dict[str, dict[str, str]] = {"asleep": {}, "spinning": {"GOMP_SPINCOUNT": "300000"}}


def measure_busy_trainings(
    config: RunConfig, warm_up: RunConfig, options: Sequence[str], repeats: int
) -> list[BusyTraining]:
    """Measure a training for each way of waiting, in turns, each in a separate process.

    Args:
        config: config of the training.
        warm_up: config of a small training, which loads the same compiled loops.
        options: the options that make it short.
        repeats: number of trainings of each kind.
    """
    alone: dict[str, list[float]] = {name: [] for name in WAITING}
    beside: dict[str, list[float]] = {name: [] for name in WAITING}
    for _ in range(repeats):
        for name, variables in WAITING.items():
            with mock.patch.dict(os.environ, variables):
                alone[name].append(in_own_process(_seconds, config, warm_up))
                with _busy_program():
                    beside[name].append(in_own_process(_seconds, config, warm_up))
    return [
        BusyTraining(
            data=config.data_name,
            model=config.model_name,
            options=list(options),
            waiting=name,
            threads=torch.get_num_threads(),
            seconds=alone[name],
            busy_seconds=beside[name],
        )
        for name in WAITING
    ]


def _seconds(config: RunConfig, warm_up: RunConfig) -> float:
    """Wall-clock seconds of a training after the warm-up."""
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
