"""The network of IMC-GAE; `imc_gae.py` has the equations."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glocalk.completers.blocks.bilinear import BilinearMixture
from glocalk.completers.blocks.dropout import drop, kept_indices
from glocalk.completers.blocks.glorot import glorot_limit
from glocalk.completers.blocks.rating_graph import Adjacency, GatheredAdjacency, RatingGraph

FEATURES = 3  # of a node: its identity, its role, and one that all nodes have

_COMMON, _USER, _ITEM = range(FEATURES)  # rows of features that are not identities
_DROPOUT_STEP = 0.1  # from one layer to the next, in the official code
_LEAST = 1e-8  # of the product of two norms


class FeatureLayer(nn.Module):
    """h of the first layer, from the embeddings W of a node's features for each rating level.

    Args:
        shape: (users, items).
        levels: number of rating levels.
        width: length of the embedding of one feature; h has three of them.
        bases: number of matrices B that W is made from.
        generator: source of the initial values: Glorot's, as torch counts the inputs and outputs
            of a tensor with three dimensions.

    Attributes:
        basis: [nodes, bases, width] B, the nodes being the rows of `_COMMON`, `_USER` and `_ITEM`,
            then the users, then the items.
        attention: [levels, bases] a, with W_r = Σ_b a_{r,b} B_b.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        levels: int,
        width: int,
        bases: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape, self.levels, self.width = shape, levels, width
        rows = FEATURES + sum(shape)
        limit = glorot_limit(rows * width, bases * width)
        self.basis = nn.Parameter(torch.empty(rows, bases, width))
        nn.init.uniform_(self.basis, -limit, limit, generator)
        limit = glorot_limit(bases, levels)
        self.attention = nn.Parameter(torch.empty(levels, bases))
        nn.init.uniform_(self.attention, -limit, limit, generator)

    def forward(self, graph: RatingGraph, share: float = 0.0) -> tuple[Tensor, Tensor]:
        """The messages that users [users, 3 width] and items [items, 3 width] receive.

        Args:
            graph: the ratings.
            share: share of the nodes that send no messages, drawn for each level.
        """
        common, user, item, rows = (self.attention @ self.basis).split(
            [1, 1, 1, sum(self.shape)]
        )  # [·, levels, width]
        users, items = rows.split(self.shape)
        return (
            self._receive(graph.to_users, items, torch.cat([item, common]), share),
            self._receive(graph.to_items, users, torch.cat([user, common]), share),
        )

    def _receive(
        self,
        adjacency: Adjacency | GatheredAdjacency,
        identities: Tensor,
        others: Tensor,
        share: float,
    ) -> Tensor:
        kept, adjacency = _kept(adjacency, share, identities.device)
        # Role and common feature are the same for all sources: their messages are sums of weights
        # of edges [targets, levels], which one more column for each level gives.
        weights = F.one_hot(kept % self.levels, self.levels).to(identities)
        of_kept = identities.flatten(end_dim=1).index_select(0, kept)
        sums = adjacency.product(torch.cat([of_kept, weights], dim=1) / (1 - share))
        by_identity, by_level = sums.split([self.width, self.levels], dim=1)
        return torch.cat([by_identity, *(by_level @ each for each in others)], dim=1)

    def adjacent_similarity(self) -> Tensor:
        """Σ_r Σ_rows cos(W_r, W_{r−1}): a scalar."""
        # From products of the bases with one another, so that W need not be read again.
        products = self.basis @ self.basis.mT  # [rows, bases, bases]
        weighted = self.attention @ products  # [rows, levels, bases]
        squares = (weighted * self.attention).sum(dim=2)
        scalar = (weighted[:, 1:] * self.attention[:-1]).sum(dim=2)
        norms = (squares[:, 1:] * squares[:, :-1]).clamp(min=_LEAST**2).sqrt()
        return (scalar / norms).sum()


class IMCGAENetwork(nn.Module):
    """Layers that exchange messages, and a decoder.

    Args:
        shape: (users, items).
        levels: number of rating levels.
        hidden_size: length of the first layer's h, rounded down to a multiple of three.
        embedding_size: length of o and z.
        layers: their number.
        message_bases: number of matrices B.
        bases: number of matrices Q of the decoder.
        generator: source of the initial values.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        levels: int,
        *,
        hidden_size: int,
        embedding_size: int,
        layers: int,
        message_bases: int,
        bases: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        width = hidden_size // FEATURES
        self.levels = levels
        self.first = FeatureLayer(shape, levels, width, message_bases, generator)
        sizes = [FEATURES * width, *[embedding_size] * (layers - 1)]
        self.dense = nn.ModuleList(_dense(size, embedding_size, generator) for size in sizes)
        self.decoder = BilinearMixture(embedding_size, bases, levels, generator)

    def embed(self, graph: RatingGraph, share: float = 0.0) -> tuple[Tensor, Tensor]:
        """The z of all users [users, size] and of all items [items, size].

        Args:
            graph: the ratings.
            share: share of nodes, and of hidden units, that the first layer leaves out.
        """
        users, items = self._outputs(0, self.first(graph, share), share)
        of_users, of_items = users, items
        for number in range(1, len(self.dense)):
            rate = max(share - _DROPOUT_STEP * number, 0.0)
            to_users = self._send(graph.to_users, of_items, rate)
            to_items = self._send(graph.to_items, of_users, rate)
            of_users, of_items = self._outputs(number, (to_users, to_items), rate)
            users, items = users + of_users / (number + 1), items + of_items / (number + 1)
        return users, items

    def _send(
        self, adjacency: Adjacency | GatheredAdjacency, sources: Tensor, rate: float
    ) -> Tensor:
        """The messages [targets, size] of nodes [sources, size], the same along every level."""
        kept, adjacency = _kept(adjacency, rate, sources.device)
        return adjacency.product(sources.index_select(0, kept // self.levels) / (1 - rate))

    def _outputs(
        self, number: int, messages: tuple[Tensor, Tensor], rate: float
    ) -> tuple[Tensor, Tensor]:
        """The o of users and items in the layer with this number."""
        dense = cast(nn.Linear, self.dense[number])
        weight = dense.weight / (1 - rate)  # dropout's scale, applied to the smallest matrix
        of_users, of_items = (
            F.linear(drop(torch.tanh(sums), rate), weight, dense.bias) for sums in messages
        )
        return of_users, of_items

    def loss(self, graph: RatingGraph, share: float, regularization: float) -> Tensor:
        """Mean cross-entropy of the graph's own ratings, less λ times the similarity."""
        scores = self.decoder(graph, *self.embed(graph, share))
        # Levels first, as in `BilinearMixture`.
        loss = F.cross_entropy(scores.unsqueeze(0), graph.labels.unsqueeze(0))
        if regularization:
            loss = loss - regularization * self.first.adjacent_similarity()
        return loss


def _dense(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    limit = glorot_limit(inputs, outputs)
    nn.init.uniform_(layer.weight, -limit, limit, generator)
    nn.init.uniform_(layer.bias, -(inputs**-0.5), inputs**-0.5, generator)
    return layer


def _kept(
    adjacency: Adjacency | GatheredAdjacency, share: float, device: torch.device
) -> tuple[Tensor, Adjacency | GatheredAdjacency]:
    """Columns that send messages: all without a random share of them, [n], and only these.

    Of those without ratings none is taken: they send nothing. Where levels are many, these are
    nearly all.
    """
    kept = kept_indices(len(adjacency.is_filled), share)
    if kept is None:
        return adjacency.filled
    kept = kept[adjacency.is_filled[kept]].to(device)
    return kept, adjacency.of_columns(kept)
