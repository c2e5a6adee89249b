"""What completers share that train one network step by step and predict from what it puts out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from glocalk.completers.base import Completer, State, take
from glocalk.data.ratings import Indices, RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.training.context import FitContext
from glocalk.training.stage import Stage, run_stage

_STAGE = "train"
# Ratings that are not graded have no levels, and would fill the memory.
MOST_LEVELS = 100

_PRECISIONS = ("32-true", "64-true")

OutputT = TypeVar("OutputT", bound=tuple[Tensor, ...])


class Steps(lightning.LightningDataModule):
    """The batches of an epoch, each a number: the module makes of it what it trains on.

    Args:
        numbers: one for each step.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        self.numbers = numbers

    def train_dataloader(self) -> DataLoader[int]:
        # With a generator of its own: a loader draws a seed, and would draw it from torch's before
        # the epoch is seeded, but after that in a resumed training.
        return DataLoader(
            self.numbers,  # type: ignore[arg-type]
            batch_size=None,
            generator=torch.Generator(),
        )


class StepwiseModule(lightning.LightningModule, Generic[OutputT]):
    """What is trained."""

    @abstractmethod
    def trained(self) -> nn.Module:
        """What the optimizer moves, without averages of it."""

    @abstractmethod
    def output(self) -> OutputT:
        """What predictions are made from, as trained so far: a named tuple of tensors."""


class StepwiseCompleter(Completer, Generic[OutputT]):
    """One stage; predictions need what the network puts out and no training ratings."""

    _module: StepwiseModule[OutputT] | None = None
    _restored: tuple[OutputT, int] | None = None

    @property
    def schedule(self) -> dict[str, int]:
        return {_STAGE: self.config.epochs}

    def _run(
        self, module: StepwiseModule[OutputT], numbers: Sequence[int], context: FitContext
    ) -> None:
        """Train `module` on the steps of `numbers` in every epoch."""
        self._module, self._restored = module, None
        stage = Stage(_STAGE, module, self.schedule[_STAGE])
        run_stage(stage, Steps(numbers), context, self.predict_pairs)

    def _output(self) -> OutputT:
        if self._restored is not None:
            return self._restored[0]
        return self._require(self._module).output()

    @staticmethod
    def _tensors(like: Tensor, *indices: Indices) -> tuple[Tensor, ...]:
        """The indices where `like` is."""
        return tuple(torch.tensor(index, device=like.device) for index in indices)

    def state(self) -> State:
        # Rather than the parameters, which predict from the training ratings alone.
        output: NamedTuple = self._output()  # type: ignore[assignment]
        return {**output._asdict(), "parameters": torch.tensor(self.num_parameters)}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        self._restored = self._take_output(state, shape), int(take(state, "parameters", ()))

    @abstractmethod
    def _take_output(self, state: State, shape: tuple[int, int]) -> OutputT:
        """The output that `state` was taken of.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """

    @property
    def num_parameters(self) -> int:
        if self._restored is not None:
            return self._restored[1]
        module = self._require(self._module)
        return sum(parameter.numel() for parameter in module.trained().parameters())


def refuse_levels(train: RatingMatrix, model: str, most: int = MOST_LEVELS) -> None:
    """Refuse ratings of too many levels for a model that has weights for each.

    Args:
        train: the ratings.
        model: the model's name.
        most: levels that its options allow; more than 100 are never allowed.

    Raises:
        GlocalkError: there are more.
    """
    levels, most = len(np.unique(train.ratings)), min(most, MOST_LEVELS)
    if levels > most:
        raise GlocalkError(
            f"{model} has weights for each different rating, {levels} here, and there may be "
            f"{most} at most: round the ratings."
        )


def refuse_precision(precision: str, model: str) -> None:
    """Refuse a precision of the Trainer that compiled loops are not written for.

    Raises:
        GlocalkError: another than single or double.
    """
    if precision not in _PRECISIONS:
        raise GlocalkError(
            f"{model} computes in precision {' or '.join(_PRECISIONS)}, not in {precision}: "
            "leave trainer.precision out."
        )


def take_levels(state: State) -> Tensor:
    """The rating levels [levels] that `state` holds as `levels`."""
    return take(state, "levels", (state["levels"].numel() if "levels" in state else 0,))
