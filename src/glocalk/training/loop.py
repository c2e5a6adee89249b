"""Checkpoints of training loops that no Trainer runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch

from glocalk import stopping
from glocalk.training.checkpoints import (
    AtomicCheckpoints,
    Cadence,
    OtherTrainingError,
    set_aside,
    usable,
)
from glocalk.training.context import FitContext

LoopState: TypeAlias = Mapping[str, Any]
"""What a loop continues from: NumPy arrays, tensors and plain values (numbers, texts, lists,
dictionaries such as `generator.bit_generator.state`) by name."""


class LoopCheckpoints:
    """The checkpoints of one stage, and its safe points.

    Checkpoints are written as often as those of a Trainer.

    A loop restores what was saved, and saves after each epoch once the observer has evaluated it:

        checkpoints = LoopCheckpoints(context, "sgd")
        checkpoints.load(self._restore)
        for epoch in range(self._epoch + 1, epochs + 1):
            ...
            context.observer.epoch_ended("sgd", epoch, self.predict_pairs, loss)
            checkpoints.save(self._state, last=epoch == epochs)

    Args:
        context: folder, cadence and observer, whose state goes into each checkpoint. Without a
            folder nothing is written or read.
        stage: name of the stage.
    """

    def __init__(self, context: FitContext, stage: str) -> None:
        self._path = context.folder / f"{stage}.ckpt" if context.folder is not None else None
        self._observer, self._cadence = context.observer, Cadence(context.checkpoint_seconds)

    def load(self, restore: Callable[[LoopState], None]) -> None:
        """Call `restore` with the last saved state, if there is one, and restore the observer.

        Arrays come back as new arrays, in the type that they had.

        Raises:
            UnloadableCheckpointError: `restore` raised an exception, `OtherTrainingError` or any
                other; the checkpoint was renamed.
        """
        if self._path is None or not usable(self._path):
            return
        try:
            saved = AtomicCheckpoints().load_checkpoint(self._path)
            arrays = {name: tensor.numpy() for name, tensor in saved["arrays"].items()}
            restore({**saved["values"], **arrays})
            self._observer.load_state_dict(saved["observer"])
        except OtherTrainingError as error:
            raise set_aside(self._path, "is that of another training") from error
        except Exception as error:
            raise set_aside(self._path) from error

    def save(self, state: Callable[[], LoopState], last: bool = False) -> None:
        """Save `state()` if the previous checkpoint is old enough, and stop if that was asked for.

        Args:
            state: returns what `load` is to hand back.
            last: whether the stage ends here, which is always saved.

        Raises:
            StoppedError: a stop was asked for; the state is saved.
            OSError: the checkpoint cannot be written.
        """
        began = time.monotonic()
        if self._path is not None and (last or self._cadence.due or stopping.requested()):
            values = dict(state())
            arrays = {
                name: torch.from_numpy(np.ascontiguousarray(value))
                for name, value in values.items()
                if isinstance(value, np.ndarray)
            }
            rest = {name: value for name, value in values.items() if name not in arrays}
            content = {"arrays": arrays, "values": rest, "observer": self._observer.state_dict()}
            AtomicCheckpoints().save_checkpoint(content, self._path)
            self._cadence.saved(time.monotonic() - began)
        stopping.safe_point()
