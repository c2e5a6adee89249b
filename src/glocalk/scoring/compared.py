"""The committed rows of a split beside predictions made elsewhere."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glocalk.data.splits import Split
from glocalk.records.identity import config_hash
from glocalk.records.run import Record
from glocalk.report.cells import is_default, model_title
from glocalk.report.kernels.traced import EXPERIMENT as ABLATIONS
from glocalk.report.load import CellKey, cell_of, load_committed, load_local
from glocalk.report.origins import knows_dates
from glocalk.report.points import changes_model
from glocalk.report.statistics.bootstrap import (
    Interval,
    percentile_interval,
    resampled_rmse,
    same_everywhere,
)
from glocalk.report.statistics.measured import Difference
from glocalk.report.statistics.paired import holm, paired_p_value
from glocalk.report.statistics.sample import Floats, Sample, refuse_others
from glocalk.run.revealing import RevealedSplit

PREFERRED, OTHERWISE = "validated", "last"

# The experiments with one row for each model: their rows stand for the same trainings of others.
_TABLES = ("table1", "around", "monti")

# Which seeds make a selection run changes no training on all training ratings.
_SELECTION = ("selection", "lowest_seed")


@dataclass(frozen=True)
class Row:
    """The runs of one cell, and how the predictions differ from them.

    Attributes:
        cell: what the runs have in common.
        title: the model in tables, with what makes it another row than that of Table 1.
        side_information: whether the model uses more than ratings.
        test_dates: whether the model knows the dates of ML-100K's test ratings.
        protocol: `validated`, or `last` where no run has it.
        seeds: number of runs.
        rmse: mean RMSE over seeds.
        sd: sample standard deviation over seeds; None for one seed.
        mae: mean over seeds.
        ndcg: mean over seeds; None where it is not defined.
        interval: 95 % interval of `rmse` over users.
        difference: RMSE of the predictions minus `rmse`.
        p_adjusted: p-value of the difference, by Holm's method adjusted for all rows.
    """

    cell: CellKey
    title: str
    side_information: bool
    test_dates: bool
    protocol: str
    seeds: int
    rmse: float
    sd: float | None
    mae: float
    ndcg: float | None
    interval: Interval
    difference: Difference
    p_adjusted: float


def records_of(folder: Path, split: Split) -> list[Record]:
    """The done records of a split in a folder of committed records, or of runs.

    Args:
        folder: `reports/records`, or the runs folder of this machine.
        split: the split.

    Raises:
        GlocalkError: a committed record is damaged, or two of them do not fit together.
    """
    to_fold_in = split.count if isinstance(split, RevealedSplit) else 0
    if any(folder.glob("*/record.json")) or (folder / "searches").is_dir():
        found = [run for run in load_local(folder).done if run.data_checksum == split.checksum]
    else:
        found = load_committed(folder, split.checksum).done
    return [run for run in found if _folded_in(run) == to_fold_in]


def _folded_in(run: Record) -> int:
    """How many ratings of each new user or item a run folded in, which no checksum is over."""
    protocol = run.config.get("protocol", {})
    return int(protocol["revealed"]) if protocol.get("fold_in") else 0


def is_variant(run: Record) -> bool:
    """Whether a run is of no row in a table of models.

    Its hyperparameters are others than the model's, it is an ablation, or it has a share of the
    training ratings. Options that chose the split do not count: all rows have the same one.
    """
    return changes_model(run) or run.experiment == ABLATIONS or run.train_share != 1


def cells_of(records: Iterable[Record]) -> dict[CellKey, list[Record]]:
    """The runs of each cell."""
    cells: dict[CellKey, list[Record]] = {}
    for record in records:
        cells.setdefault(cell_of(record), []).append(record)
    return cells


def without_repeated(records: Iterable[Record]) -> list[Record]:
    """The runs of one cell for each model with the same hyperparameters.

    Several experiments may train the same: a member of a combination is a row of Table 1, too. Of
    cells that agree in everything that can change a training but the seed, one is kept: with a
    result under `validated` before others, then that with the most seeds, then that of Table 1, of
    `around` or of `monti`, then the first by name. Errors are not compared, because those of the
    same training on another processor differ.

    Args:
        records: runs on the same split.
    """
    same: dict[str, list[list[Record]]] = {}
    for runs in cells_of(records).values():
        same.setdefault(_training(runs[0]), []).append(runs)
    return [run for cells in same.values() for run in min(cells, key=_precedence)]


def _training(run: Record) -> str:
    """Hash of everything that can change a training on a split, except the seed.

    Options of the data are not in it: they chose the split, and what the model takes from the data
    besides has its own checksum.
    """
    protocol = run.config.get("protocol", {})
    return config_hash(
        {
            "model": run.config["model"],
            "model_version": run.model_version,
            "side": run.side_checksum,
            "train_share": run.train_share,
            "trainer": run.config.get("trainer", {}),
            "protocol": {name: protocol[name] for name in protocol if name not in _SELECTION},
        }
    )


def _precedence(runs: Sequence[Record]) -> tuple[Any, ...]:
    """What the cells of the same training are sorted by: the first one is shown."""
    counted, protocol = _counted(runs)
    cell = cell_of(runs[0])
    seeds = 1 if runs[0].deterministic else len(counted)
    rank = _TABLES.index(cell.experiment) if cell.experiment in _TABLES else len(_TABLES)
    return protocol != PREFERRED, -seeds, rank, cell.experiment, cell.variant != "default", cell


def _counted(runs: Sequence[Record]) -> tuple[Sequence[Record], str]:
    """The runs of a cell that are compared, and the protocol."""
    validated = [run for run in runs if PREFERRED in run.protocols]
    return (validated, PREFERRED) if validated else (runs, OTHERWISE)


def compared(ours: Sample, records: Iterable[Record]) -> tuple[Interval, list[Row]]:
    """The interval of the predictions' RMSE, and every row in ascending order of RMSE.

    All are resampled by the same draws of users, as in `glocalk.report.statistics`.

    Args:
        ours: the errors of the predictions.
        records: runs on the same split.

    Raises:
        GlocalkError: a record has other test users than the predictions.
    """
    counted = [_counted(runs) for runs in cells_of(records).values()]
    samples = [(runs, protocol, Sample.of(runs, protocol)) for runs, protocol in counted]
    refuse_others([ours, *(sample for *_, sample in samples)])
    mine, *others = _resampled([ours, *(sample for *_, sample in samples)])
    differences = [
        Difference(
            estimate=same_everywhere(ours.mean - sample.mean),
            interval=percentile_interval(mine - theirs),
            p_value=paired_p_value([(1, ours), (-1, sample)]),
        )
        for (*_, sample), theirs in zip(samples, others, strict=True)
    ]
    adjusted = holm([difference.p_value for difference in differences])
    rows = [
        _row(runs, protocol, sample, percentile_interval(theirs), difference, p_adjusted)
        for (runs, protocol, sample), theirs, difference, p_adjusted in zip(
            samples, others, differences, adjusted, strict=True
        )
    ]
    return percentile_interval(mine), sorted(rows, key=lambda row: (row.rmse, row.cell))


def _resampled(samples: Sequence[Sample]) -> list[Floats]:
    """[resamples] Mean RMSE over seeds of each sample in every resample of the users."""
    made = resampled_rmse(samples[0].counts, np.column_stack([each.errors for each in samples]))
    ends = np.cumsum([sample.seeds for sample in samples])
    return [part.mean(axis=1) for part in np.split(made, ends[:-1], axis=1)]


def _row(
    runs: Sequence[Record],
    protocol: str,
    sample: Sample,
    interval: Interval,
    difference: Difference,
    p_adjusted: float,
) -> Row:
    results = [run.protocols[protocol] for run in runs]
    gains = [result.ndcg for result in results if result.ndcg is not None]
    return Row(
        cell=cell_of(runs[0]),
        title=_title(runs[0]),
        side_information=runs[0].side_information,
        test_dates=knows_dates(runs[0]),
        protocol=protocol,
        seeds=len(runs),
        rmse=sample.mean,
        sd=sample.sd if len(runs) > 1 else None,
        mae=statistics.fmean(result.mae for result in results),
        ndcg=statistics.fmean(gains) if len(gains) == len(results) else None,
        interval=interval,
        difference=difference,
        p_adjusted=p_adjusted,
    )


def _title(run: Record) -> str:
    """The model, and what makes it another row than that of Table 1."""
    what = [] if is_default(run) else [run.experiment]
    what += [] if run.train_share == 1 else [f"{run.train_share:.0%} of the training ratings"]
    what += [] if run.variant == "default" else [run.variant]
    return f"{model_title(run.model)} ({', '.join(what)})" if what else model_title(run.model)
