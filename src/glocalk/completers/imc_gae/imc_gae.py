"""IMC-GAE: inductive matrix completion using a graph auto-encoder.

Shen, Zhang, Tian, Zeng, He, Dou, Xu, CIKM 2021, arXiv 2108.11124; official code
`swtheing/IMC-GAE` (PyTorch 1.4, DGL 0.5). Nodes are users and items, an edge is a rating with its
level r = 1 … R. A node has three features: its identity, its role (user or item), and one that all
nodes have. With W_r their embeddings at level r, [features, width], and N(u) all neighbors of u,

    W_r = Σ_b a_{r,b} B_b
    hᵤ = tanh( Σ_r Σ_{i ∈ N_r(u)} [W_r,i | W_r,item | W_r,all] / √(|N(u)| |N(i)|) )    3 width
    oᵤ¹ = D₁ hᵤ + d₁
    oᵤˡ = D_l tanh( Σ_r Σ_{i ∈ N_r(u)} oᵢˡ⁻¹ / √(|N(u)| |N(i)|) ) + d_l,   l = 2 … layers
    zᵤ = Σ_l oᵤˡ / l;   hᵢ, oᵢ and zᵢ likewise, with the same D and d
    p(r | u, i) = softmax_r Σ_b c_{b,r} zᵤᵀ Q_b zᵢ
    r̂ᵤᵢ = Σ_r p(r | u, i) · level_r
    loss = mean over ratings of −log p(rᵤᵢ | u, i) − λ Σ_{r ≥ 2} Σ_features cos(W_r, W_{r−1})

trained full-batch by Adam on gradients of norm at most 1. The last term keeps embeddings of
adjacent levels similar. Details of the official code:

- Dropout (.7) is applied twice in a layer: to the nodes that send messages, with another choice for
  each level, and to the entries of tanh(·). It is .1 lower in each further layer.
- Layers after the first have no weights for levels: the code makes them, but never uses them. They
  are left out here, and not counted.
- The initial B is Glorot's as torch understands it for a tensor [bases, features, width]: within
  ± √(6 / (width (features + bases))), a tenth or less of what it is for each matrix.
- 5 or 10 % of the training ratings are held out. After each update their RMSE is taken, without
  dropout and from the messages of the other ratings. After more than `decay_patience` updates
  without a lower one the learning rate is halved, down to a tenth; there, training stops after more
  than `patience` such updates. The network with the lowest RMSE predicts, with messages along all
  training ratings, those held out included.

The same is done here: the ratings held out are training ratings of the run, drawn by its seed, and
predictions at any time are those of the best network so far. Differences:

- Training ends after `epochs` epochs at the latest; after 49,999 updates there. An epoch is `steps`
  updates. Those after the stop change nothing.
- Levels that only ratings held out have are levels; there, messages along them are lost.
- At least one rating is trained on. If none can be held out, the last network predicts.

A training may run under a budget, a share of `epochs`: both patiences are multiplied by it.
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple, cast

import numpy as np
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from glocalk.completers.base import State, take
from glocalk.completers.blocks.bilinear import BilinearCompleter, BilinearOutput, expected_pairs
from glocalk.completers.blocks.rated import rated
from glocalk.completers.blocks.rating_graph import RatingGraph
from glocalk.completers.imc_gae.config import IMCGAEConfig
from glocalk.completers.imc_gae.network import IMCGAENetwork
from glocalk.completers.stepwise import EpochLoader, StepwiseModule, dtype_of, refuse_levels
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.training.context import FitContext


class IMCGAEModule(StepwiseModule[BilinearOutput]):
    """Adam on the loss of a network, and the best network so far.

    A step of Lightning makes the updates of an epoch.

    Args:
        train: the ratings.
        config: the options.
        generator: source of the ratings that are held out and of the initial values.
        dtype: precision of the graphs; the Trainer's precision gives that of the network.

    Attributes:
        network: the network that is trained.
        best: its copy after the update with the lowest held-out error.
        graph: the ratings that it is trained on.
        held: those held out.
    """

    automatic_optimization = False

    config: IMCGAEConfig
    best_error: Tensor
    waited: Tensor
    stopped: Tensor
    loss: Tensor

    def __init__(
        self,
        train: RatingMatrix,
        config: IMCGAEConfig,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.config = config
        count = min(math.ceil(config.held_out * len(train)), len(train) - 1)
        order = torch.randperm(len(train), generator=generator).numpy()
        self.held, kept = train.select(order[:count]), train.select(order[count:])
        self._whole = RatingGraph(train, "sum", "symmetric", dtype)
        self.graph = RatingGraph(kept, "sum", "symmetric", dtype, self._whole.levels)
        levels = len(self._whole.levels)
        self.network = IMCGAENetwork(train.shape, levels, **config.sizes, generator=generator)
        self.best = copy.deepcopy(self.network).requires_grad_(False)
        for name, value in (
            ("best_error", torch.tensor(math.inf, dtype=torch.float64)),
            ("waited", torch.tensor(0)),
            ("stopped", torch.tensor(False)),
            ("loss", torch.tensor(math.nan)),
        ):
            self.register_buffer(name, value)

    def batches(self) -> EpochLoader[RatingGraph]:
        """One batch an epoch: all ratings."""
        return EpochLoader(lambda: iter([self.graph]), 1)

    def training_step(self, batch: RatingGraph, batch_idx: int) -> None:
        """Make the updates of an epoch, until the training stops."""
        del batch_idx
        optimizer = cast(LightningOptimizer, self.optimizers())
        losses = []
        for _ in range(self.config.steps):
            if self.stopped:
                break
            config = self.config
            loss = self.network.loss(batch, config.dropout, config.adjacent_regularization)
            optimizer.zero_grad()
            self.manual_backward(loss)
            nn.utils.clip_grad_norm_(self.network.parameters(), config.max_norm)
            optimizer.step()
            losses.append(loss.detach())
            self._judge(batch, optimizer)
        if losses:
            self.loss = torch.stack(losses).mean()
        self.log("loss", self.loss)

    @torch.no_grad()
    def _judge(self, graph: RatingGraph, optimizer: LightningOptimizer) -> None:
        """Keep the network if it is the best so far, otherwise wait, decay or stop."""
        config, (rates,) = self.config, optimizer.param_groups
        error = self._held_out_error(graph)
        if len(self.held) == 0 or error < self.best_error:
            self.best.load_state_dict(self.network.state_dict())
            self.best_error.copy_(error)
            self.waited.zero_()
            return
        self.waited += 1
        if self.waited > config.patience * config.share and rates["lr"] <= config.min_learning_rate:
            self.stopped.fill_(True)
        elif self.waited > config.decay_patience * config.share:
            lower = max(rates["lr"] * config.decay, config.min_learning_rate)
            if lower < rates["lr"]:
                rates["lr"] = lower
                self.waited.zero_()

    def _held_out_error(self, graph: RatingGraph) -> Tensor:
        """Mean squared error of the network on the ratings held out; not a number without any."""
        output = self._output_of(self.network, graph)
        users, items, ratings = (
            torch.tensor(part, device=output.right.device)
            for part in (self.held.users, self.held.items, self.held.ratings)
        )
        predicted = expected_pairs(*output[:4], users, items)
        return (predicted - ratings).square().mean(dtype=torch.float64)

    def trained(self) -> nn.Module:
        return self.network

    @torch.no_grad()
    def output(self) -> BilinearOutput:
        """What the best network predicts from."""
        return self._output_of(self.best, self._whole.to(self.best.decoder.bases.device))

    def _output_of(self, network: IMCGAENetwork, graph: RatingGraph) -> BilinearOutput:
        users, items = network.embed(graph)
        decoder = network.decoder
        return BilinearOutput(
            users @ decoder.bases,
            items,
            decoder.coefficients.detach(),
            torch.from_numpy(graph.levels).to(items),
            items.new_zeros(len(users)),
        )


class Unrated(NamedTuple):
    """Users and items without training ratings, and what pairs of both are predicted to be.

    `users` is [users], `items` [items], both 1 for those and 0 for others; `mean` is a scalar.
    """

    users: Tensor
    items: Tensor
    mean: Tensor

    @classmethod
    def of(cls, train: RatingMatrix) -> Unrated:
        """Those of `train`, with the mean of its ratings."""
        users, items = (torch.from_numpy(~side).long() for side in rated(train))
        return cls(users, items, torch.tensor(train.ratings.mean()))


class IMCGAE(BilinearCompleter):
    """IMC-GAE: a graph auto-encoder on identities and roles of users and items.

    Predictions are those of the network with the lowest error on held-out ratings.

    Users and items without training ratings receive no messages: as in the official code their z is
    Σ_l d_l / l, of an average node. Where both are without training ratings the prediction is the
    mean of the training ratings; there, it is what the network makes of two such nodes.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> model = glocalk.IMCGAE(hidden_size=12, embedding_size=4, epochs=2, steps=5)
        >>> model.fit(ratings, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = IMCGAEConfig
    official = "last"  # the network that the ratings held out choose
    config: IMCGAEConfig

    _unrated: Unrated | None = None

    @property
    def _form(self) -> tuple[int, int]:
        return self.config.bases, self.config.embedding_size

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: there are more rating levels than allowed, or no compiled loops for the
                precision.
        """
        refuse_levels(train, "IMC-GAE")
        dtype = dtype_of(context, "IMC-GAE")
        generator = torch.Generator().manual_seed(context.seed)
        module = IMCGAEModule(train, self.config, generator, dtype)
        self._unrated = Unrated.of(train)
        self._train(module, context)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        predicted = super().predict_pairs(users, items)
        unrated = self._require(self._unrated)
        both = unrated.users.numpy()[users] & unrated.items.numpy()[items]
        predicted[both == 1] = unrated.mean.item()
        return predicted

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        predicted = super().predict_grid(users, items)
        unrated = self._require(self._unrated)
        both = np.outer(unrated.users.numpy()[users], unrated.items.numpy()[items])
        predicted[both == 1] = unrated.mean.item()
        return predicted

    def state(self) -> State:
        unrated = self._require(self._unrated)
        named = {f"unrated_{name}": part for name, part in unrated._asdict().items()}
        return {**super().state(), **named}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        super().restore(state, shape)
        users, items = (
            take(state, f"unrated_{side}", (size,), whole=True)
            for side, size in zip(("users", "items"), shape, strict=True)
        )
        self._unrated = Unrated(users, items, take(state, "unrated_mean", ()))
