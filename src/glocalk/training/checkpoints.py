"""Checkpoints that are complete or absent, and whose damage is detected."""

from __future__ import annotations

import logging
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from glocalk.errors import GlocalkError
from glocalk.files import is_sealed_zip, seal_zip, writing

_log = logging.getLogger(__name__)

PARTS = frozenset({"epoch", "global_step", "state_dict", "loops", "callbacks", "optimizer_states"})
"""What the checkpoint of a stage must have: of what it lacks of these, Lightning silently takes the
initial values."""


_SHARE = 0.03  # of the time of a training, which its checkpoints may take at most


class Cadence:
    """When a training writes its next checkpoint: large ones less often, at most 3 % of the time.

    Args:
        seconds: minimum time between two checkpoints; with 0 one is always due.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = time.monotonic() + seconds

    @property
    def due(self) -> bool:
        """Whether to write one now."""
        return time.monotonic() >= self._next

    def saved(self, took: float) -> None:
        """Count from now on; the last one took so many seconds to write."""
        wait = max(self._seconds, took / _SHARE) if self._seconds > 0 else 0.0
        self._next = time.monotonic() + wait


class DamagedCheckpointError(Exception):
    """A checkpoint does not hold what was written."""


class OtherTrainingError(Exception):
    """A state is that of a training with other options, ratings or seed."""


class UnloadableCheckpointError(GlocalkError):
    """A complete checkpoint cannot be continued from; it was renamed, so that a new fit can start.

    A fit cannot go on by itself, because a part of its state may be the checkpoint's.
    """


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints in torch's own format, written atomically and verified when they are read.

    Lightning writes to the system's temporary folder and moves the file, which is a copy, and not
    atomic, where that folder is on another file system. torch reads a file with flipped bits
    without complaint: `load_checkpoint` compares the checksum that `seal_zip` stored.

    Does not use `files.replacing`, whose error would hide the OSError that a run waits for to say
    how it continues.
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
            with writing(temporary) as file:
                torch.save(checkpoint, file)
            seal_zip(temporary)
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
            DamagedCheckpointError: the file does not hold what was written.
        """
        del weights_only  # checkpoints hold tensors and plain values only
        if not is_sealed_zip(Path(path)):
            raise DamagedCheckpointError(path)
        with zipfile.ZipFile(path) as archive:  # torch would unpack members to any size
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise DamagedCheckpointError(path)
        checkpoint: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return checkpoint


def usable(checkpoint: Path) -> bool:
    """Whether there is a checkpoint to continue from; a damaged one is renamed."""
    if not checkpoint.exists():
        return False
    try:
        AtomicCheckpoints().load_checkpoint(checkpoint)
    except OSError:
        raise
    except Exception:  # content that torch refuses raises errors of many kinds
        set_aside(checkpoint)
        return False
    return True


def set_aside(checkpoint: Path, why: str = "is damaged") -> UnloadableCheckpointError:
    """Rename a checkpoint that cannot be continued from, and say so; returns what to raise."""
    aside = checkpoint.with_name(f"{checkpoint.name}.damaged")
    checkpoint.replace(aside)
    says = f"'{checkpoint}' {why}: it was renamed to '{aside}', and its stage starts again."
    _log.warning("%s", says)
    return UnloadableCheckpointError(says)
