"""GC-MC: graph convolutional matrix completion, without side information.

van den Berg, Kipf, Welling, KDD Deep Learning Day 2018, arXiv 1706.02263; official code
`riannevdberg/gc-mc` (TensorFlow 1). A graph auto-encoder: users and items hear of each other over
the ratings, an edge type for each rating level r = 1 … R, and a decoder makes a distribution over
the levels of what they heard. With nodes as one-hot vectors, embeddings W [nodes, R, width] and
N(·) the neighbors by ratings of any level,

    hᵤ = ReLU( ∥_r Σ_{i ∈ N_r(u)} W_{i,r} / c )              stack: width = hidden / R
    hᵤ = ReLU( Σ_r Σ_{i ∈ N_r(u)} Σ_{s ≤ r} W_{i,s} / c )    sum: width = hidden, ordinal sharing
    c = |N(u)|  (left)   or   √(|N(u)| |N(i)|)  (symmetric)
    zᵤ = D hᵤ;   hᵢ and zᵢ likewise, left: c = |N(i)|, with the same D
    p(r | u, i) = softmax_r Σ_b a_{b,r} zᵤᵀ Q_b zᵢ
    r̂ᵤᵢ = Σ_r p(r | u, i) · level_r,    loss = mean over ratings of −log p(rᵤᵢ | u, i)

trained full-batch by Adam. What the official code does, and a port that lacks it is far off
(`tanimutomo/gcmc` stops at .98 on ML-100K):

- Dropout, .7, acts twice: whole nodes, with the same choice for all levels, and the entries of h.
  Both scale what is left by 1 / .3 and are off in prediction.
- D is shared by users and items and has neither bias nor activation, nor has anything a bias or
  batch normalization. Ordinal sharing belongs to `sum` alone.
- c counts the neighbors over all levels, not those of one.
- Initial values: W and a by Glorot, W's inputs being users and items together and its outputs all
  of `hidden`; Q orthogonal, times 1.1.
- Predictions come from averaged weights w̄ ← d w̄ + (1 − d) w that start at the initial weights.
  TensorFlow lets d grow, d = min(.995, (1 + t) / (10 + t)) after update t: .995 is reached after
  1,790 updates, and an average with .995 throughout would be 37 % initial weights on Douban.
- TensorFlow's Adam adds ε = 1e-8 before it corrects the bias of the second moment, which makes it
  ε / √(1 − .999ᵗ) in the usual form: 3e-7 at first, above the gradients of items with few ratings.

The official code reports the last update. Users and items without training ratings hear nothing,
so all their levels are equally likely: their prediction is the mean of the levels, there as here.

An epoch is `steps` updates, after which the averaged model is evaluated; the official code calls
each update an epoch. Cost and memory of an update grow with ratings × hidden and nodes × width × R.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from glocalk.completers.base import State, take
from glocalk.completers.gc_mc.graph import (
    Accumulation,
    BilinearMixture,
    GraphConvolution,
    Normalization,
    RatingGraph,
    drop,
    expected,
    expected_pairs,
    glorot_limit,
)
from glocalk.completers.stepwise import (
    MOST_LEVELS,
    StepwiseCompleter,
    StepwiseModule,
    refuse_levels,
    refuse_precision,
    take_levels,
)
from glocalk.config import BaseConfig
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.training.context import FitContext

_EPSILON = 1e-8  # of TensorFlow's Adam


class GCMCConfig(BaseConfig):
    """Options of GC-MC."""

    hidden_size: int = Field(ge=1, description="units of the graph convolution")
    embedding_size: int = Field(ge=1, description="length of z")
    accumulation: Accumulation
    normalization: Normalization
    bases: int = Field(ge=1, description="number of matrices Q of the decoder")
    dropout: float = Field(ge=0, lt=1, description="share of nodes, and of units, left out")
    learning_rate: float = Field(gt=0)
    averaging: float = Field(ge=0, lt=1, description="highest decay of the averaged weights")
    epochs: int = Field(ge=1)
    steps: int = Field(ge=1, description="full-batch updates an epoch")


class GCMCNetwork(nn.Module):
    """Encoder and decoder.

    Args:
        shape: (users, items).
        levels: number of rating levels.
        config: the options.
        generator: source of the initial values.
    """

    def __init__(
        self, shape: tuple[int, int], levels: int, config: GCMCConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.convolution = GraphConvolution(
            shape, levels, config.hidden_size, config.accumulation, generator
        )
        size = self.convolution.size
        limit = glorot_limit(size, config.embedding_size)
        self.dense = nn.Parameter(
            torch.empty(size, config.embedding_size).uniform_(-limit, limit, generator=generator)
        )
        self.decoder = BilinearMixture(config.embedding_size, config.bases, levels, generator)

    def embed(self, graph: RatingGraph, share: float = 0.0) -> tuple[Tensor, Tensor]:
        """The z of all users [users, size] and of all items [items, size].

        Args:
            graph: the ratings.
            share: of nodes, and of hidden units, that dropout leaves out.
        """
        dense = self.dense / (1 - share)  # dropout's scale, where there are fewest numbers
        users, items = (drop(hidden, share) @ dense for hidden in self.convolution(graph, share))
        return users, items

    def loss(self, graph: RatingGraph, share: float = 0.0) -> Tensor:
        """Mean cross-entropy of the graph's own ratings; arguments as in `embed`."""
        scores = self.decoder(graph, *self.embed(graph, share))
        return F.cross_entropy(scores.unsqueeze(0), graph.labels.unsqueeze(0))


class Output(NamedTuple):
    """What predictions are made from, see `expected_pairs`.

    `left` is [bases, users, size], `right` [items, size], `coefficients` [bases, levels], `levels`
    [levels].
    """

    left: Tensor
    right: Tensor
    coefficients: Tensor
    levels: Tensor


class GCMCModule(StepwiseModule[Output]):
    """Adam on the loss of one network, and the average of its weights beside it.

    Args:
        train: the ratings.
        config: the options.
        generator: source of the initial values.
    """

    def __init__(self, train: RatingMatrix, config: GCMCConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.train_ratings, self.config = train, config
        self.levels, self.labels = np.unique(train.ratings, return_inverse=True)
        self.network = GCMCNetwork(train.shape, len(self.levels), config, generator)
        self.average = AveragedModel(self.network, multi_avg_fn=polyak(config.averaging))
        self.average.update_parameters(self.network)  # the first is a copy: the initial weights
        self._graphs: dict[tuple[torch.dtype, torch.device], RatingGraph] = {}

    def graph(self) -> RatingGraph:
        """The ratings where the network is and in its precision, made once."""
        key = dtype, device = self.network.dense.dtype, self.network.dense.device
        if key not in self._graphs:
            train = self.train_ratings
            self._graphs[key] = RatingGraph(
                train.users,
                train.items,
                self.labels,
                train.shape,
                len(self.levels),
                self.config.accumulation,
                self.config.normalization,
                dtype,
                device,
                compiled=device.type == "cpu",
            )
        return self._graphs[key]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate, fused=True)

    def on_fit_start(self) -> None:
        """Refuse what the sparse products are not written for.

        Raises:
            GlocalkError: another precision than single or double.
        """
        refuse_precision(str(self.trainer.precision), "GC-MC")

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        del batch, batch_idx  # every step is on all ratings
        loss = self.network.loss(self.graph(), self.config.dropout)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Make ε what it is in TensorFlow's Adam at this update."""
        update = self.trainer.global_step + 1
        for group in optimizer.param_groups:
            group["eps"] = _EPSILON / math.sqrt(1 - group["betas"][1] ** update)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        del outputs, batch, batch_idx
        self.average.update_parameters(self.network)

    def trained(self) -> nn.Module:
        return self.network

    @torch.no_grad()
    def output(self) -> Output:
        """What the averaged network predicts from."""
        network = self.average.module
        assert isinstance(network, GCMCNetwork)
        users, items = network.embed(self.graph())
        levels = torch.from_numpy(self.levels).to(items)
        return Output(
            users @ network.decoder.bases, items, network.decoder.coefficients.detach(), levels
        )


def polyak(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """The update of averaged weights, as in TensorFlow's ExponentialMovingAverage.

    Args:
        decay: the highest, which the number t of updates leads to: min(decay, (1 + t) / (10 + t)).

    Returns:
        A function of averages, weights and t, which changes the averages.
    """

    @torch.no_grad()
    def update(
        averages: Sequence[Tensor], weights: Sequence[Tensor], updates: Tensor | int
    ) -> None:
        t = int(updates)
        share = 1 - min(decay, (1 + t) / (10 + t))
        for average, weight in zip(averages, weights, strict=True):
            average.lerp_(weight, share)

    return update


class GCMC(StepwiseCompleter[Output]):
    """One training; predictions are those of the averaged weights."""

    Config = GCMCConfig
    official = "last"  # the official code prints the averaged model's error after the last update
    config: GCMCConfig

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: more rating levels than there may be, or a precision that the
                sparse products are not written for.
        """
        config = self.config
        stacked = config.accumulation == "stack"
        refuse_levels(train, "GC-MC", config.hidden_size if stacked else MOST_LEVELS)
        generator = torch.Generator().manual_seed(context.seed)
        self._run(GCMCModule(train, config, generator), range(config.steps), context)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        output = self._output()
        pairs = self._tensors(output.right, users, items)
        return expected_pairs(*output, *pairs).double().cpu().numpy()

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        left, right, coefficients, levels = self._output()
        u, i = self._tensors(right, users, items)
        scores = left[:, u] @ right[i].T
        grid = expected(scores.flatten(start_dim=1), coefficients, levels)
        return grid.view(len(users), len(items)).double().cpu().numpy()

    def _take_output(self, state: State, shape: tuple[int, int]) -> Output:
        users, items = shape
        bases, size = self.config.bases, self.config.embedding_size
        levels = take_levels(state)
        return Output(
            take(state, "left", (bases, users, size)),
            take(state, "right", (items, size)),
            take(state, "coefficients", (bases, len(levels))),
            levels,
        )
