"""Stages: LightningModules that a completer trains one after another, each resumable."""

from __future__ import annotations

import gc
import hashlib
import io
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import nn
from torch.utils.data import DataLoader

from glocalk.completers.allocator import keep_what_is_freed, return_free_memory
from glocalk.completers.base import Training
from glocalk.completers.monitor import Predict
from glocalk.data.ratings import RatingMatrix
from glocalk.nn.formulation import Formulation, make_operator
from glocalk.nn.operators import RatingOperator

_log = logging.getLogger(__name__)


@dataclass
class Stage:
    """One LightningModule and how it is trained.

    Attributes:
        name: as in curves, checkpoints and logs.
        module: what is trained; logs the loss it minimises as `loss`.
        epochs: how many, at least 1.
        trainer: Trainer options of this stage, over those of the run.
    """

    name: str
    module: lightning.LightningModule
    epochs: int
    trainer: Mapping[str, Any] = field(default_factory=dict)


class FullBatch(lightning.LightningDataModule):
    """The whole rating matrix as the one batch of an epoch, an operator where the model is.

    Args:
        train: the ratings.
        formulation: how the operator computes, see `make_operator`.
    """

    def __init__(self, train: RatingMatrix, formulation: Formulation) -> None:
        super().__init__()
        self.train, self.formulation = train, formulation
        self._operators: dict[tuple[torch.device, torch.dtype], RatingOperator] = {}

    def train_dataloader(self) -> DataLoader[int]:
        # One batch, which the hook below puts the operator in the place of: Lightning would walk
        # through the matrix itself to convert its parts.
        return DataLoader([0], batch_size=None)  # type: ignore[arg-type]

    def transfer_batch_to_device(
        self, batch: int, device: torch.device, dataloader_idx: int
    ) -> RatingOperator:
        """Lightning's hook: the batch on the model's device is the operator there."""
        del batch, device, dataloader_idx  # there is one of each
        assert self.trainer is not None
        return self.operator(self.trainer.lightning_module)

    def operator(self, module: nn.Module) -> RatingOperator:
        """The operator on the device and in the precision of `module`, made once."""
        like = next(module.parameters())
        key = like.device, like.dtype
        if key not in self._operators:
            train = self.train
            self._operators[key] = make_operator(
                torch.tensor(train.users, device=like.device),
                torch.tensor(train.items, device=like.device),
                torch.tensor(train.ratings, device=like.device, dtype=like.dtype),
                (train.num_items, train.num_users),
                self.formulation,
            )
        return self._operators[key]


def run_stage(
    stage: Stage, data: lightning.LightningDataModule, training: Training, predict: Predict
) -> None:
    """Train `stage`, from its last checkpoint where `training.folder` holds one.

    After each epoch the monitor evaluates `predict`, and then a checkpoint replaces the last one
    where that is `training.checkpoint_seconds` old.
    A finished stage's checkpoint is loaded and nothing is trained. A damaged checkpoint is renamed
    to `….ckpt.damaged`, and the stage starts again.
    """
    return_free_memory()
    keep_what_is_freed()
    gc.freeze()  # the collection below need not look at what is there already
    callbacks: list[Callback] = [_Epochs(stage.name, training, predict)]
    checkpoint = None
    if training.folder is not None:
        checkpoint = training.folder / f"{stage.name}.ckpt"
        callbacks.append(
            _Checkpoints(
                training.checkpoint_seconds,
                dirpath=training.folder,
                filename=stage.name,
                enable_version_counter=False,
                save_on_train_epoch_end=True,
            )
        )
    options = {
        "max_epochs": stage.epochs,
        "logger": list(training.loggers.get(stage.name, ())),
        "enable_checkpointing": checkpoint is not None,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
        "num_sanity_val_steps": 0,
        **training.trainer,
        **stage.trainer,
    }
    trainer = lightning.Trainer(callbacks=callbacks, plugins=[AtomicCheckpoints()], **options)
    resume = checkpoint if checkpoint is not None and _usable(checkpoint) else None
    trainer.fit(stage.module, datamodule=data, ckpt_path=resume)
    # Lightning's objects hold each other, and the trainer the optimiser's vectors.
    stage.module.trainer = data.trainer = None
    del trainer
    gc.collect()
    gc.unfreeze()


class _Checkpoints(ModelCheckpoint):
    """Leaves out checkpoints that come too soon: an epoch may be shorter than writing it down."""

    def __init__(self, seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self.seconds, self.saved = seconds, time.monotonic()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        is_last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if is_last or time.monotonic() - self.saved >= self.seconds:
            super().on_train_epoch_end(trainer, pl_module)
            self.saved = time.monotonic()


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or absent: torch's format after a SHA-256 of it.

    Lightning writes to the system's temporary folder and moves the file, which copies it, not
    atomically, where that folder lies on another file system; and torch reads a file with flipped
    bits without complaint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write beside `path`, then replace it."""
        del storage_options
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                hashed = _Hashed(file)
                torch.save(checkpoint, cast(IO[bytes], hashed))  # writes are all it needs
                file.seek(0)
                file.write(hashed.digest.digest())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """What was saved.

        Raises:
            DamagedCheckpointError: the file is not what was written.
        """
        del weights_only  # nothing else is in there
        content = Path(path).read_bytes()
        digest, rest = (
            content[: hashlib.sha256().digest_size],
            content[hashlib.sha256().digest_size :],
        )
        if hashlib.sha256(rest).digest() != digest:
            raise DamagedCheckpointError(path)
        checkpoint: dict[str, Any] = torch.load(
            io.BytesIO(rest), map_location=map_location, weights_only=True
        )
        return checkpoint


class _Hashed(io.RawIOBase):
    """Writes to a file, after room for the SHA-256 of all that is written."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self.file, self.digest = file, hashlib.sha256()
        file.write(bytes(self.digest.digest_size))

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.digest.update(content)
        return self.file.write(content)


class DamagedCheckpointError(Exception):
    """A checkpoint does not hold what was written."""


def _usable(checkpoint: Path) -> bool:
    """Whether there is a checkpoint to go on from; a damaged one is set aside."""
    if not checkpoint.exists():
        return False
    try:
        AtomicCheckpoints().load_checkpoint(checkpoint)
    except DamagedCheckpointError:
        aside = checkpoint.with_name(f"{checkpoint.name}.damaged")
        checkpoint.replace(aside)
        _log.warning(
            "'%s' is damaged: set aside as '%s'; its stage starts again.", checkpoint, aside
        )
        return False
    return True


class _Epochs(Callback):
    """Tells the monitor of each epoch, logs what it found, and checkpoints its state.

    Every epoch starts from a seed of its own, so that a resumed stage draws what an
    uninterrupted one draws.
    """

    def __init__(self, stage: str, training: Training, predict: Predict) -> None:
        self.stage, self.training, self.predict = stage, training, predict

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        del pl_module
        entropy = [self.training.seed, trainer.current_epoch, *self.stage.encode()]
        lightning.seed_everything(
            int(np.random.SeedSequence(entropy).generate_state(1)[0]), verbose=False
        )

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        monitor = self.training.monitor
        loss = trainer.callback_metrics.get("loss")
        monitor.observe(
            self.stage,
            trainer.current_epoch + 1,
            self.predict,
            None if loss is None else float(loss),
        )
        row = monitor.last_row
        names = ("valid_rmse", "test_rmse", "test_mae", "test_ndcg")
        pl_module.log_dict({name: row[name] for name in names if row.get(name) is not None})

    def state_dict(self) -> dict[str, Any]:
        return self.training.monitor.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.training.monitor.load_state_dict(state_dict)
