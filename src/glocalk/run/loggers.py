"""The loggers of each stage, and the one that writes its metrics to a csv file."""

from __future__ import annotations

import csv
import logging
import os
from pathlib import Path
from typing import Any

import hydra.utils
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from glocalk.errors import GlocalkError, without_secrets
from glocalk.run.config import RunConfig
from glocalk.run.trackers.tracking import is_tracker

_log = logging.getLogger(__name__)

_EXTRAS = ("tensorboard",)  # loggers that need an extra of this name; trackers name theirs


def make_loggers(config: RunConfig, folder: Path, stage: str) -> list[Logger]:
    """Lightning's loggers that a run asks for, of one stage; trackers are not among them.

    Raises:
        GlocalkError: one of them cannot be made.
    """
    return [
        _make(name, node, folder, stage)
        for name, node in config.logger.items()
        if not is_tracker(node)
    ]


def _make(name: str, node: Any, folder: Path, stage: str) -> Logger:
    try:
        made: Logger = hydra.utils.instantiate(node, save_dir=folder, name=stage)
    except Exception as error:
        cause = error.__cause__ or error
        reason = without_secrets(str(cause).splitlines()[0] if str(cause) else type(cause).__name__)
        remedy = "install what it needs"
        if isinstance(cause, ImportError) and name in _EXTRAS:
            remedy = f"pip install 'glocalk[{name}]'"
        raise GlocalkError(
            f"logger={name} cannot be made ({reason.rstrip('.')}): {remedy}, or choose logger=csv."
        ) from error
    return made


class MetricsLogger(CSVLogger):
    """`metrics.csv` in `version_0`, which a resumed training continues.

    Lightning's own logger starts another file in another folder whenever a training is resumed.

    Args:
        save_dir: folder of the training.
        name: name of the stage.
    """

    def __init__(self, save_dir: str | Path, name: str) -> None:
        super().__init__(save_dir, name, version=0)

    @property
    @rank_zero_experiment
    def experiment(self) -> _Writer:
        if self._experiment is None:
            self._experiment = _Writer(log_dir=self.log_dir)
        assert isinstance(self._experiment, _Writer)
        return self._experiment

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of the file: how long it is."""
        if self._experiment is None:
            return {}
        self.save()
        return {"size": self.experiment.size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the file from the length that `state_dict` returned."""
        if state:
            self.experiment.continue_from(state["size"])


class _Writer(ExperimentWriter):
    """Begins a new file with its first row, unless it is told to continue the existing one."""

    _begun = False

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return Path(self.metrics_file_path).stat().st_size if self._begun else 0

    def continue_from(self, size: int) -> None:
        """Drop what the file has beyond `size`, and append to the rest."""
        path = Path(self.metrics_file_path)
        if not path.exists() or path.stat().st_size < size:
            _log.warning("'%s' is not complete: it has the rows from here on.", path)
            return
        os.truncate(path, size)
        with path.open(newline="", encoding="utf-8") as file:
            self.metrics_keys = next(csv.reader(file), [])
        self._begun = size > 0

    def save(self) -> None:
        if self.metrics and not self._begun:
            Path(self.metrics_file_path).unlink(missing_ok=True)
            self._begun = True
        super().save()

    def _check_log_dir_exists(self) -> None:
        """Keep the file of the training that this one continues."""
