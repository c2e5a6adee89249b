"""Where the time of whole trainings goes, and how it grows with the number of ratings."""

from __future__ import annotations

import tempfile
from pathlib import Path

from glocalk.bench.clock import StepTimes, step_clock
from glocalk.completers.registry import build_completer
from glocalk.data.sources import build_source
from glocalk.data.splits import Split
from glocalk.records.benchmark import ScalingPoint, StageCost, WholeTraining
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.run.trainings import train_once


def measure_training(config: RunConfig) -> WholeTraining:
    """Measure one training on all training ratings. Call it in a separate process."""
    split = build_source(config.data).split(config.data_dir)
    times, seconds = _train(config, split)
    schedule = build_completer(config.model).schedule
    return WholeTraining(
        data=config.data_name,
        stages=[
            StageCost(
                stage=stage,
                epochs=epochs,
                evaluations=steps.evaluations,
                seconds=seconds[stage],
                gradient_seconds=steps.closure_seconds,
                optimizer_seconds=steps.seconds - steps.closure_seconds,
            )
            for (stage, epochs), steps in zip(schedule.items(), times, strict=True)
        ],
        evaluation_seconds=seconds["evaluation"],
        peak_mb=provenance.peak_memory_mb(),
    )


def measure_scaling(config: RunConfig) -> ScalingPoint:
    """Measure the one stage that `config` trains on synthetic ratings.

    Call it in a separate process.
    """
    split = build_source(config.data).split(config.data_dir)
    (stage,) = build_completer(config.model).schedule
    ((steps,), _) = _train(config, split)
    return ScalingPoint(
        stage=stage,
        ratings=len(split.train),
        users=split.train.num_users,
        items=split.train.num_items,
        evaluations=steps.evaluations,
        seconds=steps.closure_seconds / steps.evaluations,
        optimizer_seconds=(steps.seconds - steps.closure_seconds) / steps.evaluations,
        peak_mb=provenance.peak_memory_mb(),
    )


def _train(config: RunConfig, split: Split) -> tuple[list[StepTimes], dict[str, float]]:
    """Train once; return the times of each stage's optimizer and the monitor's seconds."""
    with tempfile.TemporaryDirectory() as folder, step_clock() as times:
        _, monitor = train_once(config, split, Path(folder))
    return times, monitor.seconds
