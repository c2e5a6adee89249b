"""The table of trainings beside a program that keeps a core busy."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from glocalk.records.benchmark import BusyTraining
from glocalk.report.cells import data_title, model_title
from glocalk.report.layout import markdown_table


def busy_text(trainings: Sequence[BusyTraining]) -> str:
    """Return what was measured, and a row per training and way of waiting."""
    return (
        "Short trainings on all cores, alone and beside a program that keeps one core busy: median "
        "wall-clock seconds. The threads of a parallel loop wait for the slowest one. *Asleep*, "
        "which glocalk sets, they leave the core to it; *spinning*, GNU OpenMP's default, they do "
        "not.\n\n" + _table(trainings)
    )


def _table(trainings: Sequence[BusyTraining]) -> str:
    spinning = {_case(each): each for each in trainings if each.waiting == "spinning"}
    rows = []
    for each in trainings:
        alone, busy = statistics.median(each.seconds), statistics.median(each.busy_seconds)
        other = statistics.median(spinning[_case(each)].seconds)
        rows.append(
            [
                model_title(each.model),
                data_title(each.data),
                each.waiting,
                f"{alone:.2f}",
                f"{alone / other:.2f}",
                f"{busy:.2f}",
                f"{busy / alone:.2f}",
            ]
        )
    header = ["Model", "Data", "Threads wait", "Alone", "× spinning", "Beside", "× alone"]
    return markdown_table(header, rows, left=3)


def _case(training: BusyTraining) -> tuple[str, str]:
    return training.model, training.data
