"""Inputs of a fit other than the training ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lightning.pytorch.loggers import Logger

from glocalk.data.rating_matrix import Indices, Values
from glocalk.data.side.information import SideInformation
from glocalk.training.shared import SharedStages

PredictPairs = Callable[[Indices, Indices], Values]
"""`Completer.predict_pairs`: the prediction of each (user index, item index)."""

Trace = Mapping[str, Sequence[float]]
"""What a training tells of itself at one moment, by name; the completer says what it means."""


class Observer(Protocol):
    """Watches a training from outside, and tells the completer nothing."""

    def epoch_ended(
        self,
        stage: str,
        epoch: int | None,
        predict: PredictPairs,
        loss: float | None,
        step: int | None = None,
    ) -> None:
        """Evaluate the completer as trained so far.

        Args:
            stage: name of the stage.
            epoch: 1, 2, … within the stage; None for a completer without epochs.
            predict: the completer's `predict_pairs`.
            loss: what the training minimizes, in its own units; None where it has no loss.
            step: the last update of the epoch, under which loggers show the errors; None logs
                nothing.
        """

    def traced(self, stage: str, epoch: int, numbers: Trace) -> None:
        """Keep what the training tells of itself; called only if `FitContext.trace` asks for it.

        Args:
            stage: name of the stage.
            epoch: 1, 2, … after an epoch of the stage, 0 before the first one.
            numbers: lists of finite numbers by name.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold of the observer."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""

    def adopted(self, state: dict[str, Any]) -> dict[str, Any]:
        """What `state_dict` would return here, if this training had made the epochs in `state`.

        Args:
            state: what it returned in another training that made the same epochs.
        """


class NoObserver:
    """Evaluates nothing."""

    def epoch_ended(
        self,
        stage: str,
        epoch: int | None,
        predict: PredictPairs,
        loss: float | None,
        step: int | None = None,
    ) -> None:
        """Do nothing."""

    def traced(self, stage: str, epoch: int, numbers: Trace) -> None:
        """Do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return an empty state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Ignore the state."""

    def adopted(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return an empty state."""
        del state
        return {}


@dataclass
class FitContext:
    """Context of one training. Nothing in it leads to a test or validation rating.

    Attributes:
        seed: seed of every random choice.
        observer: told of the end of each epoch.
        folder: where checkpoints are written, one per stage, and looked for first; None disables
            checkpoints.
        trainer: options of `lightning.Trainer`, for completers that use one.
        loggers: Lightning loggers of each stage.
        checkpoint_seconds: minimum time between two checkpoints of a stage. The last epoch of a
            stage is always saved.
        trace: whether the observer is told what goes on inside the model, see `Observer.traced`; a
            completer that has nothing to tell ignores it. The training is the same.
        side: what is known of users and items beside the ratings.
        shared: where stages that several trainings have in common are kept; None trains all of
            them. It takes effect together with `folder`.
    """

    seed: int = 0
    observer: Observer = field(default_factory=NoObserver)
    folder: Path | None = None
    trainer: dict[str, Any] = field(default_factory=dict)
    loggers: Mapping[str, Sequence[Logger]] = field(default_factory=dict)
    checkpoint_seconds: float = 0
    trace: bool = False
    side: SideInformation = field(default_factory=SideInformation)
    shared: SharedStages | None = None
