"""How far a figure of a training that is made again may lie from the recorded one.

Two trainings with the same seed and number of threads on the same processor, with the same versions
of the libraries that compute, give the same bits, and so does a model that does not depend on the
seed up to the order in which numbers are added: r' = r within `EXACT` · r.

On another processor sums are rounded differently, and so they are whenever a GPU computes, whose
threads add in no fixed order. A training amplifies that until, at worst, the new result r' is as
far from r as that of another seed. r and r' are then independent draws with the standard deviation
σ over seeds, their difference has the variance 2σ², and with an estimate s of σ with ν degrees of
freedom

    P(|r' − r| ≤ t_{ν, (1 + p) / 2} · √2 · s) = p,  p = `LEVEL`,

which is a prediction interval for a new draw from a single one. s must not depend on r: the
spread of a row that includes a changed figure grows with the change, and a band from it would hold
every change. It comes from the other k seeds of the same row, whose relative spread is
s_0 / r̄_0, with s_0² = Σ_i (r_i − r̄_0)² / (k − 1) and ν_0 = k − 1. Where ν_0 < `FEWEST`, comparable
rows j are pooled with it: s = r · √(Σ_j ν_j (s_j / r̄_j)² / Σ_j ν_j), ν = Σ_j ν_j, and s is at least
what the other seeds of the row give.
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
FEWEST = 4
"""Degrees of freedom with which an estimate of σ is used: with 1, t is 64."""
EXACT = 1e-6
"""Relative difference that rounding alone may make."""
TIES = 1e-3
"""That of an NDCG, because rounding may reverse the order of two items that are predicted alike."""

FIGURES = ("rmse", "mae", "ndcg")

_COMPUTE = ("python", "torch", "lightning", "numpy", "scipy", "numba")


@dataclass(frozen=True)
class Band:
    """How far a figure may lie from the recorded one.

    Attributes:
        reach: the largest difference, in the units of the figure.
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

    def band(self, record: Record, protocol: str, figure: str = "rmse") -> Band:
        """The band of one of the `FIGURES` of a record under a protocol."""
        value = _values([record], protocol, figure)[0]
        same = self.is_same_machine(record)
        rounding = TIES if figure == "ndcg" and not same else EXACT
        if record.deterministic:
            return Band(rounding * value, "the model does not depend on the seed")
        if same:
            return Band(rounding * value, "the same processor, threads and versions")
        spread, source = self._spread(record, protocol, figure)
        quantile = float(stats.t.ppf((1 + LEVEL) / 2, spread.freedom))
        relative = max(quantile * math.sqrt(2) * spread.relative, rounding)
        return Band(relative * value, source)

    def is_same_machine(self, record: Record) -> bool:
        """Whether the record was made on a processor and with versions like those here."""
        return (
            record.device == "cpu"
            and record.cpu == self._cpu
            and all(record.versions.get(name) == self._versions.get(name) for name in _COMPUTE)
        )

    def _spread(self, record: Record, protocol: str, figure: str) -> tuple[_Spread, str]:
        key = cell_of(record)
        others = [run for run in self._rows.get(key, []) if run.seed != record.seed]
        own = _spread_of(_values(others, protocol, figure))
        if own is not None and own.freedom >= FEWEST:
            return own, f"99 % band from {own.freedom + 1} other seeds of this row"
        comparable: list[tuple[str, Callable[[CellKey], bool]]] = [
            (
                f"{key.model} on {key.data}",
                lambda row: (row.model, row.data) == (key.model, key.data),
            ),
            (key.model, lambda row: row.model == key.model),
            (f"models on {key.data}", lambda row: row.data == key.data),
            ("all models", lambda _: True),
        ]
        found, source = own, f"99 % band from {len(others)} other seeds of this row"
        for name, fits in comparable:
            rows = [runs for row, runs in self._rows.items() if row != key and fits(row)]
            spreads = [own, *(_spread_of(_values(runs, protocol, figure)) for runs in rows)]
            pooled = _pooled([spread for spread in spreads if spread is not None])
            if pooled is not None and (found is None or pooled.freedom > found.freedom):
                found, source = pooled, f"99 % band from rows of {name}"
            if found is not None and found.freedom >= FEWEST:
                break
        if found is None:
            return _Spread(EXACT, 1), "no other seed, and no other row has several"
        least = 0.0 if own is None else own.relative
        return _Spread(max(found.relative, least), found.freedom), source


def _values(runs: Iterable[Record], protocol: str, figure: str) -> list[float]:
    """A figure of the runs that have it."""
    results = (run.protocols[protocol] for run in runs if protocol in run.protocols)
    return [value for result in results if (value := getattr(result, figure)) is not None]


def _spread_of(values: Sequence[float]) -> _Spread | None:
    """The spread over the seeds of a row; None for fewer than two."""
    if len(values) < 2 or not (mean := statistics.fmean(values)):
        return None
    return _Spread(statistics.stdev(values) / mean, len(values) - 1)


def _pooled(spreads: Sequence[_Spread]) -> _Spread | None:
    """The spread that rows share; None without rows."""
    freedom = sum(spread.freedom for spread in spreads)
    if not freedom:
        return None
    variance = sum(spread.freedom * spread.relative**2 for spread in spreads) / freedom
    return _Spread(math.sqrt(variance), freedom)
