"""The best model of a data set that is no combination."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from glocalk.records.run import Record
from glocalk.report.load import CellKey, cell_of
from glocalk.report.points import Point

# Experiments whose rows are single models with their hyperparameters and all training ratings; a
# run of the second group stands for a model that the first has no row of.
_ROWS = ("table1", "around", "monti", "tuned")
_OTHERWISE = ("combined",)


def single_models(runs: Iterable[Record]) -> list[Record]:
    """The runs of models in tables, of which none is a combination."""
    kept = [
        run
        for run in runs
        if (run.variant, run.train_share) == ("default", 1)
        and run.experiment in _ROWS + _OTHERWISE
        and not run.members
    ]
    of_rows = {(run.data, run.model) for run in kept if run.experiment in _ROWS}
    return [run for run in kept if run.experiment in _ROWS or (run.data, run.model) not in of_rows]


def best_single(beside: Record, protocol: str, runs: Sequence[Record]) -> tuple[CellKey, Point]:
    """The row with the lowest mean test error of those that know no more than a run.

    Beside a run without side information, rows with it are left out.

    Args:
        beside: the run.
        protocol: the protocol of the errors.
        runs: what `single_models` returned.

    Returns:
        What its runs have in common, and those that have the protocol; the key of `beside` and no
        runs where there is no such row.
    """
    cells: dict[CellKey, list[Record]] = {}
    for run in runs:
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
