"""The table of trainings beside a program that keeps a core busy."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from glocalk.records.benchmark import BusyTraining
from glocalk.report.cells import data_title, model_title
from glocalk.report.layout import markdown_table


def busy_text(trainings: Sequence[BusyTraining]) -> str:
    """Return what was measured, and a row for each training and choice of cores."""
    return (
        "Short trainings alone and beside a program that keeps one core busy: median wall-clock "
        "seconds. The threads of a parallel loop wait for the slowest one. A run therefore takes "
        "the cores that are *free* when it begins, unless `trainer.threads` says otherwise.\n\n"
        + _table(trainings)
    )


def _table(trainings: Sequence[BusyTraining]) -> str:
    on_all = {_case(each): each for each in trainings if each.cores == "all"}
    rows = []
    for each in trainings:
        alone, busy = statistics.median(each.seconds), statistics.median(each.busy_seconds)
        quickest = statistics.median(on_all[_case(each)].seconds)
        rows.append(
            [
                model_title(each.model),
                data_title(each.data),
                each.cores,
                *(f"{alone:.2f}", f"{alone / quickest:.2f}"),
                *(f"{busy:.2f}", f"{busy / quickest:.2f}"),
            ]
        )
    header = ["Model", "Data", "Cores", "Alone", "× all, alone", "Beside", "× all, alone"]
    return markdown_table(header, rows, left=3)


def _case(training: BusyTraining) -> tuple[str, str]:
    return training.model, training.data
