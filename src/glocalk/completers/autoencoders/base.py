"""What the completers that are one auto-encoder over rating rows share: training and prediction.

The rating matrix enters as an operator, see `RatingOperator`, whose rows are items and whose
columns are users. All parameters are trained at once, by full-batch L-BFGS.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import lightning
import torch
from pydantic import Field
from torch import Tensor, nn

from glocalk.completers.base import Completer, State, take
from glocalk.config import BaseConfig
from glocalk.data.ratings import Indices, Values
from glocalk.errors import GlocalkError
from glocalk.operators.base import RatingOperator, predict_pairs
from glocalk.operators.formulation import Formulation
from glocalk.optim.lbfgs import LineSearch, make_lbfgs
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch
from glocalk.training.stage import Stage, run_stage


class StageConfig(BaseConfig):
    """One stage's length and Trainer options."""

    epochs: int = Field(ge=1)
    iterations: int = Field(ge=1, description="L-BFGS iterations an epoch")
    trainer: dict[str, Any] = Field(default={}, description="over the run's Trainer options")


class LBFGSConfig(BaseConfig):
    """How L-BFGS runs."""

    restart: bool = True  # its memory is dropped at every epoch
    line_search: LineSearch = "more_thuente"
    memory: int = Field(default=10, ge=1)


class AutoEncoderConfig(BaseConfig):
    """Options of every auto-encoder."""

    hidden_size: int = Field(ge=1)
    lbfgs: LBFGSConfig
    formulation: Formulation


class Output(NamedTuple):
    """What predictions are made from: r̂ᵤᵢ = hᵢ·wᵤ + bᵤ.

    `hidden` H is [items, hidden], `weight` of the output layer [hidden, users], `bias` [users].
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor

    def with_default(
        self, default: float, rated_users: Tensor, rated_items: Tensor | None = None
    ) -> Output:
        """The output that predicts `default` where a user or an item has no training rating.

        Args:
            default: the prediction.
            rated_users: [users] whether a user has training ratings.
            rated_items: [items] the same of items. One hidden unit more then says which have
                none, with weights default − bᵤ; None lets all items predict as they do.
        """
        hidden, weight = self.hidden, self.weight * rated_users
        bias = self.bias.where(rated_users, default)
        if rated_items is not None:
            column = rated_items.unsqueeze(1)
            hidden = torch.cat([hidden * column, (~column).to(hidden.dtype)], dim=1)
            weight = torch.cat([weight, (default - bias).unsqueeze(0)])
        return Output(hidden, weight, bias)


class AutoEncoderStage(lightning.LightningModule):
    """Full-batch L-BFGS on the loss of one network, an epoch a step.

    Args:
        network: what is trained, or a part of it, see `trained`.
        iterations: L-BFGS iterations an epoch.
        lbfgs: how it runs.
    """

    stage: ClassVar[str]  # its name in configs, curves and checkpoints
    automatic_optimization = False  # one step evaluates the loss many times

    network: nn.Module

    def __init__(self, network: nn.Module, iterations: int, lbfgs: LBFGSConfig) -> None:
        super().__init__()
        self.network = network
        self.iterations, self.lbfgs = iterations, lbfgs

    def loss(self, ratings: RatingOperator) -> Tensor:
        """What is minimized: a scalar, float64."""
        raise NotImplementedError

    def output(self, ratings: RatingOperator) -> Output:
        """What this stage predicts from, as trained so far."""
        raise NotImplementedError

    def trained(self) -> nn.Module:
        """The part of the network that this stage trains."""
        return self.network

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return make_lbfgs(
            self.trained().parameters(), iterations=self.iterations, **self.lbfgs.model_dump()
        )

    def training_step(self, batch: RatingOperator, batch_idx: int) -> None:
        del batch_idx
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self.loss(batch)
            if not torch.isfinite(loss):
                raise GlocalkError(
                    f"The loss is {loss:g} in epoch {self.current_epoch + 1} of {self.stage}: the "
                    "training has diverged."
                )
            self.manual_backward(loss)
            return loss

        # The loss at the epoch's start; logged after the step, for the closure runs many times.
        self.log("loss", optimizer.step(closure))


class AutoEncoderCompleter(Completer):
    """Predicts from the output of the stage trained last.

    A subclass's `fit` makes `_data`, then hands one stage after another to `_run`.
    """

    config: AutoEncoderConfig

    _stage: AutoEncoderStage | None = None
    _data: FullBatch | None = None
    _restored: tuple[Output, int] | None = None

    def _run(self, module: AutoEncoderStage, settings: StageConfig, context: FitContext) -> None:
        """Train one stage on `_data`."""
        assert self._data is not None
        self._stage, self._restored = module, None
        stage = Stage(module.stage, module, settings.epochs, settings.trainer)
        run_stage(stage, self._data, context, self.predict_pairs)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        output = self._output()
        device = output.bias.device
        predicted = predict_pairs(
            *output, torch.tensor(users, device=device), torch.tensor(items, device=device)
        )
        return predicted.double().cpu().numpy()

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        hidden, weight, bias = self._output()
        u, i = torch.tensor(users, device=bias.device), torch.tensor(items, device=bias.device)
        grid = torch.addmm(bias[u].unsqueeze(1), weight.T[u], hidden[i].T)
        return grid.double().cpu().numpy()

    def state(self) -> State:
        hidden, weight, bias = self._output()
        # Rather than the parameters, which predict from the training ratings alone.
        return {
            "hidden": hidden,
            "weight": weight.T.contiguous(),  # [users, hidden], as `predict_pairs` gathers it
            "bias": bias,
            "parameters": torch.tensor(self.num_parameters),
        }

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        users, items = shape
        output = Output(
            take(state, "hidden", (items, self._width)),
            take(state, "weight", (users, self._width)).T,
            take(state, "bias", (users,)),
        )
        self._restored = output, int(take(state, "parameters", ()))

    @property
    def _width(self) -> int:
        """Units of the output's hidden layer."""
        return self.config.hidden_size

    def _output(self) -> Output:
        return self._restored[0] if self._restored is not None else self._trained_output()

    @torch.no_grad()
    def _trained_output(self) -> Output:
        stage, data = self._require(self._stage), self._require(self._data)
        return stage.output(data.operator(stage))

    @property
    def num_parameters(self) -> int:
        if self._restored is not None:
            return self._restored[1]
        network = self._require(self._stage).network
        return sum(parameter.numel() for parameter in network.parameters())
