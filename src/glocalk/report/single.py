"""The best model of a data set that is no combination."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from glocalk.records.run import Record
from glocalk.report.load import CellKey, cell_of
from glocalk.report.points import Point, changes_model

# Experiments whose rows are single models with their hyperparameters and all training ratings; a
# run of the second group stands for a model that the first has no row of.
_ROWS = ("table1", "around", "monti", "tuned")
_OTHERWISE = ("combined",)


def single_models(runs: Iterable[Record]) -> list[Record]:
    """The runs of models in tables, of which none is a combination or a variant of a model."""
    kept = [
        run
        for run in runs
        if run.train_share == 1
        and run.experiment in _ROWS + _OTHERWISE
        and not (run.members or changes_model(run))
    ]
    of_rows = {_place(run) for run in kept if run.experiment in _ROWS}
    return [run for run in kept if run.experiment in _ROWS or _place(run) not in of_rows]


def experiments_of(singles: Iterable[Record]) -> list[str]:
    """The experiments of single models, in order, as code."""
    found = {run.experiment for run in singles}
    return [f"`{name}`" for name in _ROWS + _OTHERWISE if name in found]


def best_single(beside: Record, protocol: str, singles: Sequence[Record]) -> tuple[CellKey, Point]:
    """The row with the lowest mean test error of those that know no more than a run.

    Beside a run without side information, rows with it are left out.

    Args:
        beside: the run.
        protocol: the protocol of the errors.
        singles: what `single_models` returned.

    Returns:
        What its runs have in common, and those that have the protocol; the key of `beside` and no
        runs where there is no such row.
    """
    cells: dict[CellKey, list[Record]] = {}
    for run in singles:
        same_ratings = (run.data, run.data_checksum) == (beside.data, beside.data_checksum)
        knows_more = run.side_information and not beside.side_information
        if same_ratings and not knows_more and protocol in run.protocols:
            cells.setdefault(cell_of(run), []).append(run)
    points = [
        (cell, Point(tuple(sorted(made, key=lambda run: run.seed))))
        for cell, made in sorted(cells.items())
    ]
    found = [(point.mean(protocol), cell, point) for cell, point in points]
    best = min(
        ((mean, cell, point) for mean, cell, point in found if mean is not None),
        key=lambda row: row[0],
        default=None,
    )
    return (cell_of(beside), Point(())) if best is None else best[1:]


def _place(run: Record) -> tuple[str, str, str]:
    return run.data, run.data_checksum, run.model
