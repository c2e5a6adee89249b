"""How an auto-encoder over rating rows is trained: all parameters at once, by full-batch L-BFGS.

The rating matrix enters as a `RatingOperator`, whose rows are items and whose columns are users.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, NamedTuple, cast

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from pydantic import Field
from torch import Tensor, nn

from glocalk.completers.autoencoders.encoder import Encoder
from glocalk.config import BaseConfig
from glocalk.errors import GlocalkError
from glocalk.operators.base import RatingOperator
from glocalk.optim.lbfgs import LineSearch, make_lbfgs
from glocalk.training.trainer_options import TrainerOptions

# Relative decrease of the loss that an epoch makes at least, unless it stands still. Epochs of
# GLocal-K that do not stand still decrease it by more than 10⁻⁵.
_LEAST_PROGRESS = 1e-6


class StageConfig(BaseConfig):
    """Length and Trainer options of one stage."""

    epochs: int = Field(ge=1, description="number of epochs")
    iterations: int = Field(ge=1, description="L-BFGS iterations per epoch")
    trainer: TrainerOptions = Field(
        default={}, description="Trainer options of this stage; override those of the run"
    )


class LBFGSConfig(BaseConfig):
    """Options of L-BFGS."""

    restart: bool = Field(default=True, description="forget the memory at the start of each epoch")
    line_search: LineSearch = Field(
        default="more_thuente",
        description="more_thuente: SciPy's, used by the official code; strong_wolfe: torch's",
    )
    memory: int = Field(default=10, ge=1, description="number of past steps remembered")


class Output(NamedTuple):
    """What predictions are computed from: r̂ᵤᵢ = hᵢ·wᵤ + bᵤ.

    Attributes:
        hidden: H [items, hidden], the last hidden layer.
        weight: [hidden, users], of the output layer.
        bias: [users], of the output layer.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor

    def from_unit(self, unit: float) -> Output:
        """The output that predicts ratings where this one predicts ratings divided by `unit`."""
        if unit == 1:
            return self
        return Output(self.hidden, self.weight * unit, self.bias * unit)

    def with_user_default(self, default: float, rated: Tensor) -> Output:
        """The output that predicts `default` for users without training ratings.

        Args:
            default: the prediction.
            rated: [users] whether a user has training ratings.
        """
        return Output(self.hidden, self.weight * rated, self.bias.where(rated, default))

    def with_item_defaults(self, defaults: Tensor, rated: Tensor) -> Output:
        """The output that predicts each user's default for items without training ratings.

        A hidden unit is added, which is 1 for these items, with weights defaultᵤ − bᵤ.

        Args:
            defaults: [users] the predictions.
            rated: [items] whether an item has training ratings.
        """
        column = rated.unsqueeze(1)
        hidden = torch.cat([self.hidden * column, (~column).to(self.hidden.dtype)], dim=1)
        weight = torch.cat([self.weight, (defaults - self.bias).unsqueeze(0)])
        return Output(hidden, weight, self.bias)


class AutoEncoderStage(lightning.LightningModule):
    """Minimizes the loss of a network by full-batch L-BFGS, one optimizer step per epoch.

    Subclasses define `stage`, `loss`, `output` and `encoder`.

    Attributes:
        progressed: whether the last step decreased the loss by more than 10⁻⁶ of its value.

    Args:
        network: the network; `trained` may restrict training to a part of it.
        iterations: L-BFGS iterations per epoch.
        lbfgs: options of L-BFGS.
    """

    stage: ClassVar[str]  # its name in configs, curves and checkpoints
    automatic_optimization = False  # one step evaluates the loss many times

    network: nn.Module
    progressed = True

    def __init__(self, network: nn.Module, iterations: int, lbfgs: LBFGSConfig) -> None:
        super().__init__()
        self.network = network
        self.iterations, self.lbfgs = iterations, lbfgs

    @abstractmethod
    def loss(self, ratings: RatingOperator) -> Tensor:
        """What is minimized: a float64 scalar."""

    @abstractmethod
    def output(self, ratings: RatingOperator) -> Output:
        """What this stage predicts from, as trained so far."""

    @abstractmethod
    def encoder(self, ratings: RatingOperator) -> Encoder:
        """What `output` computes its hidden layer with, as trained so far."""

    def trained(self) -> nn.Module:
        """The part of the network that this stage trains."""
        return self.network

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.trained())

    def make_optimizer(self, part: nn.Module) -> torch.optim.Optimizer:
        """L-BFGS on the parameters of a part of the network."""
        options = self.lbfgs.model_dump()
        return make_lbfgs(part.parameters(), iterations=self.iterations, **options)

    def training_step(self, batch: RatingOperator, batch_idx: int) -> None:
        del batch_idx
        before = self.descend(batch, cast(LightningOptimizer, self.optimizers()))  # there is one
        # The loss at the start of the epoch. It is logged after the step, because a step calls
        # the closure many times.
        self.log("loss", before, logger=False)

    def descend(
        self, batch: RatingOperator, optimizer: LightningOptimizer | torch.optim.Optimizer
    ) -> Tensor:
        """One step of an optimizer, which is an epoch; returns the loss before it."""
        lowest = math.inf

        def closure() -> Tensor:
            nonlocal lowest
            optimizer.zero_grad()
            loss = self.loss(batch)
            if not torch.isfinite(loss):
                raise GlocalkError(
                    f"The loss is {loss:g} in epoch {self.current_epoch + 1} of {self.stage}: the "
                    "training has diverged; raise the regularization."
                )
            self.manual_backward(loss)
            lowest = min(lowest, loss.item())
            return loss

        before = cast(Tensor, cast(LightningOptimizer, optimizer).step(closure))
        self.progressed = before.item() - lowest > _LEAST_PROGRESS * abs(before.item())
        return before
