"""Failures of a sweep, wherever its launcher makes the runs.

Hydra reports the first failure of a sweep alone, and a launcher's worker may print to a file. So
each failed run leaves a file in the folder of the sweep, and the command prints them at its end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from glocalk.errors import one_line
from glocalk.files import write_atomically

_BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


class _Sweep:
    """The sweep of this command, if its launcher has processes of its own."""

    folder: Path | None = None


class Failures(Callback):
    """Hydra's callback in the command and in the workers of its launcher."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Remember the folder; called in the command."""
        elsewhere = not in_this_process(config.hydra)
        _Sweep.folder = Path(config.hydra.sweep.dir) if elsewhere else None

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Write down a failure; called in a worker."""
        if job_return.status == JobStatus.FAILED and not in_this_process(config.hydra):
            folder, number = Path(config.hydra.sweep.dir), int(config.hydra.job.num)
            error = one_line(job_return._return_value)
            given = " ".join(config.hydra.overrides.task)
            write_atomically(folder / f"{number:06d}.failed", f"{given}: {error}\n")


def in_this_process(hydra: Any) -> bool:
    """Whether the run, or all runs of a sweep, are made in the process of the command.

    Args:
        hydra: Hydra's own options.
    """
    return bool(hydra.mode != RunMode.MULTIRUN or hydra.launcher._target_ == _BASIC)


def further_failures() -> list[str]:
    """What the runs that failed were given, and why; without the first, which Hydra reports."""
    if _Sweep.folder is None:
        return []
    paths = sorted(_Sweep.folder.glob("*.failed"))
    return [path.read_text(encoding="utf-8").strip() for path in paths[1:]]
