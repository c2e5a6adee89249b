"""Trainings by loops of their own, without a Trainer, that continue with the same bits."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from glocalk.completers.base import Completer, class_name
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.training.checkpoints import OtherTrainingError
from glocalk.training.context import FitContext
from glocalk.training.loop import LoopCheckpoints, LoopState


class Resumable(Protocol):
    """All that changes from one epoch of a loop to the next.

    A new one has the initial values, which follow from the options, the ratings and the seed.
    """

    def state(self) -> LoopState:
        """What the next epoch depends on. Arrays have the same shapes and types at all times."""

    def restore(self, state: LoopState) -> None:
        """Continue from what `state` returned."""


class Solver(Resumable, Protocol):
    """What `run_epochs` trains."""

    def run_epoch(self) -> float:
        """Make an epoch and return its loss; passes a safe point every few seconds."""


def run_epochs(
    stage: str,
    epochs: int,
    solver: Solver,
    completer: Completer,
    train: RatingMatrix,
    context: FitContext,
) -> None:
    """Train `solver` for `epochs` epochs, from its last checkpoint if the context has one.

    The observer evaluates `completer` after each epoch. A stage that was finished before is loaded,
    and nothing is trained.

    Raises:
        UnloadableCheckpointError: the checkpoint is that of another training; it was renamed.
        StoppedError: a stop was asked for.
    """
    progress = Progress(stage, solver, completer, train, context)
    while progress.epochs < epochs:
        loss = solver.run_epoch()
        epoch = progress.epochs + 1
        context.observer.epoch_ended(stage, epoch, completer.predict_pairs, loss)
        progress.epoch_ended(last=epoch == epochs)


class Progress:
    """Number of epochs, iterations or samples that are made, kept in checkpoints with the state.

    Args:
        stage: name of the stage.
        solver: what makes them; restored if there is a checkpoint.
        completer: what is fitted.
        train: the ratings that it is fitted on.
        context: seed, observer and folder of checkpoints.

    Attributes:
        epochs: their number.

    Raises:
        UnloadableCheckpointError: the checkpoint is that of another training; it was renamed.
    """

    def __init__(
        self,
        stage: str,
        solver: Resumable,
        completer: Completer,
        train: RatingMatrix,
        context: FitContext,
    ) -> None:
        self.epochs = 0
        self._solver = solver
        self._training = {
            "class": class_name(type(completer)),
            "version": completer.model_version,
            "options": completer.config.model_dump_json(),
            "ratings": train.checksum,
            "side": context.side.checksum(completer.needs) if completer.needs else None,
            "seed": int(context.seed),
        }
        self._checkpoints = LoopCheckpoints(context, stage)
        self._checkpoints.load(self._restore)

    def epoch_ended(self, last: bool) -> None:
        """Save the state if it is time, and stop if that was asked for.

        Args:
            last: whether the training ends here, so that the state is saved in any case.
        """
        self.epochs += 1
        self._checkpoints.save(self._state, last)

    def _state(self) -> dict[str, Any]:
        return {"training": self._training, "epochs": self.epochs, **self._solver.state()}

    def _restore(self, saved: LoopState) -> None:
        if saved["training"] != self._training:
            raise OtherTrainingError
        for name, value in self._state().items():
            if _form(saved[name]) != _form(value):
                raise ValueError(f"The saved '{name}' is not one of these ratings and options.")
        self._solver.restore(saved)
        self.epochs = saved["epochs"]


def _form(value: Any) -> tuple[Any, ...]:
    """Type of a value; shape and type of an array's elements."""
    if isinstance(value, np.ndarray):
        return np.ndarray, value.shape, value.dtype
    return (type(value),)


def refuse_divergence(loss: float, option: str) -> None:
    """Stop a gradient descent whose errors have overflowed.

    Args:
        loss: sum of the squared errors of an epoch.
        option: the option to lower, as in `model.learning_rate`.

    Raises:
        GlocalkError: the loss is not finite.
    """
    if not math.isfinite(loss):
        raise GlocalkError(
            f"The squared errors of an epoch sum to {loss:g}: the gradient descent has diverged, "
            f"so lower {option}."
        )
