"""The network of F-EAE; `f_eae.py` has the equations."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glocalk.completers.blocks.glorot import glorot_limit

DECODER_LAYERS = 3  # hidden layers after the decoder's first

_SLOPE = 0.01  # of the activation below 0
_EPSILON = 1e-3  # added to the number of entries that a mean is over


class Entries(NamedTuple):
    """Cells of the matrix; [n] each.

    Attributes:
        users: user of each.
        items: item of each.
        labels: level of each.
        shape: (users, items) of the matrix.
    """

    users: Tensor
    items: Tensor
    labels: Tensor
    shape: tuple[int, int]

    def means(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Means of x [n, units] by user, by item, and of all: [users, ·], [items, ·], [·]."""
        by_user, by_item = (
            _sums(x, index, size) / (_sums(x.new_ones(len(x), 1), index, size) + _EPSILON)
            for index, size in zip((self.users, self.items), self.shape, strict=True)
        )
        return by_user, by_item, x.sum(dim=0) / (len(x) + _EPSILON)


class Parts(NamedTuple):
    """What a layer adds to x θ₀.

    Attributes:
        users: [users, units].
        items: [items, units], with what is the same for all cells.
    """

    users: Tensor
    items: Tensor

    def at(self, users: Tensor, items: Tensor) -> Tensor:
        """Of the cells (users[k], items[k]): [n, units]."""
        return F.embedding(users, self.users) + F.embedding(items, self.items)


class ExchangeableLayer(nn.Module):
    """x θ₀ + means over items' cells θ₁ + over users' cells θ₂ + over all θ₃.

    Args:
        inputs: units of x.
        outputs: units of the result.
        deviation: standard deviation of the initial values, which are normal.
        generator: their source.
    """

    def __init__(
        self, inputs: int, outputs: int, deviation: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.empty(4, inputs, outputs))
        nn.init.normal_(self.weights, 0, deviation, generator)

    def parts(self, x: Tensor, entries: Entries) -> Parts:
        """All but x θ₀, from the cells that are averaged and their x [n, inputs]."""
        by_user, by_item, mean = entries.means(x)
        _, of_item, of_user, of_all = self.weights
        return Parts(by_user @ of_user, by_item @ of_item + mean @ of_all)

    def add(self, x: Tensor, parts: Parts, users: Tensor, items: Tensor) -> Tensor:
        """Of the cells (users[k], items[k]), from their x and what `parts` returned."""
        return x @ self.weights[0] + parts.at(users, items)

    def forward(self, x: Tensor, entries: Entries) -> Tensor:
        """[n, inputs] → [n, outputs], for the cells that are averaged."""
        return self.add(x, self.parts(x, entries), entries.users, entries.items)


class FEAENetwork(nn.Module):
    """Encoder to vectors of users and of items, and decoder of the cells.

    Args:
        levels: number of rating levels.
        hidden_size: units of a hidden layer.
        latent_size: length of the vectors.
        deviation: standard deviation of the initial weights of layers.
        generator: source of the initial values.
    """

    def __init__(
        self,
        levels: int,
        hidden_size: int,
        latent_size: int,
        deviation: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.levels = levels
        widths = [levels, hidden_size, hidden_size, latent_size]
        self.encoder = nn.ModuleList(
            ExchangeableLayer(*sizes, deviation, generator) for sizes in pairwise(widths)
        )
        self.pooled = nn.Parameter(torch.empty(2, latent_size, latent_size))
        limit = glorot_limit(latent_size, latent_size)
        nn.init.uniform_(self.pooled, -limit, limit, generator)
        self.first = nn.Parameter(torch.empty(2, latent_size, hidden_size))
        nn.init.normal_(self.first, 0, deviation, generator)
        widths = [hidden_size] * (1 + DECODER_LAYERS)
        self.decoder = nn.ModuleList(
            ExchangeableLayer(*sizes, deviation, generator) for sizes in pairwise([*widths, levels])
        )

    def encode(self, entries: Entries) -> Parts:
        """The decoder's first layer, before its activation: what users and items add to a cell."""
        x = F.one_hot(entries.labels, self.levels).to(self.first)
        *hidden, last = cast(Iterable[ExchangeableLayer], self.encoder)
        for layer in hidden:
            x = activation(layer(x, entries))
        by_user, by_item, _ = entries.means(last(x, entries))
        of_user, of_item = self.pooled @ self.first
        return Parts(by_user @ of_user, by_item @ of_item)

    def decode(
        self, entries: Entries, first: Parts, dropout: float = 0.0
    ) -> tuple[list[Parts], Tensor]:
        """What users and items add in each of the decoder's layers, and the scores [n, levels].

        Args:
            entries: the cells.
            first: what `encode` returned.
            dropout: share of units left out before each of the last two layers.
        """
        parts, x = [first], activation(first.at(entries.users, entries.items))
        for number, layer in enumerate(cast(Iterable[ExchangeableLayer], self.decoder), 1):
            x = F.dropout(x, dropout) if number >= DECODER_LAYERS else x
            parts.append(layer.parts(x, entries))
            x = layer.add(x, parts[-1], entries.users, entries.items)
            if number <= DECODER_LAYERS:
                x = activation(x)
        return parts, x

    def loss(self, entries: Entries, dropout: float) -> Tensor:
        """Mean cross-entropy of the cells, which are the encoder's input as well."""
        _, scores = self.decode(entries, self.encode(entries), dropout)
        return F.cross_entropy(scores, entries.labels)


def activation(x: Tensor) -> Tensor:
    """Leaky ReLU."""
    return F.leaky_relu(x, _SLOPE)


def _sums(x: Tensor, index: Tensor, size: int) -> Tensor:
    return x.new_zeros(size, x.shape[1]).index_add(0, index, x)
