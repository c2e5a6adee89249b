"""IGMC: inductive matrix completion by a graph network on each pair's neighborhood.

Zhang, Chen, "Inductive Matrix Completion Based on Graph Neural Networks", ICLR 2020; official code
`muhanzhang/IGMC` (PyTorch 1.4, PyTorch Geometric 1.4.2). Users and items have no parameters: the
rating of a pair is predicted from the ratings around it. The nodes of the pair's enclosing
subgraph, see `subgraphs.py`, are labeled 0 (the user), 1 (the item), 2 (other users), 3 (other
items). Their one-hot vectors are x⁰ [nodes, 4], and

    xˡ = tanh(W₀ˡ xˡ⁻¹ + bˡ + Σ_r c_r Σ_{m ∈ N_r} W_rˡ xˡ⁻¹_m),   l = 1 … layers,   [nodes, hidden]
    r̂ᵤᵢ = w₂ᵀ dropout(ReLU(W₁ [xᵤ¹ … xᵤᴸ xᵢ¹ … xᵢᴸ] + b₁)) + b₂
    loss = mean over a batch of (r − r̂)² + λ Σ_l Σ_r ‖W_{r+1}ˡ − W_rˡ‖²,   W_rˡ = Σ_b a_{r,b}ˡ B_bˡ

The last sum keeps the weights of neighboring rating levels close.

Details of the official code that the paper does not mention, or describes differently:

- Neighbors are summed, c_r = 1. The paper divides by their number, c_r = 1 / |N_r|, and so does
  the R-GCN of PyTorch Geometric from 1.6 on, with which a user got .922 on ML-100K (issue 19);
  that of 1.4.2 does not. `aggregation` chooses.
- Where there are more neighbors than allowed, each epoch draws them anew. Edge dropout also leaves
  out other edges in each epoch, and each direction independently.
- The reported figure is the error of the mean prediction of four networks: that after the last
  epoch, and those 10, 20 and 30 epochs before it (ML-1M: 5, 10 and 15).

As there, predictions before the last epoch come from the network as trained so far. Predictions of
a pair draw the same neighbors at any time.

A training may run under a budget, a share of the official epochs: the learning rate then decays,
and the four networks are taken, when that share of the official updates is done.
"""

from __future__ import annotations

import copy
from typing import Any, Self

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from glocalk.completers.base import Completer, State, take
from glocalk.completers.blocks.rated import rated
from glocalk.completers.igmc.batches import Batch, RatedPairs, RatingDataset, ShuffledBatches
from glocalk.completers.igmc.config import IGMCConfig
from glocalk.completers.igmc.network import IGMCNetwork
from glocalk.completers.igmc.subgraphs import RatingGraph, Subgraphs, enclose
from glocalk.completers.stepwise import STAGE, TrainingData, dtype_of, refuse_levels
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.inference.newcomers import NewRatings
from glocalk.training.context import FitContext
from glocalk.training.stage import Stage, run_stage

_CHUNK = 200  # pairs that are predicted at a time


class IGMCModule(lightning.LightningModule):
    """Adam on the loss of one network, and the ensemble of its earlier states.

    Args:
        train: the ratings.
        config: the options.
        generator: source of the initial values.
    """

    def __init__(self, train: RatingMatrix, config: IGMCConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.train_ratings, self.config = train, config
        self.rating_graph = RatingGraph(train)
        self.network = IGMCNetwork(
            len(self.rating_graph.levels), **config.sizes, generator=generator
        )
        self.members = nn.ModuleList(
            copy.deepcopy(self.network) for _ in range(config.ensemble.members)
        ).requires_grad_(False)
        self.register_buffer("complete", torch.tensor(False))
        self.complete: Tensor  # whether the ensemble has all its networks
        self._sampler = ShuffledBatches(len(train), config.batch_size)
        self._rated_users, _ = rated(train)
        self._mean = float(train.ratings.mean())

    def batches(self) -> DataLoader[RatedPairs]:
        """The batches of an epoch."""
        return DataLoader(
            RatingDataset(self.train_ratings),
            sampler=self._sampler,
            batch_size=None,  # the sampler chooses whole batches
            collate_fn=self.collate,  # type: ignore[arg-type]  # torch expects a list of samples
            # A loader draws a seed when its iteration starts: from torch's generator, it would do
            # so before an epoch is seeded, but after that in a resumed training.
            generator=torch.Generator(),
        )

    def collate(self, pairs: RatedPairs) -> Batch:
        """The pairs' subgraphs with edges left out, and their ratings."""
        graph = self._enclose(pairs.users, pairs.items, self.config.edge_dropout, pairs.seed)
        return Batch(graph, torch.from_numpy(pairs.ratings))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters = self.network.parameters()
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, fused=True)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate of this update."""
        del batch, batch_idx
        config = self.config
        decays = self.trainer.global_step // self._updates(config.decay_epochs)
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * config.decay**decays

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        del batch_idx
        predicted = self.network(batch.subgraphs, self.config.dropout)
        loss = F.mse_loss(predicted, batch.ratings.to(predicted.dtype))
        loss = loss + self.config.adjacent_regularization * self.network.adjacent_difference()
        self.log(
            "loss", loss, on_step=False, on_epoch=True, logger=False, batch_size=len(predicted)
        )
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Copy the network into the ensemble after the updates chosen for it."""
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
        return [*updates, config.trained_epochs * len(self._sampler)]

    def _updates(self, official_epochs: int) -> int:
        """Number of updates within the budget that correspond to so many official epochs."""
        return max(round(official_epochs * self.config.share * len(self._sampler)), 1)

    def _enclose(self, users: Indices, items: Indices, edge_dropout: float, seed: int) -> Subgraphs:
        """The pairs' subgraphs, on the CPU; arguments as in `enclose`."""
        return enclose(
            self.rating_graph,
            users,
            items,
            self.config.max_neighbors,
            edge_dropout,
            seed,
            average=self.config.aggregation == "mean",
        )

    @torch.no_grad()
    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        """The predictions as trained so far: [pairs]."""
        networks = list(self.members) if self.complete else [self.network]
        predicted = np.empty(len(users))
        for first in range(0, len(users), _CHUNK):
            chunk = slice(first, first + _CHUNK)
            graph = self._enclose(users[chunk], items[chunk], 0.0, 0).to(self.device)
            outputs = torch.stack([network(graph) for network in networks])
            predicted[chunk] = outputs.double().mean(dim=0).cpu().numpy()
        predicted[~self._rated_users[users]] = self._mean
        return predicted


class IGMC(Completer):
    """IGMC: a graph network on the subgraph of ratings around each pair.

    After the last epoch, predictions are those of the ensemble.

    An item without training ratings is a node without neighbors; the prediction then comes from the
    user's neighborhood and the weights, as in the official code. For a user without training
    ratings, the prediction is the mean of the training ratings.

    New ratings become edges of the graph. They are in the subgraphs of other pairs too, so that
    predictions for known pairs near a new user or item change.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> ensemble = {"members": 2, "interval": 1}
        >>> model = glocalk.IGMC(layers=2, dense_size=4, epochs=2, ensemble=ensemble)
        >>> model.fit(ratings, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = IGMCConfig
    official = "last"  # the official code reports its ensemble after the last epoch
    uses_trainer = True

    config: IGMCConfig

    _module: IGMCModule | None = None

    @property
    def schedule(self) -> dict[str, int]:
        return {STAGE: self.config.trained_epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: there are more rating levels than allowed, or no compiled loops for the
                precision.
        """
        refuse_levels(train, "IGMC")
        dtype = dtype_of(context, "IGMC")
        generator = torch.Generator().manual_seed(context.seed)
        # Lightning would convert it only after loading a checkpoint, which would lose digits.
        self._module = IGMCModule(train, self.config, generator).to(dtype)
        stage = Stage(STAGE, self._module, self.schedule[STAGE])
        run_stage(stage, TrainingData(self._module.batches()), context, self.predict_pairs)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        return self._require(self._module).predict_pairs(users, items)

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset({"users", "items"})

    def fold_in_matrix(self, new: NewRatings) -> Self:
        state, parts = dict(self.state()), ("users", "items", "ratings")
        unknown = np.setdiff1d(new.triples[2], state["ratings"].numpy())
        if len(unknown):
            raise GlocalkError(
                f"IGMC has no weights for the rating {unknown[0]:g}, which is not among the "
                "training ratings: leave it out, or round it to one of them."
            )
        for name, given in zip(parts, new.triples, strict=True):
            state[name] = torch.cat([state[name], torch.from_numpy(given)])
        extended = self.unfitted()
        extended.restore(state, new.shape)
        return extended

    def state(self) -> State:
        module = self._require(self._module)
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
        ratings = take(state, "ratings", count)
        users, items = (take(state, name, count, whole=True) for name in ("users", "items"))
        lowest, highest = take(state, "scale", (2,)).tolist()
        train = RatingMatrix(
            users.numpy(), items.numpy(), ratings.numpy(), shape, (lowest, highest)
        )
        refuse_levels(train, "IGMC")
        if self.config.ensemble.members * self.config.layers > len(state):
            raise GlocalkError("The saved state has fewer layers than the options.")
        with torch.device("meta"):  # takes no memory: the shapes are compared first
            network = IGMCNetwork(len(set(ratings.tolist())), **self.config.sizes, generator=None)
        members = {
            f"{number}.{name}": take(state, f"{number}.{name}", tuple(part.shape))
            for number in range(self.config.ensemble.members)
            for name, part in network.state_dict().items()
        }
        module = IGMCModule(train, self.config, torch.Generator())
        module.members.load_state_dict(members)
        module.complete.fill_(True)
        self._module = module

    @property
    def num_parameters(self) -> int:
        network = self._require(self._module).network
        return sum(parameter.numel() for parameter in network.parameters())
