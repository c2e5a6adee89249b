"""Points of tables and curves: runs that differ in the seed alone."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glocalk.records.run import Record
from glocalk.report.layout import number
from glocalk.report.published import results_of

_OF_MODEL = re.compile(r"(^|,)[+~]*(model\.|settings([=,]|$))")  # in a variant
POINT_COLUMNS = (
    *("best_test_mean", "best_test_sd", "validated_mean", "validated_sd"),
    *("last_mean", "last_sd", "seeds"),
)


@dataclass(frozen=True)
class Point:
    """Runs that differ in the seed alone.

    Attributes:
        runs: in order of seed; empty where there are none.
    """

    runs: tuple[Record, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs."""
        return tuple(run.seed for run in self.runs)

    @property
    def deterministic(self) -> bool:
        """Whether the result does not depend on the seed."""
        return any(run.deterministic for run in self.runs)

    def by_seed(self, protocol: str) -> dict[int, float]:
        """Test RMSE of each seed that has the protocol."""
        results = {run.seed: results_of(run) for run in self.runs}
        return {seed: of[protocol].rmse for seed, of in results.items() if protocol in of}

    def mean(self, protocol: str) -> float | None:
        """Mean test RMSE over the seeds that have the protocol; None where none has."""
        values = self.by_seed(protocol).values()
        return statistics.fmean(values) if values else None

    def sd(self, protocol: str) -> float | None:
        """Sample standard deviation over seeds; None for one seed or a deterministic model."""
        values = self.by_seed(protocol).values()
        return statistics.stdev(values) if len(values) > 1 and not self.deterministic else None

    def minus(self, other: Point, protocol: str) -> float | None:
        """Mean difference to `other` over the seeds that both have; None where there are none."""
        mine, others = self.by_seed(protocol), other.by_seed(protocol)
        common = mine.keys() & others.keys()
        if not common:
            return None
        return statistics.fmean(mine[seed] - others[seed] for seed in sorted(common))


def find_point(
    records: Iterable[Record],
    experiment: str,
    data: str,
    model: str,
    variant: str = "default",
    train_share: float = 1.0,
) -> Point:
    """The runs of one point among all records."""
    labels = (experiment, data, model, variant, train_share)
    found = [
        run
        for run in records
        if (run.experiment, run.data, run.model, run.variant, run.train_share) == labels
    ]
    return Point(tuple(sorted(found, key=lambda run: run.seed)))


def changed_options(run: Record) -> str:
    """What a run changes: `train_share=0.5,model.kernel_size=5`; empty for nothing."""
    share = [f"train_share={run.train_share:g}"] * (run.train_share != 1)
    options = [run.variant] * (run.variant != "default")
    return ",".join([*share, *options])


def changes_model(run: Record) -> bool:
    """Whether a variant has other options of the model; those of data and protocol do not count."""
    return _OF_MODEL.search(run.variant) is not None


def point_values(point: Point) -> list[str]:
    """The values of `POINT_COLUMNS` in a csv."""
    figures = (
        number(figure(protocol))
        for protocol in ("best_test", "validated", "last")
        for figure in (point.mean, point.sd)
    )
    return [*figures, " ".join(map(str, point.seeds))]


def cost_notes(points: Sequence[Point]) -> list[str]:
    """Notes on runs without a selection run: `validated` is at another seed's epoch, or missing."""
    # A run may stand in several points, as that of Table 1 does in each option of Table 2.
    runs = {id(run): run for point in points for run in point.runs}.values()
    lenders = sorted(
        {run.validated_epoch_from_seed for run in runs if run.validated_epoch_from_seed is not None}
    )
    notes = [
        f"Cost rule: {_count(runs, lender)} of the {len(runs)} runs made no selection run "
        f"(`protocol.selection=lowest_seed`); they take the `validated` epoch of seed {lender} at "
        "the same point."
        for lender in lenders
    ]
    if without := sum("validated" not in run.protocols for run in runs):
        notes.append(
            f"Cost rule: {without} of the {len(runs)} runs made no selection run "
            "(`protocol.selection=never`); they have no `validated` figure."
        )
    return notes


def _count(runs: Iterable[Record], lender: int) -> int:
    return sum(run.validated_epoch_from_seed == lender for run in runs)
