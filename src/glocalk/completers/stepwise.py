"""Base classes of completers that train one network and predict from its outputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from glocalk.completers.base import Completer, State, refuse_mixed, take
from glocalk.completers.budget import BudgetConfig
from glocalk.data.rating_matrix import Indices, RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.optim.adam import follow_tensorflow
from glocalk.optim.averaging import AveragedNetwork
from glocalk.training.context import FitContext
from glocalk.training.stage import Stage, run_stage

STAGE = "train"

MOST_LEVELS = 100
"""Continuous ratings would have a level each, and weights for all of them would exhaust memory."""

# The precisions of a Trainer that compiled loops exist for.
_DTYPES = {"32-true": torch.float32, "64-true": torch.float64}

BatchT = TypeVar("BatchT")
NetworkT = TypeVar("NetworkT", bound=nn.Module)
OutputT = TypeVar("OutputT", bound=tuple[Tensor, ...])


class EpochLoader(Generic[BatchT]):
    """A loader that calls a generator function for the batches of each epoch.

    The function starts when the first batch is taken, so that all its random numbers are drawn
    after the epoch is seeded. A `DataLoader` draws a seed, from torch's generator unless it is
    given another, as soon as its iteration starts: before the epoch is seeded, but after that in a
    resumed training.

    Args:
        batches: yields the batches of an epoch.
        length: their number. Without it, Lightning would take the first batch too early.
    """

    def __init__(self, batches: Callable[[], Iterator[BatchT]], length: int) -> None:
        self.batches, self.length = batches, length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[BatchT]:
        return self.batches()


class TrainingData(lightning.LightningDataModule):
    """A data module of one loader.

    Args:
        loader: the batches of each epoch.
    """

    def __init__(self, loader: Iterable[Any]) -> None:
        super().__init__()
        self.loader = loader

    def train_dataloader(self) -> Iterable[Any]:
        return self.loader


class StepwiseModule(lightning.LightningModule, Generic[OutputT]):
    """The module that is trained, by Adam.

    Attributes:
        config: the options; Adam takes its `learning_rate` from them.
    """

    config: Any

    @abstractmethod
    def batches(self) -> Iterable[Any]:
        """The batches of each epoch."""

    @abstractmethod
    def trained(self) -> nn.Module:
        """The part whose parameters the optimizer updates, without averages of them."""

    @abstractmethod
    def output(self) -> OutputT:
        """What predictions are computed from, as trained so far: a named tuple of tensors."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters = self.trained().parameters()
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, fused=True)


class NetworkModule(StepwiseModule[OutputT], Generic[NetworkT, OutputT]):
    """Makes an update on the loss of each batch, as TensorFlow's Adam does.

    Attributes:
        network: the network that is trained.
        epsilon: ε of Adam.
    """

    network: NetworkT
    epsilon: ClassVar[float] = 1e-8  # TensorFlow's default

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """What an update decreases: a scalar."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        del batch_idx
        loss = self.loss(batch)
        # Batches weigh the same in the mean over an epoch.
        self.log("loss", loss, on_step=False, on_epoch=True, logger=False, batch_size=1)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        follow_tensorflow(optimizer, self.trainer.global_step + 1, self.epsilon)

    def trained(self) -> nn.Module:
        return self.network


class AveragedModule(NetworkModule[NetworkT, OutputT]):
    """The same, with averages of the weights, which predict.

    Attributes:
        average: the network with averaged weights.
    """

    average: AveragedNetwork[NetworkT]

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        del outputs, batch, batch_idx
        self.average.update_parameters(self.network)


class StepwiseCompleter(Completer, Generic[OutputT]):
    """Trains one stage; predictions need the network's output but not the training ratings."""

    uses_trainer = True

    _module: StepwiseModule[OutputT] | None = None  # while it is trained
    _fitted: tuple[OutputT, int] | None = None  # output and number of parameters

    @property
    def schedule(self) -> dict[str, int]:
        config = self.config
        return {STAGE: config.trained_epochs if isinstance(config, BudgetConfig) else config.epochs}

    def _train(self, module: StepwiseModule[OutputT], context: FitContext) -> None:
        """Train `module` on its batches and keep its output."""
        self._module, self._fitted = module, None
        stage = Stage(STAGE, module, self.schedule[STAGE])
        try:
            run_stage(stage, TrainingData(module.batches()), context, self.predict_pairs)
        finally:
            self._module = None
        parameters = sum(parameter.numel() for parameter in module.trained().parameters())
        self._fitted = module.output(), parameters

    def _output(self) -> OutputT:
        if self._module is not None:  # the observer evaluates a training
            return self._module.output()
        return self._require(self._fitted)[0]

    @staticmethod
    def _tensors(like: Tensor, *indices: Indices) -> tuple[Tensor, ...]:
        """The indices on the device of `like`."""
        return tuple(torch.tensor(index, device=like.device) for index in indices)

    def state(self) -> State:
        # Not the parameters: those give predictions only together with the training ratings.
        output: NamedTuple = self._output()  # type: ignore[assignment]
        return {**output._asdict(), "parameters": torch.tensor(self.num_parameters)}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        output = self._take_output(state, shape)
        refuse_mixed(output)
        self._module, self._fitted = None, (output, int(take(state, "parameters", (), whole=True)))

    @abstractmethod
    def _take_output(self, state: State, shape: tuple[int, int]) -> OutputT:
        """The output that `state` holds.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """

    @property
    def num_parameters(self) -> int:
        return self._require(self._fitted)[1]


def refuse_levels(train: RatingMatrix, model: str, most: int = MOST_LEVELS) -> None:
    """Refuse ratings with too many levels for a model that has weights for each level.

    Args:
        train: the ratings.
        model: the model's name.
        most: number of levels that its options allow; more than 100 are never allowed.

    Raises:
        GlocalkError: there are more.
    """
    levels, most = len(np.unique(train.ratings)), min(most, MOST_LEVELS)
    if levels > most:
        raise GlocalkError(
            f"{model} has weights for each distinct rating, but there are {levels} of them and "
            f"at most {most} are allowed: round the ratings."
        )


def dtype_of(context: FitContext, model: str) -> torch.dtype:
    """The floating-point type that the precision of the run's Trainer stands for.

    Args:
        context: context of the training.
        model: the model's name.

    Raises:
        GlocalkError: a precision other than single or double, for which no compiled loops exist.
    """
    precision = _precision(context)
    if precision not in _DTYPES:
        raise GlocalkError(
            f"{model} computes in precision {' or '.join(_DTYPES)}, not in {precision}: "
            "leave trainer.precision out."
        )
    return _DTYPES[precision]


def _precision(context: FitContext) -> str:
    precision = str(context.trainer.get("precision") or "32-true")
    return f"{precision}-true" if precision in ("32", "64") else precision


def take_levels(state: State) -> Tensor:
    """The rating levels [levels] that `state` holds as `levels`."""
    return take(state, "levels", (state["levels"].numel() if "levels" in state else 0,))
