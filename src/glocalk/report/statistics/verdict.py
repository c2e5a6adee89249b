"""The rule by which a claim of the paper holds, does not hold, or cannot be told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from glocalk.report.statistics.bootstrap import Interval

SIGNIFICANCE = 0.05


class Verdict(StrEnum):
    """What the records say about a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "cannot be told"
    MISSING = "not measured"


@dataclass(frozen=True)
class Evidence:
    """What is known about a difference that a claim says is below `margin`.

    Attributes:
        difference: mean over seeds.
        interval: its 95 % interval over users.
        p_value: of the hypothesis that it equals the margin, adjusted for the claim's other tests.
        spread: its standard deviation for single seeds; None where no run tells.
        error: its standard error over the seeds that there are; None where no run tells.
    """

    difference: float
    interval: Interval
    p_value: float
    spread: float | None
    error: float | None


def judge(evidence: Evidence, margin: float = 0.0) -> Verdict:
    """The verdict on the claim that a difference lies below `margin`.

    It holds if the interval lies below the margin, the adjusted p-value is below 5 %, and the
    difference is farther from the margin than the spread of seeds and than two standard errors over
    seeds. It does not hold if all are so above the margin. Otherwise, and where the spread is
    unknown, it cannot be told.

    The interval and the test take the trained models as they are, and one seed against one differs
    by more than its spread in every third pair of equal models: two standard errors ask for twice
    the spread there, and for about the spread where both sides have several seeds.
    """
    distance = evidence.difference - margin
    shown = (
        evidence.spread is not None
        and evidence.error is not None
        and abs(distance) > max(evidence.spread, 2 * evidence.error)
        and evidence.p_value < SIGNIFICANCE
    )
    if shown and distance < 0 and evidence.interval.high < margin:
        return Verdict.HOLDS
    if shown and distance > 0 and evidence.interval.low > margin:
        return Verdict.FAILS
    return Verdict.OPEN


def combine(verdicts: Collection[Verdict]) -> Verdict:
    """The verdict on a claim about several differences, all of which it needs.

    It does not hold if it does not for one of them, also if others are missing, and holds if it
    does for all.
    """
    if Verdict.FAILS in verdicts:
        return Verdict.FAILS
    if not verdicts or Verdict.MISSING in verdicts:
        return Verdict.MISSING
    return Verdict.HOLDS if set(verdicts) == {Verdict.HOLDS} else Verdict.OPEN
