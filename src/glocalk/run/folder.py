"""The folder of one run: where it lies, who may work in it, what it holds."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from glocalk.errors import GlocalkError
from glocalk.inference.model_file import MODEL_FILE
from glocalk.records.run import Record

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunFolder:
    """The folder `runs_dir/<name>`.

    Attributes:
        runs_dir: folder of all runs.
        name: `<data>-<model>-<key>-seed<seed>`, `key` a hash of config, data and model version:
            what lies there belongs to this run and to no other.
        title: the run in sentences.
    """

    runs_dir: Path
    name: str
    title: str

    @property
    def path(self) -> Path:
        """The folder."""
        return self.runs_dir / self.name

    @property
    def record(self) -> Path:
        """The record."""
        return self.path / "record.json"

    @property
    def model(self) -> Path:
        """The model file."""
        return self.path / MODEL_FILE

    def lock(self) -> FileLock:
        """The lock that the one process working on this run holds; waits for another's.

        Raises:
            GlocalkError: the runs folder cannot be written to.
        """
        path = self.runs_dir / ".locks" / f"{self.name}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                _log.info("%s is already running in another process: waiting for it.", self.title)
                lock.acquire()
        except OSError as error:
            raise GlocalkError(
                f"The runs folder '{self.runs_dir}' cannot be written to "
                f"({error.strerror}): choose another with runs_dir=…"
            ) from error
        return lock

    def held_record(self) -> Record | None:
        """The complete record of a finished run, if there is one."""
        if not self.record.exists():
            return None
        try:
            record = Record.read(self.record)
        except GlocalkError as error:
            _log.warning("%s", error)
            return None
        return record if record.status == "done" else None

    def clear(self) -> None:
        """Remove everything."""
        if self.path.exists():
            shutil.rmtree(self.path)

    def remove_leftovers(self) -> None:
        """Remove what a killed process was writing; call it under the lock."""
        for pattern in ("*/.*.ckpt.*", ".record.json.*", f".{MODEL_FILE}.*"):
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)

    def remove_checkpoints(self) -> None:
        """Remove the checkpoints: once the record is there, nothing is left to resume."""
        for checkpoint in self.path.glob("*/*.ckpt*"):
            checkpoint.unlink()
