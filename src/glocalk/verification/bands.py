"""How far the error of a training that is made again may lie from the recorded one.

Two trainings with the same seed and number of threads on the same processor, with the same versions
of the libraries that compute, give the same bits, and so does a model that does not depend on the
seed up to the order in which numbers are added: r' = r within `EXACT` · r.

On another processor sums are rounded differently. A training amplifies that until, at worst, the
new result r' is as far from r as that of another seed. r and r' are then independent draws with
the standard deviation σ over seeds, their difference has the variance 2σ², and with an estimate s
of σ with ν degrees of freedom

    P(|r' − r| ≤ t_{ν, (1 + p) / 2} · √2 · s) = p,  p = `LEVEL`,

which is a prediction interval for a new draw from a single one. s and ν come from the seeds of the
same row of a table, s² = Σ_i (r_i − r̄)² / (k − 1) and ν = k − 1 for k seeds. A row with one seed
borrows from comparable rows j: s is r times the root of their pooled relative variance
Σ_j ν_j (s_j / r̄_j)² / Σ_j ν_j, and ν = Σ_j ν_j.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from glocalk.records.run import Record
from glocalk.report.load import CellKey, cell_of

LEVEL = 0.99
EXACT = 1e-6
"""Relative difference that rounding alone may make."""

_COMPUTE = ("python", "torch", "lightning", "numpy", "scipy", "numba")


@dataclass(frozen=True)
class Band:
    """How far an error may lie from the recorded one.

    Attributes:
        reach: the largest difference, in rating units.
        source: where it comes from, as a clause.
    """

    reach: float
    source: str


@dataclass(frozen=True)
class _Spread:
    """A relative standard deviation over seeds, with its degrees of freedom."""

    relative: float
    freedom: int


class Bands:
    """The bands of records.

    Args:
        records: all done records, whose seeds tell how far results lie apart.
        cpu: name of the processor that trains again.
        versions: versions of the libraries that train again.
    """

    def __init__(self, records: Iterable[Record], cpu: str, versions: Mapping[str, str]) -> None:
        self._cpu, self._versions = cpu, versions
        self._rows: dict[CellKey, list[Record]] = {}
        for record in records:
            if not record.deterministic:
                self._rows.setdefault(cell_of(record), []).append(record)

    def band(self, record: Record, protocol: str) -> Band:
        """The band of a record under a protocol."""
        rmse = record.protocols[protocol].rmse
        if record.deterministic:
            return Band(EXACT * rmse, "the model does not depend on the seed")
        if self.is_same_machine(record):
            return Band(EXACT * rmse, "the same processor, threads and versions")
        spread, source = self._spread(record, protocol)
        quantile = float(stats.t.ppf((1 + LEVEL) / 2, spread.freedom))
        return Band(quantile * math.sqrt(2) * spread.relative * rmse, source)

    def is_same_machine(self, record: Record) -> bool:
        """Whether the record was made on a processor and with versions like those here."""
        return record.cpu == self._cpu and all(
            record.versions.get(name) == self._versions.get(name) for name in _COMPUTE
        )

    def _spread(self, record: Record, protocol: str) -> tuple[_Spread, str]:
        key = cell_of(record)
        own = _spread_of(self._rows[key], protocol)
        if own is not None:
            return own, f"99 % band from {own.freedom + 1} seeds of this row"
        comparable: list[tuple[str, Callable[[CellKey], bool]]] = [
            (
                f"{key.model} on {key.data}",
                lambda row: (row.model, row.data) == (key.model, key.data),
            ),
            (f"{key.model} on other data sets", lambda row: row.model == key.model),
            (f"other models on {key.data}", lambda row: row.data == key.data),
            ("all rows", lambda _: True),
        ]
        for name, fits in comparable:
            spreads = [_spread_of(runs, protocol) for row, runs in self._rows.items() if fits(row)]
            pooled = _pooled([spread for spread in spreads if spread is not None])
            if pooled is not None:
                return pooled, f"one seed; 99 % band from rows of {name}"
        return _Spread(EXACT, 1), "one seed, and no other row has several"


def _spread_of(runs: Sequence[Record], protocol: str) -> _Spread | None:
    """The spread over the seeds of a row; None for fewer than two."""
    values = [run.protocols[protocol].rmse for run in runs if protocol in run.protocols]
    if len(values) < 2:
        return None
    return _Spread(statistics.stdev(values) / statistics.fmean(values), len(values) - 1)


def _pooled(spreads: Sequence[_Spread]) -> _Spread | None:
    """The spread that rows share; None without rows."""
    freedom = sum(spread.freedom for spread in spreads)
    if not freedom:
        return None
    variance = sum(spread.freedom * spread.relative**2 for spread in spreads) / freedom
    return _Spread(math.sqrt(variance), freedom)
