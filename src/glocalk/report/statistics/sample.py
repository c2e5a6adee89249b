"""The errors of test users that a figure is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glocalk.errors import GlocalkError
from glocalk.records.run import Record
from glocalk.report.load import CellKey, cell_of
from glocalk.report.published import results_of

# What a column of errors is: cell, seed, and key in the record's `user_errors`.
Column: TypeAlias = tuple[CellKey, int, str]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)  # a key of caches by identity, not by a comparison of arrays
class Sample:
    """Squared test errors of the users in some runs, one column per seed.

    Users without test ratings are left out: neither the RMSE nor its uncertainty depends on them,
    and the official split u1 of ML-100K has test ratings of 459 of 943 users only.

    Attributes:
        name: the runs in an error sentence.
        split: what the split is known by: the checksum of its ratings.
        counts: [users] number of test ratings, each above 0.
        errors: [users, seeds] sums of squared errors.
        deterministic: whether the result does not depend on the seed.
        columns: what each column is.
    """

    name: str
    split: str
    counts: Floats
    errors: Floats
    deterministic: bool = False
    columns: tuple[Column, ...] = ()

    @classmethod
    def of(cls, runs: Sequence[Record], protocol: str) -> Sample:
        """The errors of runs that differ in their seed only, all of which have the protocol."""
        first = runs[0]
        counts = np.array(first.user_counts, dtype=np.float64)
        keys = [results_of(run)[protocol].user_errors for run in runs]
        errors = np.array([run.user_errors[key] for run, key in zip(runs, keys, strict=True)])
        columns = [(cell_of(run), run.seed, key) for run, key in zip(runs, keys, strict=True)]
        tested = counts > 0
        return cls(
            name=f"{first.model} on {first.data}",
            split=first.data_checksum,
            counts=counts[tested],
            errors=errors.T[tested],
            deterministic=any(run.deterministic for run in runs),
            columns=tuple(columns),
        )

    @property
    def rmse(self) -> Floats:
        """[seeds] Pooled RMSE of each seed, √(Σ_u e_u / Σ_u n_u)."""
        pooled: Floats = np.sqrt(self.errors.sum(axis=0) / self.counts.sum())
        return pooled

    @property
    def mean(self) -> float:
        """Mean RMSE over seeds."""
        return float(self.rmse.mean())

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return int(self.errors.shape[1])

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds; 0 for a deterministic model, None for one seed."""
        if self.deterministic:
            return 0.0
        return float(self.rmse.std(ddof=1)) if self.seeds > 1 else None


Terms: TypeAlias = Sequence[tuple[float, Sample]]
"""Factor c_k and sample k of a sum Σ_k c_k · R_k of mean RMSE."""


def refuse_others(samples: Sequence[Sample]) -> None:
    """Refuse to compare samples that differ in more than the errors.

    Raises:
        GlocalkError: the samples are not of the same split and the same users.
    """
    first = samples[0]
    for other in samples[1:]:
        if other.split != first.split or not np.array_equal(other.counts, first.counts):
            raise GlocalkError(
                f"The records of {first.name} and of {other.name} cannot be compared: they were "
                "made on different splits or test users; run one of them again."
            )
