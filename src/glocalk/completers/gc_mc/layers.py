"""The layers of GC-MC; `gc_mc.py` has the equations.

Nodes enter as one-hot vectors, so that a layer's product with its input is a choice of rows, and
leaving a node out leaves out its edges.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glocalk.completers.blocks.bilinear import BilinearMixture
from glocalk.completers.blocks.dropout import drop, kept_indices
from glocalk.completers.blocks.glorot import glorot, glorot_limit
from glocalk.completers.blocks.rating_graph import (
    Accumulation,
    Adjacency,
    GatheredAdjacency,
    RatingGraph,
)


class GraphConvolution(nn.Module):
    """A graph convolution of one-hot nodes, with weights for each rating level.

    Args:
        shape: (users, items).
        levels: number of rating levels.
        size: units of the output. Where levels are stacked, each has size // levels of them.
        accumulation: `stack` concatenates the sums of the levels; `sum` adds them, and the weights
            of a level are those of the level below plus its own.
        generator: source of the initial values, Glorot's with the nodes of both sides as inputs.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        levels: int,
        size: int,
        accumulation: Accumulation,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.accumulation, self.levels = accumulation, levels
        width = size // levels if accumulation == "stack" else size
        self.size = width * levels if accumulation == "stack" else size
        limit = glorot_limit(sum(shape), self.size)
        self.users, self.items = (
            nn.Parameter(
                torch.empty(nodes, levels, width).uniform_(-limit, limit, generator=generator)
            )
            for nodes in shape
        )

    def forward(self, graph: RatingGraph, share: float = 0.0) -> tuple[Tensor, Tensor]:
        """ReLU of the messages that users [users, size] and items [items, size] receive.

        Args:
            graph: the ratings.
            share: share of nodes that send no messages; those of the others are scaled up.
        """
        # The order of these draws does not depend on what is computed first.
        users, items = (kept_indices(len(side), share) for side in (self.users, self.items))
        return (
            self._receive(graph.to_users, self.items, items, share),
            self._receive(graph.to_items, self.users, users, share),
        )

    def _receive(
        self,
        adjacency: Adjacency | GatheredAdjacency,
        weight: Tensor,
        kept: Tensor | None,
        share: float,
    ) -> Tensor:
        if kept is not None:
            kept = kept.to(weight.device)
            weight = weight.index_select(0, kept) / (1 - share)
            adjacency = adjacency.of_sources(kept)
        if self.accumulation == "sum":
            # A running sum over levels: as a product, because the backward pass of `cumsum` takes
            # three times as long.
            weight = weight.new_ones(self.levels, self.levels).tril() @ weight
        sums = adjacency.product(weight.flatten(end_dim=1))
        return F.relu(sums.view(-1, self.size))


class Dense(nn.Module):
    """The layer from h to z."""

    embeds_unrated: ClassVar[bool]
    """Whether the z of users and items without training ratings tells anything."""

    @abstractmethod
    def forward(self, users: Tensor, items: Tensor, share: float = 0.0) -> tuple[Tensor, Tensor]:
        """Compute z of the users [users, outputs] and of the items [items, outputs].

        Args:
            users: [users, inputs] h.
            items: [items, inputs] h.
            share: share of the layer's inputs that dropout leaves out.
        """


DenseMaker = Callable[[int, int, torch.Generator], Dense]
"""Makes the layer from the lengths of h and z and a source of initial values."""


class SharedDense(Dense):
    """z = dropout(h) D, with one D for users and items.

    Args:
        inputs: length of h.
        outputs: length of z.
        generator: source of the initial values, Glorot's.
    """

    embeds_unrated = False

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = glorot(inputs, outputs, generator)

    def forward(self, users: Tensor, items: Tensor, share: float = 0.0) -> tuple[Tensor, Tensor]:
        weight = self.weight / (1 - share)  # dropout's scale, applied to the smallest matrix
        return drop(users, share) @ weight, drop(items, share) @ weight


class GCMCNetwork(nn.Module):
    """Encoder and decoder.

    Args:
        convolution: from ratings to h.
        dense: from h to z.
        decoder: from z to scores.
    """

    def __init__(
        self, convolution: GraphConvolution, dense: Dense, decoder: BilinearMixture
    ) -> None:
        super().__init__()
        self.convolution, self.dense, self.decoder = convolution, dense, decoder

    def embed(self, graph: RatingGraph, share: float = 0.0) -> tuple[Tensor, Tensor]:
        """The z of all users [users, size] and of all items [items, size].

        Args:
            graph: the ratings.
            share: share of nodes, and of hidden units, that dropout leaves out.
        """
        embedded: tuple[Tensor, Tensor] = self.dense(*self.convolution(graph, share), share)
        return embedded

    def loss(self, graph: RatingGraph, share: float = 0.0) -> Tensor:
        """Mean cross-entropy of the graph's own ratings; arguments as in `embed`."""
        scores = self.decoder(graph, *self.embed(graph, share))
        return F.cross_entropy(scores.unsqueeze(0), graph.labels.unsqueeze(0))
