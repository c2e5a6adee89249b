"""Scores predictions made elsewhere as the test predictions of a run are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from glocalk.data.rating_matrix import Values
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.metrics import (
    eccentricity_area,
    errors_by_group,
    evaluate,
    ranking_at,
    why_no_ndcg,
)
from glocalk.records.run import Record
from glocalk.report.origins import DATES_NOTE
from glocalk.report.statistics.bootstrap import Interval
from glocalk.report.statistics.sample import Sample
from glocalk.scoring.compared import (
    Row,
    cells_of,
    compared,
    is_variant,
    records_of,
    without_repeated,
)
from glocalk.scoring.order import suspicions

_DECIMALS = 6  # of a user's sum of squared errors in a record

COLUMNS = (
    *("title", "model", "experiment", "variant", "train_share", "side_information"),
    *("protocol", "seeds"),
    *("rmse", "sd", "low", "high", "mae", "ndcg"),
    *("difference", "difference_low", "difference_high", "p_adjusted"),
)
"""Columns of `Score.comparisons`."""


@dataclass(frozen=True, eq=False)
class Score:
    """How far predictions are from the test ratings of a split, and how they compare.

    Attributes:
        name: what the predictions are called.
        data: what the data set is called.
        split: name of the split.
        data_checksum: of the split, as in the records of runs on it.
        scale: (lowest, highest) possible rating.
        ratings: number of test ratings.
        users: number of users with test ratings.
        clipped: number of predictions that were clipped to the scale; None if none is.
        rmse: root mean squared error, in rating units.
        mae: mean absolute error, in rating units.
        ndcg: in 0 … 1; None where it is not defined.
        interval: (low, high), the 95 % interval of `rmse` by a bootstrap over users.
        rows: the committed rows of the same split, in ascending order of RMSE.
        notes: what was noticed, sentences.
        groups: errors of groups of ratings, see `glocalk.metrics.errors_by_group`; None if they
            were not asked for.
        eauc: see `glocalk.metrics.eccentricity_area`; None likewise.
        ranking: see `glocalk.metrics.ranking_at`; None if it was not asked for.
    """

    name: str
    data: str
    split: str
    data_checksum: str
    scale: tuple[float, float]
    ratings: int
    users: int
    clipped: int | None
    rmse: float
    mae: float
    ndcg: float | None
    interval: Interval
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    groups: pd.DataFrame | None = None
    eauc: float | None = None
    ranking: Mapping[str, float] | None = None

    @property
    def comparisons(self) -> pd.DataFrame:
        """One line for each committed row of the same split, in ascending order of RMSE.

        `side_information` says whether the model uses more than ratings.
        `difference` is the RMSE of the predictions minus that of the row: negative where the
        predictions are better. `difference_low` and `difference_high` are its 95 % interval over
        users, `p_adjusted` the p-value of a paired test, adjusted for all rows.
        """
        return pd.DataFrame([_values(row) for row in self.rows], columns=list(COLUMNS))


def score_predictions(
    predicted: Values,
    split: Split,
    *,
    name: str,
    data: str,
    clip: bool = True,
    records: Path | None = None,
    variants: bool = False,
    groups: int | None = None,
    k: int | None = None,
) -> Score:
    """Score predictions, and compare them with the committed rows of the same split.

    Args:
        predicted: [test ratings] finite predictions, in the order of `split.test`.
        split: the split; validation ratings are not held out.
        name: what the predictions are called.
        data: what the data set is called.
        clip: whether predictions are clipped to the rating scale first.
        records: folder of committed records, or of runs; None compares with nothing.
        variants: whether they are compared with variants too, see `is_variant`.
        groups: largest number of groups of users, and of items; None leaves errors by group out.
        k: length of the lists that are ranked; None leaves rankings out.

    Raises:
        GlocalkError: a committed record is damaged, or `groups` or `k` is impossible.
    """
    test = split.test
    given, clipped = predicted, None
    if clip:
        lowest, highest = test.scale
        clipped = int(np.count_nonzero((given < lowest) | (given > highest)))
        predicted = np.clip(given, lowest, highest)
    errors = evaluate(predicted, test)
    notes = [*suspicions(given, split)]
    counts = np.bincount(test.users, minlength=test.num_users).astype(np.float64)
    tested = counts > 0
    ours = Sample(
        name=name,
        split=split.checksum,
        counts=counts[tested],
        errors=errors.squared_errors.round(_DECIMALS)[tested, None],
    )
    found, why = _found(records, split, variants)
    interval, rows = compared(ours, found)
    users = len(ours.counts)
    if users == 1:
        notes.append("Warning: one user has all test ratings, so that no interval is known.")
    if why_not := why_no_ndcg(test):
        notes.append(why_not)
    if any(row.test_dates for row in rows):
        notes.append(DATES_NOTE)
    return Score(
        name=name,
        data=data,
        split=split.name,
        data_checksum=split.checksum,
        scale=test.scale,
        ratings=len(test),
        users=users,
        clipped=clipped,
        rmse=errors.rmse,
        mae=errors.mae,
        ndcg=errors.ndcg,
        interval=interval,
        rows=tuple(rows),
        notes=(*notes, *why),
        groups=None if groups is None else errors_by_group(predicted, test, split.train, groups),
        eauc=None if groups is None else eccentricity_area(predicted, test, split.train),
        ranking=None if k is None else ranking_at(k, predicted, test),
    )


def refuse_lacking(folder: Path) -> None:
    """Refuse a folder of records that was named, but does not exist.

    Raises:
        GlocalkError: there is no such folder.
    """
    if not folder.is_dir():
        raise GlocalkError(
            f"There is no folder '{folder}' of records to compare with: name another with "
            "records=…, or leave it out."
        )


def _found(
    folder: Path | None, split: Split, variants: bool
) -> tuple[Sequence[Record], tuple[str, ...]]:
    """The records to compare with, and how many rows are left out or why there are none."""
    if folder is None:
        return (), ("Nothing was compared: name a folder of records to compare with.",)
    if not folder.is_dir():
        return (), (
            f"Nothing was compared, because there is no folder '{folder}': the committed records "
            "are in a checkout of glocalk, and records=… names their folder.",
        )
    records = records_of(folder, split)
    if records:
        kept = [run for run in records if variants or not is_variant(run)]
        once = without_repeated(kept)
        rows = [len(cells_of(runs)) for runs in (records, kept, once)]
        return once, (*_repeated(rows[1] - rows[2]), *_left_out(rows[0] - rows[1]))
    return (), (
        f"Nothing was compared, because no record in '{folder}' is of this split "
        f"(checksum {split.checksum[:12]}…).",
    )


def _repeated(rows: int) -> tuple[str, ...]:
    """A sentence on rows that repeat others; none without such rows."""
    what = "row is of a training" if rows == 1 else "rows are of trainings"
    sentence = (
        f"{rows} further {what} that the table has. Each training is compared once: by a row with "
        "a result under 'validated' before others, then by the one with the most seeds."
    )
    return (sentence,) if rows else ()


def _left_out(rows: int) -> tuple[str, ...]:
    """A sentence on variants that are left out; none without them."""
    what, adds = ("row is", "it") if rows == 1 else ("rows are", "them")
    sentence = (
        f"{rows} further {what} left out, of other hyperparameters, ablations or shares of the "
        f"training ratings: variants=true adds {adds}."
    )
    return (sentence,) if rows else ()


def _values(row: Row) -> dict[str, object]:
    cell, minus = row.cell, row.difference
    values = (
        *(row.title, cell.model, cell.experiment, cell.variant, cell.train_share),
        *(row.side_information, row.protocol, row.seeds),
        *(row.rmse, row.sd, *row.interval, row.mae, row.ndcg),
        *(minus.estimate, *minus.interval, row.p_adjusted),
    )
    return dict(zip(COLUMNS, values, strict=True))
