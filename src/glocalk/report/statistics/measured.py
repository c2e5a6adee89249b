"""Means of cells and their differences, with intervals and p-values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from glocalk.records.run import Record
from glocalk.report.load import CellKey, cell_of
from glocalk.report.statistics.bootstrap import (
    Interval,
    percentile_interval,
    resampled_rmse,
    same_everywhere,
)
from glocalk.report.statistics.paired import paired_p_value
from glocalk.report.statistics.sample import Column, Floats, Sample, Terms, refuse_others

# Reports show no interval of `held_out`, whose errors are those of other trainings.
PROTOCOLS = ("best_test", "validated", "last", "official")


@dataclass(frozen=True)
class Difference:
    """A difference of two mean RMSE, or another sum Σ_k c_k · R_k of them.

    Attributes:
        estimate: its value.
        interval: its 95 % interval over users.
        p_value: of the hypothesis that it equals the margin asked for, not adjusted.
    """

    estimate: float
    interval: Interval
    p_value: float


class Measured:
    """The samples of every cell, and statistics of them.

    The users of all samples with the same split and test users are resampled together, when the
    first interval of one is asked for.

    Args:
        runs: the done runs that may be asked for, each once.
    """

    def __init__(self, runs: Iterable[Record]) -> None:
        self._cells: dict[CellKey, list[Record]] = {}
        for run in runs:
            self._cells.setdefault(cell_of(run), []).append(run)
        self._resampled: dict[tuple[str, bytes], dict[Column, Floats]] = {}

    @property
    def cells(self) -> list[CellKey]:
        """The cells with runs."""
        return list(self._cells)

    def seeds(self, cell: CellKey, *protocols: str) -> list[int]:
        """The seeds of a cell that have these protocols."""
        runs = self._cells.get(cell, [])
        return sorted(run.seed for run in runs if set(protocols) <= run.protocols.keys())

    def sample(
        self, cell: CellKey, protocol: str, seeds: Collection[int] | None = None
    ) -> Sample | None:
        """The errors of a cell's runs under a protocol; None without such a run.

        Args:
            cell: the cell.
            protocol: the protocol; runs without it are left out.
            seeds: the seeds to take; None takes all.
        """
        runs = [
            run
            for run in self._cells.get(cell, [])
            if protocol in run.protocols and (seeds is None or run.seed in seeds)
        ]
        return Sample.of(runs, protocol) if runs else None

    def interval(self, sample: Sample) -> Interval:
        """The 95 % interval of a sample's mean RMSE."""
        return percentile_interval(self._means(sample))

    def difference(self, terms: Terms, margin: float = 0.0) -> Difference:
        """Σ_k c_k · R_k, where R_k is sample k's mean RMSE over seeds.

        Args:
            terms: factor c_k and sample k; `(1, a), (-1, b)` is the difference of a and b.
            margin: the value that the p-value's hypothesis states.

        Raises:
            GlocalkError: the samples differ in their split or users.
        """
        refuse_others([sample for _, sample in terms])
        return Difference(
            estimate=same_everywhere(sum(factor * sample.mean for factor, sample in terms)),
            interval=percentile_interval(
                np.sum([factor * self._means(sample) for factor, sample in terms], axis=0)
            ),
            p_value=paired_p_value(terms, margin),
        )

    def _means(self, sample: Sample) -> Floats:
        """[resamples] The sample's mean RMSE over seeds in each resample."""
        group = sample.split, sample.counts.tobytes()
        if group not in self._resampled:
            self._resampled[group] = self._resample(*group)
        means: Floats = np.mean([self._resampled[group][key] for key in sample.columns], axis=0)
        return means

    def _resample(self, split: str, counts: bytes) -> dict[Column, Floats]:
        """[resamples] RMSE of every column of errors of these test users, by column."""
        errors: dict[Column, Floats] = {}
        ratings = np.frombuffer(counts)
        for cell, protocol in ((cell, protocol) for cell in self._cells for protocol in PROTOCOLS):
            sample = self.sample(cell, protocol)
            if sample and (sample.split, sample.counts.tobytes()) == (split, counts):
                errors |= zip(sample.columns, sample.errors.T, strict=True)
        made = resampled_rmse(ratings, np.column_stack(list(errors.values())))
        return dict(zip(errors, np.ascontiguousarray(made.T), strict=True))
