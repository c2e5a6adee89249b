"""The progress display of a run: training, stage, epoch, errors, time left."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from glocalk.metrics import Errors
from glocalk.records.run import RunName

_log = logging.getLogger(__name__)
_LINE_EVERY = 10  # epochs, outside a terminal


class EpochProgress:
    """A bar over all epochs of all trainings in a terminal, a line every few epochs elsewhere.

    A listener of monitors, and a context manager around the run.

    Args:
        title: names the run, as in `ml_100k glocal_k seed 0`.
        schedule: number of epochs of each stage of one training.
        trainings: how many trainings the run makes.
        shown: False shows nothing.
    """

    def __init__(
        self, title: str, schedule: dict[str, int], trainings: int, shown: bool = True
    ) -> None:
        self.title, self.schedule, self.trainings, self.shown = title, schedule, trainings, shown
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[errors]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not (shown and console.is_terminal and schedule),
        )
        self._task = self._bar.add_task(
            title, total=trainings * sum(schedule.values()) or None, errors=""
        )
        self._training: RunName = "final"

    def training_started(self, name: RunName) -> None:
        """The training `name` starts, or continues."""
        self._training = name
        self._bar.update(self._task, completed=self._epochs_before(name))

    def epoch_ended(
        self, stage: str, epoch: int | None, test: Errors, valid: Errors | None
    ) -> None:
        """Show the errors of an epoch."""
        if epoch is None:
            return
        names = list(self.schedule)
        stages_before = sum(self.schedule[name] for name in names[: names.index(stage)])
        of = self.schedule[stage]
        where = f"{self.title} · {self._training} run · {stage} {epoch}/{of}"
        errors = f"test {test.rmse:.4f}" + (f" valid {valid.rmse:.4f}" if valid else "")
        self._bar.update(
            self._task,
            description=where,
            errors=errors,
            completed=self._epochs_before(self._training) + stages_before + epoch,
        )
        if self.shown and self._bar.disable and (epoch % _LINE_EVERY == 0 or epoch == of):
            _log.info("%s · %s", where, errors)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def _epochs_before(self, name: RunName) -> int:
        # The final run comes last, whether or not there is a selection run.
        before = self.trainings - 1 if name == "final" else 0
        return before * sum(self.schedule.values())
