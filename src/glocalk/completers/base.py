"""The contract of every completer: fit on ratings, predict for pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from lightning.pytorch.loggers import Logger
from torch import Tensor

from glocalk.completers.monitor import Monitor
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.settings import Settings

OfficialRule = Literal["best_test", "validated", "last"]

State: TypeAlias = Mapping[str, Tensor]
"""What a fitted completer predicts from: tensors by name, so that reading a file of them executes
nothing."""


@dataclass
class Training:
    """What surrounds one training; a completer learns nothing about test ratings from it.

    Attributes:
        seed: of every random choice.
        monitor: told of each epoch by completers that have epochs.
        folder: where checkpoints go, one per stage, and are looked for first; None keeps none.
        trainer: options of `lightning.Trainer`, for completers that use one.
        loggers: Lightning loggers, one list per stage name.
        checkpoint_seconds: time between two of a stage's checkpoints, at least; its last epoch
            always leaves one.
    """

    seed: int = 0
    monitor: Monitor = field(default_factory=Monitor)
    folder: Path | None = None
    trainer: dict[str, Any] = field(default_factory=dict)
    loggers: dict[str, Sequence[Logger]] = field(default_factory=dict)
    checkpoint_seconds: float = 0


class Completer(ABC):
    """Predicts missing ratings from the observed ones.

    A new completer is one file with a subclass and one `conf/model/*.yaml` that names it; the
    conformance tests, the tables and the sweeps find it there.

    Args:
        config: its options, an instance of `Config`.
    """

    Config: ClassVar[type[Settings]]
    """The options and their bounds."""

    model_version: ClassVar[int] = 1
    """Raised when a change may alter the numbers, so that old records are not mixed with new."""

    official: ClassVar[OfficialRule] = "last"
    """The protocol by which the model's own code picks the figure it reports."""

    has_epochs: ClassVar[bool] = True
    """Whether there is an epoch to choose; without one, all protocols say the same."""

    deterministic: ClassVar[bool] = False
    """Whether the seed changes nothing."""

    side_information: ClassVar[bool] = False
    """Whether anything but ratings is used."""

    @abstractmethod
    def __init__(self, config: Any) -> None: ...

    @property
    def schedule(self) -> dict[str, int]:
        """Number of epochs of each stage, in order; empty without epochs."""
        return {}

    @property
    def budget(self) -> float:
        """Share of the official updates that `schedule` has; 1 is all of them."""
        return 1.0

    @abstractmethod
    def fit(self, train: RatingMatrix, valid: RatingMatrix | None, training: Training) -> None:
        """Train on `train`. `valid` may guide what a model's own rules need; most ignore it."""

    @abstractmethod
    def predict(self, users: Indices, items: Indices) -> Values:
        """Predicted rating of each pair (users[k], items[k]), not clipped to the scale.

        Defined for every user and item of the training matrix's shape, with training ratings or
        without.

        Args:
            users: [pairs] user indices.
            items: [pairs] item indices.

        Returns:
            [pairs] predictions.
        """

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        """Predicted rating of each of `users` for each of `items`, as `predict` gives it.

        Args:
            users: [u] user indices.
            items: [i] item indices.

        Returns:
            [u, i] predictions, not clipped.
        """
        pairs = np.repeat(users, len(items)), np.tile(items, len(users))
        return self.predict(*pairs).reshape(len(users), len(items))

    @abstractmethod
    def state(self) -> State:
        """All that `predict` and `num_parameters` need of the fit, for `restore`."""

    @abstractmethod
    def restore(self, state: State, shape: tuple[int, int]) -> None:
        """Become the fitted completer of the same `Config` that gave `state`.

        Args:
            state: what its `state` gave, on the CPU.
            shape: (users, items) of its training matrix.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """

    @property
    @abstractmethod
    def num_parameters(self) -> int:
        """How many numbers the training set."""


def take(state: State, name: str, shape: tuple[int, ...]) -> Tensor:
    """One tensor of a state that comes from outside.

    Raises:
        GlocalkError: it is missing, of another shape, or not finite.
    """
    if name not in state:
        raise GlocalkError(f"The saved state has no '{name}'.")
    tensor = state[name]
    if tensor.shape != shape:
        raise GlocalkError(f"The saved '{name}' has shape {tuple(tensor.shape)}, not {shape}.")
    if not tensor.isfinite().all():
        raise GlocalkError(f"The saved '{name}' is not finite.")
    return tensor
