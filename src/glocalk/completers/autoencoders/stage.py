"""How an auto-encoder over rating rows is trained: all parameters at once, by full-batch L-BFGS.

The rating matrix enters as a `RatingOperator`, whose rows are items and whose columns are users.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple, cast

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from pydantic import Field
from torch import Tensor, nn

from glocalk.config import BaseConfig
from glocalk.errors import GlocalkError
from glocalk.operators.base import RatingOperator
from glocalk.optim.lbfgs import LineSearch, make_lbfgs
from glocalk.training.trainer_options import TrainerOptions


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

    Subclasses define `stage`, `loss` and `output`.

    Args:
        network: the network; `trained` may restrict training to a part of it.
        iterations: L-BFGS iterations per epoch.
        lbfgs: options of L-BFGS.
    """

    stage: ClassVar[str]  # its name in configs, curves and checkpoints
    automatic_optimization = False  # one step evaluates the loss many times

    network: nn.Module

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

    def trained(self) -> nn.Module:
        """The part of the network that this stage trains."""
        return self.network

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return make_lbfgs(
            self.trained().parameters(), iterations=self.iterations, **self.lbfgs.model_dump()
        )

    def training_step(self, batch: RatingOperator, batch_idx: int) -> None:
        del batch_idx
        optimizer = cast(LightningOptimizer, self.optimizers())  # there is one

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self.loss(batch)
            if not torch.isfinite(loss):
                raise GlocalkError(
                    f"The loss is {loss:g} in epoch {self.current_epoch + 1} of {self.stage}: the "
                    "training has diverged; raise the regularization."
                )
            self.manual_backward(loss)
            return loss

        # The loss at the start of the epoch. It is logged after the step, because a step calls
        # the closure many times.
        self.log("loss", optimizer.step(closure), logger=False)
