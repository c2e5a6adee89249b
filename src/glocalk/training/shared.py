"""Stages that several trainings have in common: trained once, and kept in a folder for the others.

Trainings that differ only in what comes after their first stage, or in its number of epochs, make
the same first epochs. `StageStore` keeps the state after some of these epochs; a training that
finds such a state continues from it as from a checkpoint of its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
from filelock import FileLock, Timeout
from lightning.pytorch.callbacks import Callback
from torch import nn

from glocalk.training.checkpoints import (
    PARTS,
    AtomicCheckpoints,
    DamagedCheckpointError,
)

_log = logging.getLogger(__name__)

_EVERY = 10  # epochs; the state after the last epoch of a stage is kept too
_KEY = "shared"  # of a checkpoint's entry that says what its state depends on


@dataclass(frozen=True)
class SharedStages:
    """Where trainings keep the stages that they have in common.

    Attributes:
        folder: the folder of all of them.
        training: all that a stage depends on besides its `SharedPart` and the seed: ratings,
            Trainer options, threads and the like, as JSON values.
    """

    folder: Path
    training: Mapping[str, Any]


@dataclass(frozen=True)
class SharedStage:
    """A first stage whose epochs other trainings can take over.

    Attributes:
        name: name of the stage.
        options: everything of the completer that these epochs depend on, as JSON values, except
            their number.
    """

    name: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class SharedPart:
    """What other trainings can take from a stage, which must be the first of its training.

    Attributes:
        module: the part of the stage's module that the stage trains. All other parameters keep
            their initial values in this stage, and are not taken over.
        options: everything that the training of this part depends on, as JSON values, except the
            number of epochs.
    """

    module: nn.Module
    options: Mapping[str, Any]


class StageStore:
    """The states of one stage after some of its epochs, as files `epoch_0010.ckpt`.

    They lie in a folder whose name is a hash of all that they depend on. Any of them may be
    removed at any time: its epochs are then trained.

    Args:
        shared: the folder of all stores, and what the training depends on.
        seed: seed of the training.
        stage: name of the stage.
        module: module of the stage.
        part: the part of it that is shared.
    """

    def __init__(
        self,
        shared: SharedStages,
        seed: int,
        stage: str,
        module: lightning.LightningModule,
        part: SharedPart,
    ) -> None:
        depends_on = {
            "stage": stage,
            "seed": int(seed),
            "options": part.options,
            "training": shared.training,
        }
        text = json.dumps(depends_on, sort_keys=True, default=str)
        self.key = hashlib.sha256(text.encode()).hexdigest()
        self.folder = shared.folder / self.key[:16]
        self._stage, self._module = stage, module
        self._prefix = next(
            f"{name}." for name, inner in module.named_modules() if inner is part.module
        )

    def begin(
        self,
        checkpoint: Path,
        epochs: int,
        adopted: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Path | None:
        """Write a checkpoint from which the stage continues after the most epochs it can take.

        Args:
            checkpoint: the file to write; nothing is written if there are no shared epochs.
            epochs: number of epochs of the stage.
            adopted: makes the states of callbacks those of this training's.

        Returns:
            The file that the epochs come from, if there is one.
        """
        for made, path in sorted(self._kept(), reverse=True):
            if made > epochs:
                continue
            try:
                saved = self._read(path, made)
                saved["callbacks"] = adopted(saved["callbacks"])
            except FileNotFoundError:  # removed by someone
                continue
            except Exception as error:  # content that torch refuses raises errors of many kinds
                why = f"cannot be read ({error})" if isinstance(error, OSError) else "is damaged"
                _log.warning("'%s' %s, so it was removed: its epochs are trained.", path, why)
                with suppress(OSError):
                    path.unlink()
                continue
            AtomicCheckpoints().save_checkpoint(saved, checkpoint)
            _log.info("The first %d epochs of %s are taken from '%s'.", made, self._stage, path)
            return path
        return None

    def keep(self, trainer: lightning.Trainer, epochs: int) -> None:
        """Keep the state after `epochs` epochs, unless that is done or being done.

        A state that cannot be written is none that the training needs, so it goes on.
        """
        path = self.folder / f"epoch_{epochs:04d}.ckpt"
        if path.exists():
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock", timeout=0):
                for leftover in self.folder.glob(".*.ckpt.*"):  # of a process that was killed
                    leftover.unlink()
                trainer.save_checkpoint(path)
        except Timeout:  # another process is writing what this one would write
            return
        except OSError as error:
            _log.warning(
                "'%s' cannot be written (%s): %s is not shared.", path, error.strerror, self._stage
            )

    def _kept(self) -> list[tuple[int, Path]]:
        """Number of epochs and path of each file."""
        found = ((path.stem.removeprefix("epoch_"), path) for path in self.folder.glob("*.ckpt"))
        return [(int(number), path) for number, path in found if number.isdecimal()]

    def _read(self, path: Path, epochs: int) -> dict[str, Any]:
        """The checkpoint at `path`, with this module's own values outside of the shared part.

        Raises:
            FileNotFoundError: there is none.
            Exception: it is damaged or another one; what is raised depends on the damage.
        """
        if not path.exists():
            raise FileNotFoundError(path)
        saved = AtomicCheckpoints().load_checkpoint(path)
        state = dict(self._module.state_dict())
        taken = {
            name: value
            for name, value in saved["state_dict"].items()
            if name.startswith(self._prefix)
        }
        fits = (
            saved.keys() >= PARTS
            and (saved[_KEY], saved["epoch"]) == (self.key, epochs - 1)
            and taken.keys() == {name for name in state if name.startswith(self._prefix)}
            and all(value.shape == state[name].shape for name, value in taken.items())
        )
        if not fits:
            raise DamagedCheckpointError(path)
        saved["state_dict"] = {**state, **taken}
        return saved


class KeepsShared(Callback):
    """Keeps the state of a stage every few epochs and at its end; called after the observer.

    Args:
        store: where.
    """

    def __init__(self, store: StageStore) -> None:
        self._store = store

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        del trainer, pl_module
        checkpoint[_KEY] = self._store.key

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        del pl_module
        epochs = trainer.current_epoch + 1
        if epochs % _EVERY == 0 or trainer.should_stop or epochs == trainer.max_epochs:
            self._store.keep(trainer, epochs)
