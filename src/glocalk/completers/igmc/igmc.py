"""IGMC: inductive matrix completion by a graph network on each pair's neighborhood.

Zhang, Chen, "Inductive Matrix Completion Based on Graph Neural Networks", ICLR 2020; official code
`muhanzhang/IGMC` (PyTorch 1.4, PyTorch Geometric 1.4.2). No user and no item has a parameter: the
rating of a pair is read off the ratings around it. The pair's enclosing subgraph, see
`nn/enclosing.py`, has nodes labeled 0 (the user), 1 (the item), 2 (other users), 3 (other items),
whose one-hot vectors are x⁰ [nodes, 4], and

    xˡ = tanh(W₀ˡ xˡ⁻¹ + bˡ + Σ_r c_r Σ_{m ∈ N_r} W_rˡ xˡ⁻¹_m),   l = 1 … layers,   [nodes, hidden]
    r̂ᵤᵢ = w₂ᵀ dropout(ReLU(W₁ [xᵤ¹ … xᵤᴸ xᵢ¹ … xᵢᴸ] + b₁)) + b₂
    loss = mean over a batch of (r − r̂)² + λ Σ_l Σ_r ‖W_{r+1}ˡ − W_rˡ‖²,   W_rˡ = Σ_b a_{r,b}ˡ B_bˡ

The last sum holds the weights of neighboring rating levels together.

What the official code does and the paper does not say, or says otherwise:

- Neighbors are summed, c_r = 1. The paper divides by their number, c_r = 1 / |N_r|, and so does
  the R-GCN of PyTorch Geometric from 1.6 on, with which a user got .922 on ML-100K (issue 19);
  that of 1.4.2 does not. `aggregation` chooses.
- Each epoch draws neighbors again where there are more than the most, and leaves out edges, each
  direction on its own, by edge dropout.
- The figure reported is the error of the mean prediction of four networks, those after the last
  epoch and 10, 20 and 30 epochs (ML-1M: 5, 10 and 15) before it.

As there, each prediction before the last epoch is that of the network as it is then. Predictions
of one pair draw the same neighbors whenever they are made. A user or an item without training
ratings is a node without neighbors.

A training may run under a budget, a share of the official epochs: the learning rate then decays,
and the four networks are taken, when that share of their official updates is done.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Literal, cast

import lightning
import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from glocalk.completers.base import Completer, State, take
from glocalk.completers.budget import BudgetConfig
from glocalk.completers.igmc.convolution import RelationalConvolution
from glocalk.completers.igmc.subgraphs import LABELS, RatingGraph, Subgraphs, enclose
from glocalk.completers.stepwise import Steps, refuse_levels, refuse_precision
from glocalk.config import BaseConfig
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.training.context import FitContext
from glocalk.training.stage import Stage, run_stage

_STAGE = "train"
_CHUNK = 200  # pairs that are predicted at a time
_SEEDS = 2**63 - 1


class EnsembleConfig(BaseConfig):
    """The networks whose mean prediction is the last."""

    members: int = Field(ge=1)
    interval: int = Field(ge=1, description="official epochs from one to the next")


class IGMCConfig(BudgetConfig):
    """Options of IGMC."""

    max_neighbors: int = Field(ge=1, description="most other users, and most other items, drawn")
    hidden_size: int = Field(ge=1)
    layers: int = Field(ge=2)
    bases: int = Field(ge=1, description="number of matrices B")
    aggregation: Literal["sum", "mean"] = Field(description="c_r: 1, or 1 / |N_r|")
    dense_size: int = Field(ge=1, description="units of the layer before the rating")
    dropout: float = Field(ge=0, lt=1, description="of those units")
    edge_dropout: float = Field(ge=0, lt=1)
    adjacent_regularization: float = Field(ge=0, description="λ")
    learning_rate: float = Field(gt=0)
    decay: float = Field(gt=0, le=1, description="factor on the learning rate")
    decay_epochs: int = Field(ge=1, description="official epochs from one decay to the next")
    batch_size: int = Field(ge=1)
    ensemble: EnsembleConfig

    @model_validator(mode="after")
    def _ensemble_fits(self) -> IGMCConfig:
        if (self.ensemble.members - 1) * self.ensemble.interval >= self.epochs:
            raise ValueError("the ensemble's first network must come after the training's start")
        return self


class IGMCNetwork(nn.Module):
    """The network of one ensemble member.

    Initial values are those of the official code's libraries: uniform, see
    `RelationalConvolution`, and within ± 1 / √inputs for the dense layers.

    Args:
        levels: number of rating levels.
        config: the options.
        generator: source of the initial values.
    """

    def __init__(self, levels: int, config: IGMCConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.dropout = config.dropout
        widths = [LABELS, *[config.hidden_size] * config.layers]
        self.convolutions = nn.ModuleList(
            RelationalConvolution(inputs, outputs, levels, config.bases, generator)
            for inputs, outputs in pairwise(widths)
        )

        def dense(inputs: int, outputs: int) -> nn.Linear:
            layer = nn.Linear(inputs, outputs)
            for parameter in layer.parameters():
                limit = 1 / math.sqrt(inputs)
                nn.init.uniform_(parameter, -limit, limit, generator=generator)
            return layer

        self.dense = dense(2 * config.layers * config.hidden_size, config.dense_size)
        self.rating = dense(config.dense_size, 1)

    def forward(self, graph: Subgraphs) -> Tensor:
        """Predicted rating of each pair: [pairs]."""
        first, *middle, last = cast(Iterable[RelationalConvolution], self.convolutions)
        targets = graph.targets.flatten()
        x = torch.tanh(first.of_labels(graph))
        read = [x.index_select(0, targets)]
        for convolution in middle:
            x = torch.tanh(convolution(x, graph))
            read.append(x.index_select(0, targets))
        read.append(torch.tanh(last.at(x, targets, graph)))  # what no target hears is not needed
        users, items = torch.cat(read, dim=1).chunk(2)
        hidden = F.relu(self.dense(torch.cat([users, items], dim=1)))
        predicted: Tensor = self.rating(F.dropout(hidden, self.dropout, self.training))
        return predicted.squeeze(1)

    def adjacent_difference(self) -> Tensor:
        """Σ_l Σ_r ‖W_{r+1}ˡ − W_rˡ‖², a scalar."""
        convolutions = cast(Iterable[RelationalConvolution], self.convolutions)
        return torch.stack([each.adjacent_difference() for each in convolutions]).sum()


class IGMCModule(lightning.LightningModule):
    """Adam on the loss of one network, and the ensemble that it leaves behind.

    Args:
        train: the ratings.
        config: the options.
        generator: source of the initial values.
    """

    def __init__(self, train: RatingMatrix, config: IGMCConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.train_ratings, self.config = train, config
        self.rating_graph = RatingGraph(train)
        self.network = IGMCNetwork(len(self.rating_graph.levels), config, generator)
        self.members = nn.ModuleList(
            copy.deepcopy(self.network) for _ in range(config.ensemble.members)
        ).requires_grad_(False)
        self.register_buffer("complete", torch.tensor(False))
        self.complete: Tensor  # whether the ensemble has all its networks
        self._order: Indices = np.empty(0, np.int64)
        self._seed = 0

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-len(self.train_ratings) // self.config.batch_size)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters = self.network.parameters()
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, fused=True)

    def on_fit_start(self) -> None:
        """Refuse what the convolutions are not written for.

        Raises:
            GlocalkError: another precision than single or double.
        """
        refuse_precision(str(self.trainer.precision), "IGMC")

    def on_train_epoch_start(self) -> None:
        """Draw the epoch's order and the seed of its subgraphs."""
        self._order = torch.randperm(len(self.train_ratings)).numpy()
        self._seed = int(torch.randint(_SEEDS, ()))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate of this update."""
        del batch, batch_idx
        config = self.config
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        decays = self.trainer.global_step // self._updates(config.decay_epochs)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * config.decay**decays

    def training_step(self, batch: int, batch_idx: int) -> Tensor:
        del batch
        size, train = self.config.batch_size, self.train_ratings
        chosen = self._order[batch_idx * size : (batch_idx + 1) * size]
        pairs = train.users[chosen], train.items[chosen]
        predicted = self.network(self.subgraphs(*pairs, self.config.edge_dropout, self._seed))
        ratings = torch.as_tensor(train.ratings[chosen], dtype=predicted.dtype)
        loss = F.mse_loss(predicted, ratings.to(predicted.device))
        loss = loss + self.config.adjacent_regularization * self.network.adjacent_difference()
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(chosen))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take the network into the ensemble where its update has come."""
        del outputs, batch, batch_idx
        updates = self._ensemble_updates()
        for member, update in zip(self.members, updates, strict=True):
            if update == self.trainer.global_step:
                member.load_state_dict(self.network.state_dict())
        if updates[-1] == self.trainer.global_step:
            self.complete.fill_(True)

    def _ensemble_updates(self) -> list[int]:
        """The updates after which the ensemble takes a network; the last is the training's last."""
        config = self.config
        before = [k * config.ensemble.interval for k in range(config.ensemble.members - 1, 0, -1)]
        updates = [self._updates(config.epochs - epochs) for epochs in before]
        return [*updates, config.trained_epochs * self.steps]

    def _updates(self, official_epochs: int) -> int:
        """Updates that stand for so many official epochs within the budget."""
        return max(round(official_epochs * self.config.share * self.steps), 1)

    def subgraphs(
        self, users: Indices, items: Indices, edge_dropout: float, seed: int
    ) -> Subgraphs:
        """The pairs' subgraphs, on the module's device; arguments as in `enclose`."""
        graph = enclose(
            self.rating_graph,
            users,
            items,
            self.config.max_neighbors,
            edge_dropout,
            seed,
            average=self.config.aggregation == "mean",
        )
        return graph.to(self.device)

    @torch.no_grad()
    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        """The prediction as trained so far: [pairs]."""
        networks = list(self.members) if self.complete else [self.network]
        was_training = self.training
        self.eval()
        predicted = np.empty(len(users))
        for first in range(0, len(users), _CHUNK):
            chunk = slice(first, first + _CHUNK)
            graph = self.subgraphs(users[chunk], items[chunk], 0.0, 0)
            outputs = torch.stack([network(graph) for network in networks])
            predicted[chunk] = outputs.double().mean(dim=0).cpu().numpy()
        self.train(was_training)
        return predicted


class IGMC(Completer):
    """One training; the last predictions are the ensemble's."""

    Config = IGMCConfig
    official = "last"  # the official code reports its ensemble after the last epoch

    config: IGMCConfig

    _module: IGMCModule | None = None

    @property
    def schedule(self) -> dict[str, int]:
        return {_STAGE: self.config.trained_epochs}

    @property
    def budget(self) -> float:
        return self.config.share

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: more rating levels than there may be, or an unfit precision.
        """
        refuse_levels(train, "IGMC")
        generator = torch.Generator().manual_seed(context.seed)
        self._module = IGMCModule(train, self.config, generator)
        stage = Stage(_STAGE, self._module, self.config.trained_epochs)
        run_stage(stage, Steps(range(self._module.steps)), context, self.predict_pairs)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        return self._fitted.predict_pairs(users, items)

    def state(self) -> State:
        module = self._fitted
        train = module.train_ratings
        # Predictions need the training ratings as well.
        return {
            "users": torch.tensor(train.users),
            "items": torch.tensor(train.items),
            "ratings": torch.tensor(train.ratings),
            "scale": torch.tensor(train.scale, dtype=torch.float64),
            **{name: part.detach().cpu() for name, part in module.members.state_dict().items()},
        }

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        count = (state["ratings"].numel() if "ratings" in state else 0,)
        ratings, users, items = (take(state, key, count) for key in ("ratings", "users", "items"))
        lowest, highest = take(state, "scale", (2,)).tolist()
        train = RatingMatrix(
            users.numpy(), items.numpy(), ratings.numpy(), shape, (lowest, highest)
        )
        module = IGMCModule(train, self.config, torch.Generator())
        parts = module.members.state_dict()
        module.members.load_state_dict(
            {name: take(state, name, tuple(part.shape)) for name, part in parts.items()}
        )
        module.complete.fill_(True)
        self._module = module

    @property
    def _fitted(self) -> IGMCModule:
        return self._require(self._module)

    @property
    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self._fitted.network.parameters())
