"""A record beside the one that was made again, and the sentence that tells the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from glocalk.records.run import PROTOCOLS, Record
from glocalk.report.layout import csv_text, number
from glocalk.report.load import name_of
from glocalk.verification.bands import FIGURES, Band, Bands

Verdict: TypeAlias = Literal["reproduced", "not reproduced", "not verified"]

COLUMNS = (
    *("experiment", "data", "train_share", "model", "variant", "seed", "protocol", "figure"),
    *("recorded", "here", "here_minus_recorded", "band", "band_from", "verdict"),
)


@dataclass(frozen=True)
class Comparison:
    """A test figure of a record and of its run here, under one protocol.

    Attributes:
        protocol: the protocol.
        figure: one of `FIGURES`.
        recorded: that of the record.
        here: that of the run here; None if it has no such figure under the protocol.
        band: how far they may lie apart.
    """

    protocol: str
    figure: str
    recorded: float
    here: float | None
    band: Band

    @property
    def difference(self) -> float:
        """Here − recorded; infinite if there is nothing here."""
        return float("inf") if self.here is None else self.here - self.recorded

    @property
    def within(self) -> bool:
        """Whether the difference is within the band."""
        return abs(self.difference) <= self.band.reach

    @property
    def share(self) -> float:
        """The difference as a share of the band."""
        if not self.difference:
            return 0.0
        return abs(self.difference) / self.band.reach if self.band.reach else float("inf")


@dataclass(frozen=True)
class Result:
    """What became of a record.

    Attributes:
        record: the record.
        comparisons: of each figure under each of its protocols; empty if it was not made again.
        why: why it was not, as a clause.
    """

    record: Record
    comparisons: Sequence[Comparison] = ()
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether every figure of the record was reproduced."""
        if not self.comparisons:
            return "not verified"
        all_within = all(comparison.within for comparison in self.comparisons)
        return "reproduced" if all_within else "not reproduced"

    @property
    def sentence(self) -> str:
        """The result, with the figure that has the largest difference for its band."""
        title = f"{name_of(self.record)} of {self.record.experiment}"
        if self.record.train_share != 1:
            title += f", share {self.record.train_share:g}"
        if not self.comparisons:
            return f"{title}: {self.verdict}, because {self.why}."
        worst = max(self.comparisons, key=lambda comparison: comparison.share)
        if worst.here is None:
            return (
                f"{title}: {self.verdict}, because it has no {worst.figure.upper()} under "
                f"{worst.protocol}."
            )
        reach = worst.band.reach
        told = f"{reach:.4f}" if reach >= 1e-4 else f"{reach:.0e}"
        return (
            f"{title}: test {worst.figure.upper()} {worst.here:.4f} ({worst.protocol}), recorded "
            f"{worst.recorded:.4f}, difference {_signed(worst.difference)} "
            f"{'within' if worst.within else 'outside'} ±{told} ({worst.band.source}): "
            f"{self.verdict}."
        )


def compare(record: Record, here: Record, bands: Bands) -> Result:
    """Compare each figure of a record, under each protocol, with that of its run here."""
    comparisons = []
    for protocol in (name for name in PROTOCOLS if name in record.protocols):
        for figure in FIGURES:
            recorded = getattr(record.protocols[protocol], figure)
            if recorded is None:  # an NDCG that is not defined
                continue
            made = getattr(here.protocols.get(protocol), figure, None)
            band = bands.band(record, protocol, figure)
            comparisons.append(Comparison(protocol, figure, recorded, made, band))
    return Result(record, comparisons)


def results_csv(results: Iterable[Result]) -> str:
    """One row for each record, protocol and figure; one for a record that was not made again."""
    return csv_text(COLUMNS, (row for result in results for row in _rows(result)))


def _rows(result: Result) -> Iterable[list[str]]:
    record = result.record
    first = [record.experiment, record.data, f"{record.train_share:g}", record.model]
    first += [record.variant, str(record.seed)]
    for one in result.comparisons:
        difference = None if one.here is None else one.difference
        verdict = "reproduced" if one.within else "not reproduced"
        figures = [one.recorded, one.here, difference, one.band.reach]
        yield [
            *(*first, one.protocol, one.figure, *(number(figure, 8) for figure in figures)),
            *(one.band.source, verdict),
        ]
    if not result.comparisons:
        yield [*first, *[""] * 6, result.why, result.verdict]


def _signed(difference: float) -> str:
    """Four decimals, or two digits of a smaller difference; 0 for the same bits."""
    if difference == 0:
        return "0"
    return f"{difference:+.4f}" if abs(difference) >= 1e-4 else f"{difference:+.1e}"
