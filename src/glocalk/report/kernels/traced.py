"""A run with traces: its global kernel before fine-tuning and after each of its epochs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from glocalk.records.run import Record, Trace
from glocalk.report.statistics.sample import Floats

EXPERIMENT = "kernels"

_LEAST_PROGRESS = 1e-6  # relative decrease of the loss below which an epoch stands still


@dataclass(frozen=True)
class Traced:
    """A run and the traces of its final training.

    Attributes:
        run: the record; it has traces.
    """

    run: Record

    @property
    def taps(self) -> Floats:
        """[moments, t²] Taps of the first global kernel: before the first epoch, after each."""
        return np.array([_taps(trace) for trace in self.run.traces])

    @property
    def live(self) -> Floats:
        """[moments, 2] Shares of live cells, among all and among those with a rating."""
        return np.array([trace.numbers["live"] for trace in self.run.traces])

    @property
    def redraws(self) -> int:
        """How often the item kernels were drawn again."""
        return int(sum(self.run.traces[0].numbers.get("redraws", ())))

    @property
    def center(self) -> Floats:
        """[moments] The tap in the middle."""
        taps = self.taps
        middle: Floats = taps[:, taps.shape[1] // 2]
        return middle

    @property
    def positive(self) -> list[int]:
        """Number of positive taps at each moment."""
        return [int(number) for number in (self.taps > 0).sum(axis=1)]

    @property
    def still(self) -> int:
        """Number of epochs of fine-tuning that stand still, of those followed by another."""
        curves = self.run.curves["final"]
        losses = [
            loss
            for stage, loss in zip(curves.stage, curves.loss, strict=True)
            if stage == self.run.traces[0].stage and loss is not None
        ]
        return sum(
            before - after <= _LEAST_PROGRESS * abs(before)
            for before, after in itertools.pairwise(losses)
        )

    def error(self, protocol: str) -> float | None:
        """Test RMSE under a protocol."""
        result = self.run.protocols.get(protocol)
        return result.rmse if result else None


def traced_runs(records: Iterable[Record]) -> list[Traced]:
    """The runs of the experiment that have traces, in order of data set, model and seed."""
    runs = [run for run in records if run.experiment == EXPERIMENT and run.traces]
    runs.sort(key=lambda run: (run.data, run.model, run.variant, run.seed))
    return [Traced(run) for run in runs]


def _taps(trace: Trace) -> list[float]:
    return trace.numbers["taps/1"]
