"""Judges claims from records."""

from __future__ import annotations

import math
from dataclasses import dataclass

from glocalk.report.claims.listed import Case, Claim, Comparison
from glocalk.report.load import CellKey
from glocalk.report.statistics.measured import PROTOCOLS, Difference, Measured
from glocalk.report.statistics.paired import holm
from glocalk.report.statistics.sample import Sample
from glocalk.report.statistics.verdict import Evidence, Verdict, combine, judge


@dataclass(frozen=True)
class Finding:
    """What the records say about a comparison under one protocol.

    Attributes:
        comparison: the comparison.
        difference: the measured difference, its p-value not adjusted.
        p_value: adjusted for the other comparisons of the claim under the protocol.
        spread: standard deviation of the difference for single seeds; None where no run tells.
        error: standard error of the difference over seeds; None where no run tells.
        lent: whether a cell with one seed takes its spread from another.
        seeds: number of seeds of each cell, in order of the comparison's terms.
    """

    comparison: Comparison
    difference: Difference
    p_value: float
    spread: float | None
    error: float | None
    lent: bool
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Judgment:
    """The verdict on a case of a claim under one protocol.

    Attributes:
        claim: the claim.
        case: the case.
        protocol: the protocol.
        verdict: the verdict on all its comparisons together.
        finding: of the comparison with the largest difference among those that have this verdict,
            which is the claim's weakest point; None if the verdict is missing.
    """

    claim: Claim
    case: Case
    protocol: str
    verdict: Verdict
    finding: Finding | None


def judge_claim(claim: Claim, measured: Measured) -> list[Judgment]:
    """A judgment of every case under every protocol.

    p-values are adjusted for all comparisons of the claim under one protocol, because the claim is
    about all of them.

    Raises:
        GlocalkError: runs that a claim compares are of different splits or users.
    """
    judgments = []
    for protocol in PROTOCOLS:
        findings = _findings(claim, protocol, measured)
        for case in claim.cases:
            found = [findings[one] for one in case.comparisons if one in findings]
            verdicts = [_verdict(finding, claim.margin) for finding in found]
            verdicts += [Verdict.MISSING] * (len(case.comparisons) - len(found))
            verdict = combine(verdicts)
            weakest = None
            if verdict is not Verdict.MISSING:
                decisive = [
                    one for one, its in zip(found, verdicts, strict=False) if its is verdict
                ]
                weakest = max(decisive, key=lambda one: one.difference.estimate)
            judgments.append(Judgment(claim, case, protocol, verdict, weakest))
    return judgments


def _verdict(finding: Finding, margin: float) -> Verdict:
    difference = finding.difference
    evidence = Evidence(
        difference.estimate, difference.interval, finding.p_value, finding.spread, finding.error
    )
    return judge(evidence, margin)


def _findings(claim: Claim, protocol: str, measured: Measured) -> dict[Comparison, Finding]:
    """By comparison; without those that lack a run."""
    samples = {
        comparison: found
        for case in claim.cases
        for comparison in case.comparisons
        if (found := _samples(comparison, protocol, measured)) is not None
    }
    differences = {
        comparison: measured.difference(
            [(factor, found[cell]) for factor, cell in comparison.terms], claim.margin
        )
        for comparison, found in samples.items()
    }
    adjusted = holm([difference.p_value for difference in differences.values()])
    findings = {}
    for (comparison, found), p_value in zip(samples.items(), adjusted, strict=True):
        spreads = {cell: _spread(cell, found[cell], protocol, measured) for cell in found}
        known = [(sd, found[cell].seeds) for cell, sd in spreads.items() if sd is not None]
        complete = len(known) == len(found)
        findings[comparison] = Finding(
            comparison=comparison,
            difference=differences[comparison],
            p_value=p_value,
            spread=math.hypot(*(sd for sd, _ in known)) if complete else None,
            error=math.hypot(*(sd / math.sqrt(n) for sd, n in known)) if complete else None,
            lent=any(found[cell].sd is None for cell in found),
            seeds=tuple(found[cell].seeds for _, cell in comparison.terms),
        )
    return findings


def _samples(
    comparison: Comparison, protocol: str, measured: Measured
) -> dict[CellKey, Sample] | None:
    """The sample of each cell; cells of one model are compared at the seeds that they share."""
    cells = [cell for _, cell in comparison.terms]
    samples: dict[CellKey, Sample] = {}
    for cell in cells:
        relatives = [other for other in cells if other.model == cell.model]
        shared = set.intersection(*(set(measured.seeds(one, protocol)) for one in relatives))
        sample = measured.sample(cell, protocol, shared)
        if sample is None:
            return None
        samples[cell] = sample
    return samples


def _spread(cell: CellKey, sample: Sample, protocol: str, measured: Measured) -> float | None:
    """The standard deviation over seeds; of one seed, that of the model's most similar cell.

    That is one with several seeds: on the same data before others, without changed options before
    variants, with the nearest share of the training ratings, and then the one that varies most.
    """
    if sample.sd is not None:
        return sample.sd
    relatives = {
        other: made.sd
        for other in measured.cells
        if other.model == cell.model
        and (made := measured.sample(other, protocol)) is not None
        and made.sd is not None
    }

    def unlikeness(other: CellKey) -> tuple[bool, bool, float, float]:
        distance = round(abs(other.train_share - cell.train_share), 6)
        return other.data != cell.data, other.variant != "default", distance, -relatives[other]

    return relatives[min(relatives, key=unlikeness)] if relatives else None
