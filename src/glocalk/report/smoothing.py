"""Whether smoothed validation curves choose better epochs, judged on held-out training ratings.

Each seed's selection run holds out other ratings. The epoch that one seed's curve chooses is
therefore judged by the curves of the other seeds at that epoch, and no test rating is used.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glocalk.records.run import Curves
from glocalk.report.cells import Cell, data_title
from glocalk.report.layout import csv_text, difference, markdown_table, number, rmse
from glocalk.report.parts import Files, Sources
from glocalk.report.statistics.few import t_interval
from glocalk.report.statistics.sample import Floats

WIDTH = 5  # epochs of the centered mean

COLUMNS = ("model", "data", "seeds", "epochs_raw", "epochs_smoothed", "difference")


@dataclass(frozen=True)
class Trial:
    """What smoothing changes for one model on one data set.

    Attributes:
        cell: the model on the data set.
        seeds: number of seeds with a selection run.
        raw: the epoch that each seed's curve chooses.
        smoothed: the same for its smoothed curve.
        difference: error at `smoothed` minus error at `raw`, on the other seeds' held-out ratings,
            mean over seeds.
    """

    cell: Cell
    seeds: int
    raw: tuple[int, ...]
    smoothed: tuple[int, ...]
    difference: float


@dataclass(frozen=True)
class Outcome:
    """The mean difference over cells, and what it says.

    Attributes:
        mean: mean over cells; above 0, smoothing chooses worse epochs.
        error: its standard error; None for one cell.
        better: number of cells in which smoothing lowers the error.
        worse: number of cells in which it raises it.
        helps: whether the 95 % interval of the mean (Student's t, cells as units) lies below 0.
    """

    mean: float
    error: float | None
    better: int
    worse: int
    helps: bool


def smoothing_files(sources: Sources) -> Files:
    """`smoothing.md` and `smoothing.csv`; none without a cell of two seeds with selection runs."""
    trials = [made for cell in sources.cells if (made := try_smoothing(cell)) is not None]
    if not trials:
        return {}
    return {"smoothing.csv": _csv(trials), "smoothing.md": _markdown(trials)}


def smoothed(curve: Sequence[float], width: int = WIDTH) -> Floats:
    """The centered mean over `width` epochs; over fewer at the ends, where epochs lack."""
    values, reach = np.asarray(curve, dtype=np.float64), width // 2
    means = [values[max(0, at - reach) : at + reach + 1].mean() for at in range(len(values))]
    return np.array(means)


def try_smoothing(cell: Cell) -> Trial | None:
    """The trial of one cell; None with fewer than two seeds that chose among the same epochs."""
    curves = [curve for run in cell.runs if (curve := _validation(run.curves)) is not None]
    if len(curves) < 2 or any(epochs != curves[0][0] for epochs, _ in curves):
        return None
    epochs = curves[0][0]
    errors = np.array([curve for _, curve in curves])  # [seeds, epochs]
    raw = [int(curve.argmin()) for curve in errors]
    smooth = [int(smoothed(curve).argmin()) for curve in errors]
    differences = []
    for seed, (at_raw, at_smooth) in enumerate(zip(raw, smooth, strict=True)):
        others = np.delete(errors, seed, axis=0)
        differences.append(others[:, at_smooth].mean() - others[:, at_raw].mean())
    return Trial(
        cell,
        len(errors),
        tuple(epochs[at] for at in raw),
        tuple(epochs[at] for at in smooth),
        float(np.mean(differences)),
    )


def outcome(differences: Sequence[float]) -> Outcome:
    """The outcome over the cells' differences."""
    mean, cells = statistics.fmean(differences), len(differences)
    error = statistics.stdev(differences) / math.sqrt(cells) if cells > 1 else None
    interval = t_interval(differences)
    return Outcome(
        mean=mean,
        error=error,
        better=sum(value < 0 for value in differences),
        worse=sum(value > 0 for value in differences),
        helps=interval is not None and interval.high < 0,
    )


def _validation(curves: dict[str, Curves]) -> tuple[list[int], list[float]] | None:
    """Epochs of the selection run's last stage and its validation RMSE there."""
    selection = curves.get("selection")
    if selection is None:
        return None
    size = len(selection.last_epochs)
    epochs = [epoch for epoch in selection.last_epochs if epoch is not None]
    errors = [error for error in selection.valid_rmse[-size:] if error is not None]
    return (epochs, errors) if size == len(epochs) == len(errors) > 1 else None


def _csv(trials: Sequence[Trial]) -> str:
    return csv_text(
        COLUMNS,
        (
            [
                trial.cell.model,
                trial.cell.data,
                str(trial.seeds),
                " ".join(map(str, trial.raw)),
                " ".join(map(str, trial.smoothed)),
                number(trial.difference),
            ]
            for trial in trials
        ),
    )


def _markdown(trials: Sequence[Trial]) -> str:
    header = ["Model", "Data", "Seeds", "Raw", "Smoothed", "Difference"]
    rows = (
        [
            trial.cell.title,
            data_title(trial.cell.data),
            str(trial.seeds),
            ", ".join(map(str, trial.raw)),
            ", ".join(map(str, trial.smoothed)),
            difference(trial.difference, digits=5),
        ]
        for trial in trials
    )
    return f"""# Smoothing of validation curves

Would `validated` choose better epochs by the minimum of the validation curve smoothed over {WIDTH}
epochs (a centered mean) than by the minimum of the curve itself? Each seed holds out other training
ratings. The epochs of the two minima, *raw* and *smoothed*, are compared by the RMSE of the other
seeds' selection runs on their held-out ratings at these epochs. No test rating is used.
*Difference*: smoothed minus raw, mean over seeds; below 0, smoothing is better. Epochs are those of
the last stage, one for each seed.

{_conclusion(outcome([trial.difference for trial in trials]), len(trials))}

{markdown_table(header, rows, left=2)}"""


def _conclusion(found: Outcome, cells: int) -> str:
    error = "" if found.error is None else f" ± {rmse(found.error, 5)} (standard error)"
    decision = (
        "Smoothing chooses better epochs: the 95 % interval of the mean lies below 0."
        if found.helps
        else "This shows no gain, so `validated` takes the minimum of the raw curve."
    )
    same = cells - found.better - found.worse
    return (
        f"**Over {cells} pairs of a model and a data set, smoothing changes the error by "
        f"{difference(found.mean, digits=5)}{error}: it is better in {found.better}, worse in "
        f"{found.worse} and the same in {same}. {decision}**"
    )
