"""The network of IGMC; `igmc.py` has the equations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glocalk.completers.igmc.convolution import RelationalConvolution
from glocalk.completers.igmc.subgraphs import LABELS, Subgraphs


class IGMCNetwork(nn.Module):
    """Convolutions on enclosing subgraphs, and dense layers on their targets.

    Initial values are those of the official code's libraries: uniform, see
    `RelationalConvolution`, and within ± 1 / √inputs for the dense layers.

    Args:
        levels: number of rating levels.
        hidden_size: units of each convolution.
        layers: number of convolutions.
        bases: number of matrices B of each convolution.
        dense_size: units of the layer before the rating.
        generator: source of the initial values; None on the meta device, which has none.
    """

    def __init__(
        self,
        levels: int,
        *,
        hidden_size: int,
        layers: int,
        bases: int,
        dense_size: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        widths = [LABELS, *[hidden_size] * layers]
        self.convolutions = nn.ModuleList(
            RelationalConvolution(inputs, outputs, levels, bases, generator)
            for inputs, outputs in pairwise(widths)
        )

        def dense(inputs: int, outputs: int) -> nn.Linear:
            layer = nn.Linear(inputs, outputs)
            for parameter in layer.parameters():
                limit = 1 / math.sqrt(inputs)
                nn.init.uniform_(parameter, -limit, limit, generator=generator)
            return layer

        self.dense = dense(2 * layers * hidden_size, dense_size)
        self.rating = dense(dense_size, 1)

    def forward(self, graph: Subgraphs, dropout: float = 0.0) -> Tensor:
        """Predicted rating of each pair: [pairs].

        Args:
            graph: the subgraphs of the pairs.
            dropout: share of the dense layer's units that are left out. An argument, so that
                predictions need not switch the network to evaluation and back.
        """
        first, *middle, last = cast(Iterable[RelationalConvolution], self.convolutions)
        targets = graph.targets.flatten()
        x = torch.tanh(first.of_labels(graph))
        read = [x.index_select(0, targets)]
        for convolution in middle:
            x = torch.tanh(convolution(x, graph))
            read.append(x.index_select(0, targets))
        read.append(torch.tanh(last.at(x, targets, graph)))  # other nodes are not read
        users, items = torch.cat(read, dim=1).chunk(2)
        hidden = F.relu(self.dense(torch.cat([users, items], dim=1)))
        predicted: Tensor = self.rating(F.dropout(hidden, dropout))
        return predicted.squeeze(1)

    def adjacent_difference(self) -> Tensor:
        """Σ_l Σ_r ‖W_{r+1}ˡ − W_rˡ‖², a scalar."""
        convolutions = cast(Iterable[RelationalConvolution], self.convolutions)
        return torch.stack([each.adjacent_difference() for each in convolutions]).sum()
