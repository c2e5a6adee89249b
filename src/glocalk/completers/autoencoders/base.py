"""What the auto-encoders share as completers: prediction, saving and restoring."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, Self

import torch
from lightning.pytorch.callbacks import Callback
from pydantic import Field

from glocalk.completers.autoencoders.encoder import Encoder, append
from glocalk.completers.autoencoders.stage import (
    AutoEncoderStage,
    LBFGSConfig,
    Output,
    StageConfig,
)
from glocalk.completers.base import Completer, State, refuse_mixed, take
from glocalk.completers.blocks.rated import rated
from glocalk.config import ADDED, BaseConfig
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.inference.newcomers import SAVED_BEFORE_FOLD_IN, NewRatings
from glocalk.operators.base import predict_pairs
from glocalk.operators.formulation import Formulation
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch
from glocalk.training.shared import SharedPart
from glocalk.training.stage import Stage, run_stage

_log = logging.getLogger(__name__)

_USUAL = 10
"""Scales that end higher are far from those whose hyperparameters are published."""


class AutoEncoderConfig(BaseConfig):
    """Options of every auto-encoder."""

    hidden_size: int = Field(default=500, ge=1, description="units of each hidden layer")
    lbfgs: LBFGSConfig = LBFGSConfig()
    formulation: Formulation = Field(
        default="auto",
        description="how products with the rating matrix are computed; equal up to rounding, which "
        "a training in float32 lets grow",
    )
    rating_unit: Annotated[float, ADDED] = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="the network is trained on ratings divided by this, and its outputs are "
        "multiplied by it: 20 makes a scale up to 100 one up to 5, for which the defaults are",
    )


class AutoEncoderCompleter(Completer):
    """Predicts from the output of the stage trained last.

    A subclass's `fit_matrix` passes its stages to `_run`, one after another. The prediction for a
    user without training ratings is the mean of the training ratings: nothing but the penalty
    changes the output weights of that user, and the bias stays at its initial value.

    A new item is a row that is encoded as those of the training ratings are: see `Encoder`. A new
    user has no output weights.
    """

    uses_trainer = True

    config: AutoEncoderConfig

    _stage: AutoEncoderStage | None = None
    _data: FullBatch | None = None
    _restored: tuple[Output, Encoder | None, int] | None = None

    def _batch(self, train: RatingMatrix) -> FullBatch:
        """What a stage is trained on."""
        highest, unit = max(map(abs, train.scale)), self.config.rating_unit
        if highest / unit > _USUAL:
            _log.info(
                "Ratings go to %g: the defaults of auto-encoders are for scales that end at about "
                "5, to which model.rating_unit=%g brings these.",
                *(highest, highest / 5),
            )
        return FullBatch(train, self.config.formulation, unit)

    def _run(
        self,
        module: AutoEncoderStage,
        config: StageConfig,
        data: FullBatch,
        context: FitContext,
        callbacks: Sequence[Callback] = (),
        shared: SharedPart | None = None,
    ) -> None:
        """Train one stage on `data`; `shared` is what other trainings have in common with it."""
        self._stage, self._data, self._restored = module, data, None
        stage = Stage(module.stage, module, config.epochs, config.trainer, callbacks, shared)
        run_stage(stage, data, context, self.predict_pairs)

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

    @property
    def rows(self) -> Side:
        """Whose ratings are a row of the network's input."""
        return "items"

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset({self.rows})

    @torch.no_grad()
    def fold_in_matrix(self, new: NewRatings) -> Self:
        output, encoder = self._output(), self._encoder()
        if encoder is None:
            raise GlocalkError(SAVED_BEFORE_FOLD_IN)
        rows = new.items if self.rows == "items" else new.users
        encoded = encoder.encode(rows, self.config.formulation, self._sigmoid)
        extended = self.unfitted()
        output = output._replace(hidden=append(output.hidden, rows, encoded))
        extended._restored = output, encoder, self.num_parameters
        return extended

    def state(self) -> State:
        hidden, weight, bias = self._output()
        encoder = self._encoder()
        # Not the parameters: to predict from them takes the training ratings as well.
        return {
            **({} if encoder is None else encoder.state()),
            "hidden": hidden,
            "weight": weight.T.contiguous(),  # [users, hidden], the layout `predict_pairs` reads
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
        encoder = Encoder.of_state(
            state, users, self.config.hidden_size, self._hidden_layers, self._kernels
        )
        refuse_mixed([*output, *(encoder.state().values() if encoder is not None else ())])
        self._restored = output, encoder, int(take(state, "parameters", (), whole=True))

    @property
    def _width(self) -> int:
        """Number of units of the output's hidden layer."""
        return self.config.hidden_size

    @property
    def _hidden_layers(self) -> int:
        return 1

    @property
    def _kernels(self) -> tuple[int, int]:
        """Number of global kernels that predictions use, and their size."""
        return 0, 1

    @property
    def _sigmoid(self) -> bool:
        """Whether hidden layers are followed by a sigmoid."""
        return True

    def _encoder(self) -> Encoder | None:
        if self._restored is not None:
            return self._restored[1]
        return self._trained_encoder()

    @torch.no_grad()
    def _trained_encoder(self) -> Encoder:
        stage, data = self._require(self._stage), self._require(self._data)
        return stage.encoder(data.operator(stage)).from_unit(data.unit)

    def _output(self) -> Output:
        return self._restored[0] if self._restored is not None else self._trained_output()

    @torch.no_grad()
    def _trained_output(self) -> Output:
        stage, data = self._require(self._stage), self._require(self._data)
        output = self._in_ratings(stage.output(data.operator(stage)), data.unit)
        return self._with_defaults(output, data.train)

    def _in_ratings(self, output: Output, unit: float) -> Output:
        """The output in ratings, of a network that was trained on ratings divided by `unit`."""
        return output.from_unit(unit)

    def _with_defaults(self, output: Output, train: RatingMatrix) -> Output:
        """The output that also predicts for users and items without ratings in `train`."""
        users, _ = rated(train)
        return output.with_user_default(
            float(train.ratings.mean()), torch.from_numpy(users).to(output.bias.device)
        )

    @property
    def num_parameters(self) -> int:
        if self._restored is not None:
            return self._restored[2]
        network = self._require(self._stage).network
        return sum(parameter.numel() for parameter in network.parameters())
