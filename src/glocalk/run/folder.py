"""The folder of one run: its path, its lock, its files."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from glocalk.errors import GlocalkError
from glocalk.inference.model_file import MODEL_FILE
from glocalk.names import inside, refuse_links
from glocalk.records.identity import run_folder
from glocalk.records.run import Record, RunName
from glocalk.records.schema import SCHEMA_VERSION, migrate_command, schema_of
from glocalk.run.predictions import PREDICTION_FILES

MEMBER_FILE = "member.pt"

_log = logging.getLogger(__name__)


def acquired(path: Path, title: str) -> AcquireReturnProxy[FileLock]:
    """Acquire a lock, after waiting for a process that holds it.

    Args:
        path: file of the lock.
        title: what it is for, in sentences.

    Returns:
        What releases it at the end of a `with` statement.
    """
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        _log.info("%s is already running in another process: waiting for it.", title)
        return lock.acquire()


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run in `runs_dir`.

    Attributes:
        runs_dir: folder of all runs.
        data: config name of the data set.
        model: config name of the model.
        key: a hash of config, data and model version, so that the folder belongs to this run and
            to no other.
        seed: seed of the run.
    """

    runs_dir: Path
    data: str
    model: str
    key: str
    seed: int

    @property
    def name(self) -> str:
        """Name of the folder."""
        return run_folder(self.data, self.model, self.key, self.seed)

    @property
    def title(self) -> str:
        """The run in sentences."""
        return f"{self.data} {self.model} seed {self.seed}"

    @property
    def path(self) -> Path:
        """The folder.

        Raises:
            GlocalkError: it is a link to a place outside of `runs_dir`.
        """
        return inside(self.runs_dir, self.name)

    @property
    def record(self) -> Path:
        """The record."""
        return self.path / "record.json"

    @property
    def model_file(self) -> Path:
        """The model file."""
        return self.path / MODEL_FILE

    @property
    def predictions(self) -> Path:
        """The test predictions of the final run."""
        return self.path / PREDICTION_FILES["last"]

    @property
    def member_file(self) -> Path:
        """What combinations take from the run, if it is one of their members."""
        return self.path / MEMBER_FILE

    def finished(self, training: RunName) -> Path:
        """What is kept of a finished training, until the run is finished too."""
        return self.path / f"{training}.ckpt"

    @property
    def trackers(self) -> Path:
        """The ids under which trackers know the trainings, if there are trackers."""
        return self.path / "trackers.json"

    @property
    def threads(self) -> Path:
        """What keeps the number of threads, until the run is finished."""
        return self.path / "threads.ckpt"

    def lock(self) -> AcquireReturnProxy[FileLock]:
        """Acquire the lock of this run, after waiting for a process that holds it.

        Returns:
            What releases it at the end of a `with` statement.

        Raises:
            GlocalkError: the runs folder cannot be written to, or its locks lie elsewhere.
        """
        path = inside(self.runs_dir, ".locks", f"{self.name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return acquired(path, self.title)
        except OSError as error:
            raise GlocalkError(
                f"The runs folder '{self.runs_dir}' cannot be written to "
                f"({error.strerror}): choose another with runs_dir=…"
            ) from error

    def held_record(self) -> Record | None:
        """The complete record of a finished run, if there is one."""
        if not self.record.exists():
            self._warn_of_older_records()
            return None
        try:
            record = Record.read(self.record)
        except GlocalkError as error:
            _log.warning("%s", error)
            return None
        if record.folder != self.name:
            _log.warning(
                "'%s' is the record of another run (%s), so it is ignored.",
                self.record,
                record.folder,
            )
            return None
        return record if record.status == "done" else None

    def _warn_of_older_records(self) -> None:
        """Warn of records of an older schema, which are in folders with other names.

        One of them may be this run's, which is trained again unless it is migrated first.
        """
        for path in sorted(self.runs_dir.glob(f"{self.data}-{self.model}-*-seed{self.seed}")):
            record = path / "record.json"
            found = schema_of(record)
            if found is not None and found < SCHEMA_VERSION:
                _log.warning(
                    "'%s' is a record of schema %d, which is not read: to use it, stop and run "
                    "`%s`.",
                    record,
                    found,
                    migrate_command(self.runs_dir),
                )
                return

    def clear(self) -> None:
        """Remove everything.

        Raises:
            GlocalkError: the folder is a link, whose target may belong to something else.
        """
        if self.path.is_symlink():
            raise GlocalkError(
                f"'{self.path}' is a link to another folder: remove the link, and start again."
            )
        if self.path.exists():
            shutil.rmtree(self.path)

    def refuse_links(self) -> None:
        """Refuse links through which a training would write or remove files elsewhere.

        Raises:
            GlocalkError: there is one.
        """
        refuse_links(self.path, *self._replaced)

    def remove_leftovers(self) -> None:
        """Remove what a killed process was writing; call it under the lock."""
        for pattern in ("*/.*.ckpt.*", ".*.ckpt.*", *(f".{name}.*" for name in self._replaced)):
            for path in self.path.glob(pattern):
                if not path.is_dir():
                    path.unlink(missing_ok=True)

    @property
    def _replaced(self) -> tuple[str, ...]:
        """Names of the files that a run replaces."""
        return (
            self.record.name,
            self.model_file.name,
            self.trackers.name,
            MEMBER_FILE,
            *PREDICTION_FILES.values(),
        )

    def remove_checkpoints(self, training: RunName | None = None) -> None:
        """Remove the checkpoints, of one training or, once the record exists, of all."""
        patterns = [f"{training}/*.ckpt*"] if training else ["*/*.ckpt*", "*.ckpt*"]
        for pattern in patterns:
            for checkpoint in self.path.glob(pattern):
                if not checkpoint.is_dir():
                    checkpoint.unlink()

    def how_it_continues(self) -> str:
        """A clause on what the next start of a run that was stopped does."""
        if self.record.exists() and self.held_record() is not None:
            return "the run is complete"
        if any(self.path.glob("*/*.ckpt")):
            return "the same command continues from the last checkpoint"
        if self.finished("final").exists():
            return "all trainings are finished, and the same command writes the record"
        if self.finished("selection").exists():
            return "the same command continues with the final run"
        return "the same command starts the run again"
