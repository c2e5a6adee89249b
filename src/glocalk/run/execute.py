"""One run: trainings under the protocols, one record."""

from __future__ import annotations

import logging
import shutil
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import hydra.utils
import numpy as np
import torch
from filelock import FileLock, Timeout
from lightning.pytorch.loggers import Logger

from glocalk.completers.base import Completer, Training
from glocalk.completers.monitor import Listener, Monitor
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.model_file import MODEL_FILE, ModelFile
from glocalk.records import Failure, ProtocolResult, Record
from glocalk.run import provenance
from glocalk.run.progress import EpochProgress
from glocalk.run.protocols import Trained, take_results, validated_epoch
from glocalk.run.settings import RunSettings, build_completer, build_source

_log = logging.getLogger(__name__)


def execute(settings: RunSettings) -> Record:
    """Train as `settings` say and write the record, or return the one that is there.

    A run that was killed goes on from its last checkpoint. Where another process is at the same
    run, this one waits for it and takes its record.

    Raises:
        GlocalkError: what a user can mend; a failed record says it too, as it does for any other
            exception.
    """
    run = _prepare(settings)
    with run.lock():
        held = run.held_record()
        if held is not None and not settings.force:
            _log.info("%s is in '%s' already.", run.title, run.folder)
            return held
        if settings.force and run.folder.exists():
            shutil.rmtree(run.folder)
        run.remove_leftovers()
        try:
            record = run.train()
            record.write(run.record_path)
        except OSError as error:
            where = f" at '{error.filename}'" if error.filename else ""
            stopped = GlocalkError(
                f"{run.title} stopped, for it cannot write ({error.strerror}{where}): make room or "
                "choose another folder with runs_dir=…, then start it again; it goes on from its "
                "last checkpoint."
            )
            run.write_failure(stopped)
            raise stopped from error
        except Exception as error:
            run.write_failure(error)
            raise
        run.remove_checkpoints()
        return record


def held_record(settings: RunSettings) -> Record | None:
    """The done record of this run in its runs folder, if there is one."""
    return _prepare(settings).held_record()


def _prepare(settings: RunSettings) -> _Run:
    completer = build_completer(settings.model)
    settings.check_trainer()
    try:
        split = build_source(settings.data).split(settings.data_dir)
    except GlocalkError as error:
        _Run(settings, completer, None).write_failure(error)
        raise
    return _Run(settings, completer, split)


def train_once(
    settings: RunSettings, split: Split, folder: Path, listeners: Sequence[Listener] = ()
) -> tuple[Completer, Monitor]:
    """One training on `split`, with checkpoints and logs in `folder`."""
    monitor = Monitor(split.test, split.valid, settings.protocol.clip, listeners)
    completer = build_completer(settings.model)
    training = Training(
        seed=settings.seed,
        monitor=monitor,
        folder=folder,
        checkpoint_seconds=settings.checkpoint_seconds,
        trainer=settings.trainer_options,
        loggers={stage: _loggers(settings, folder, stage) for stage in completer.schedule},
    )
    completer.fit(split.train, split.valid, training)
    if not completer.has_epochs:
        monitor.observe("fit", None, completer.predict)
    return completer, monitor


def _loggers(settings: RunSettings, folder: Path, stage: str) -> list[Logger]:
    try:
        return [
            hydra.utils.instantiate(node, save_dir=folder, name=stage)
            for node in settings.logger.values()
        ]
    except Exception as error:
        raise GlocalkError(
            f"A logger cannot be made ({str(error.__cause__ or error).splitlines()[0]}): "
            "install what it needs, or choose logger=csv."
        ) from error


@dataclass
class _Outcome:
    """What the trainings gave; empty in a failed run."""

    parameters: int | None = None
    trained: list[Trained] = field(default_factory=list)
    protocols: dict[str, ProtocolResult] = field(default_factory=dict)
    epoch_from_seed: int | None = None


class _Run:
    """A run, identified by its settings, its data and its model's version.

    Its folder is `runs_dir/<data>-<model>-<key>-seed<seed>`, `key` a hash of the three: what lies
    there belongs to this run and to no other.
    """

    def __init__(self, settings: RunSettings, completer: Completer, split: Split | None) -> None:
        self.settings, self.completer, self.split = settings, completer, split
        self.title = f"{settings.data_name} {settings.model_name} seed {settings.seed}"
        self.config_hash = provenance.config_hash(settings.identity)
        self.folder = self._folder(settings.seed)
        self.record_path = self.folder / "record.json"
        self.model_path = self.folder / MODEL_FILE
        self.commit, self.dirty = provenance.commit()

    def _folder(self, seed: int) -> Path:
        key = provenance.config_hash(
            {
                "config": self.config_hash,
                "data": self.split.checksum if self.split else None,
                "model_version": self.completer.model_version,
            }
        )
        names = f"{self.settings.data_name}-{self.settings.model_name}"
        return self.settings.runs_dir / f"{names}-{key[:12]}-seed{seed}"

    def lock(self) -> FileLock:
        """Held by the one process that is at this run; waits for another's."""
        path = self.settings.runs_dir / ".locks" / f"{self.folder.name}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                _log.info("%s is being run by another process: waiting for it.", self.title)
                lock.acquire()
        except OSError as error:
            raise GlocalkError(
                f"The runs folder '{self.settings.runs_dir}' cannot be written to "
                f"({error.strerror}): choose another with runs_dir=…"
            ) from error
        return lock

    def held_record(self) -> Record | None:
        """The whole, done record of this run, if there is one."""
        return _done_record(self.record_path)

    def train(self) -> Record:
        """Make the trainings and take the results."""
        quieten_lightning()
        provenance.reset_peak_memory()
        if self.settings.threads:
            torch.set_num_threads(self.settings.threads)
        outcome = _Outcome()
        chosen: int | None = None
        makes_training_1 = self.completer.has_epochs and self._may_hold_out()
        if makes_training_1 and self._takes_epoch_of_lowest_seed():
            makes_training_1 = False
            chosen = self._epoch_of_lowest_seed()
            outcome.epoch_from_seed = self.settings.protocol.lowest_seed
        trainings = 2 if makes_training_1 else 1
        with EpochProgress(
            self.title, self.completer.schedule, trainings, self.settings.progress
        ) as progress:
            training_1 = None
            if makes_training_1:
                training_1, _ = self._train_once(1, progress)
                chosen = validated_epoch(training_1)
            training_2, outcome.parameters = self._train_once(2, progress)
        outcome.trained = [training_2] if training_1 is None else [training_1, training_2]
        outcome.protocols = take_results(training_1, training_2, chosen, self.completer.official)
        return self._record(outcome)

    def _train_once(self, number: Literal[1, 2], progress: EpochProgress) -> tuple[Trained, int]:
        assert self.split is not None
        settings = self.settings
        split = self.split.keep(settings.train_share, settings.seed)
        if number == 1:
            split = split.hold_out(settings.protocol.valid_share, settings.seed)
        progress.training_started(number)
        folder = self.folder / f"training_{number}"
        completer, monitor = train_once(settings, split, folder, [progress])
        if number == 2:
            self._keep_model(completer, split)
        return Trained(number, monitor), completer.num_parameters

    def _keep_model(self, completer: Completer, split: Split) -> None:
        """Write the model file where it is wanted: before the record, which ends the run."""
        settings = self.settings
        if not settings.save_model:
            self.model_path.unlink(missing_ok=True)
            return
        ModelFile.of(
            completer,
            split,
            data=settings.data_name,
            model=settings.model,
            clip=settings.protocol.clip,
        ).write(self.model_path)

    def _may_hold_out(self) -> bool:
        if self.settings.protocol.training_1 != "never":
            return True
        if self.completer.official == "validated":
            raise GlocalkError(
                f"{self.title} is reported at the epoch that training 1 chooses: "
                "protocol.training_1 cannot be 'never'."
            )
        return False

    def _takes_epoch_of_lowest_seed(self) -> bool:
        protocol = self.settings.protocol
        return protocol.training_1 == "lowest_seed" and self.settings.seed != protocol.lowest_seed

    def _epoch_of_lowest_seed(self) -> int | None:
        seed = self.settings.protocol.lowest_seed
        record = _done_record(self._folder(seed) / "record.json")
        if record is None:
            raise GlocalkError(
                f"{self.title} takes its validated epoch from seed {seed}, which has no record in "
                f"'{self.settings.runs_dir}': run seed={seed} first, or set "
                "protocol.training_1=each_seed."
            )
        return record.protocols["validated"].rmse_epoch

    def write_failure(self, error: Exception) -> None:
        """Write the failed record; checkpoints stay, and the next start goes on from them."""
        text = "".join(traceback.format_exception(error))
        record = self._record(_Outcome(), Failure(message=str(error), traceback=text))
        try:
            record.write(self.record_path)
        except GlocalkError as unwritten:
            _log.warning("%s", unwritten)  # the error itself matters more

    def remove_leftovers(self) -> None:
        """Remove what a killed run was writing; no other process is at this run."""
        for pattern in ("training_*/.*.ckpt.*", ".record.json.*"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def remove_checkpoints(self) -> None:
        """Once the record is there, nothing is left to resume."""
        for checkpoint in self.folder.glob("training_*/*.ckpt*"):
            checkpoint.unlink()

    def _record(self, outcome: _Outcome, failure: Failure | None = None) -> Record:
        settings, completer = self.settings, self.completer
        user_errors = {}
        for trained in outcome.trained:
            for row in trained.last_stage:
                key = trained.errors_key(row)
                if any(result.user_errors == key for result in outcome.protocols.values()):
                    sums = trained.monitor.user_errors(row)
                    user_errors[key] = [round(float(value), 6) for value in sums]
        counts: list[int] = []
        if self.split and not failure:
            test = self.split.test
            counts = np.bincount(test.users, minlength=test.num_users).tolist()
        return Record(
            status="failed" if failure else "done",
            failure=failure,
            experiment=settings.experiment,
            data=settings.data_name,
            split=self.split.name if self.split else "",
            train_share=settings.train_share,
            model=settings.model_name,
            variant=settings.variant,
            settings_from=settings.settings_from,
            side_information=completer.side_information,
            seed=settings.seed,
            deterministic=completer.deterministic,
            budget=completer.budget,
            config=settings.identity,
            config_hash=self.config_hash,
            data_checksum=self.split.checksum if self.split else "",
            model_version=completer.model_version,
            commit=self.commit,
            dirty=self.dirty,
            versions=provenance.versions(),
            threads=torch.get_num_threads(),
            device=provenance.device(str(settings.trainer.get("accelerator"))),
            parameters=outcome.parameters,
            seconds=_seconds(outcome.trained),
            peak_rss_mb=provenance.peak_memory_mb(),
            curves={f"training_{t.number}": t.monitor.curves for t in outcome.trained},
            protocols=outcome.protocols,
            validated_epoch_from_seed=outcome.epoch_from_seed,
            user_counts=counts,
            user_errors=user_errors,
        )


def _seconds(trained: list[Trained]) -> dict[str, float]:
    """Seconds of each stage and of evaluation, of each training, and in all."""
    seconds = {"total": 0.0}
    for training in trained:
        name = f"training_{training.number}"
        parts = training.monitor.seconds
        seconds[name] = sum(parts.values())
        seconds["total"] += seconds[name]
        seconds |= {f"{name}/{part}": value for part, value in parts.items()}
    return {name: round(value, 3) for name, value in seconds.items()}


def _done_record(path: Path) -> Record | None:
    """The record at `path` if it is there, whole and done."""
    if not path.exists():
        return None
    try:
        record = Record.read(path)
    except GlocalkError as error:
        _log.warning("%s", error)
        return None
    return record if record.status == "done" else None


def quieten_lightning() -> None:
    """Keep Lightning's advice on loaders and folders, which does not apply here, off the screen."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*Experiment logs directory .* exists.*",
        ".*LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", message=message)
