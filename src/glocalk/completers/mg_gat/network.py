"""The network of MG-GAT: a graph attention layer and factors for each side; see `mg_gat.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glocalk.completers.mg_gat.attention import FullAttention, NeighborAttention

Activation: TypeAlias = Literal["linear", "sigmoid", "tanh", "softsign", "softplus", "selu"]

_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "linear": lambda values: values,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softsign": F.softsign,
    "softplus": F.softplus,
    "selu": F.selu,
}


class NetworkOptions(Protocol):
    """The options of MG-GAT that its network depends on."""

    rank: int
    hidden_size: int
    hidden_activation: Activation
    output_activation: Activation
    residual: bool


class Batch(NamedTuple):
    """Training ratings, [n] each; `targets` are shares of the scale, 0 for its lowest rating."""

    users: Tensor
    items: Tensor
    targets: Tensor


class Side(nn.Module):
    """p of all users, or q of all items.

    Every layer has a bias, as in the official code, although some of them only ever act as a sum:
    Adam moves that sum by as many steps as it has parts.

    Args:
        features: X [n, f].
        attention: to the neighbors of a graph, or to all.
        options: the options.
        generator: source of the initial values: Glorot's for matrices, else 0.
    """

    features: Tensor

    def __init__(
        self,
        features: Tensor,
        attention: NeighborAttention | FullAttention,
        options: NetworkOptions,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        nodes, width = features.shape
        hidden, rank = options.hidden_size, options.rank
        self.register_buffer("features", features, persistent=False)
        self.attention = attention
        self.kernel = nn.Linear(width, hidden)
        self.own, self.other = nn.Linear(hidden, 1), nn.Linear(hidden, 1)
        self.residual = nn.Linear(width, hidden) if options.residual else None
        self.dense = nn.Linear(hidden, rank)
        self.factors = nn.Parameter(torch.empty(nodes, rank))
        self.offsets = nn.Parameter(torch.zeros(nodes))
        self._in = _ACTIVATIONS[options.hidden_activation]
        self._out = _ACTIVATIONS[options.output_activation]
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter, generator=generator)

    def forward(self) -> Tensor:
        """P + act_out(act_in(GAT(X)) W + c): [n, rank]."""
        values = self.features @ self.kernel.weight.T
        own, other = self.own(values).squeeze(1), self.other(values).squeeze(1)
        received = self.attention(own, other, values) + self.kernel.bias
        if self.residual is not None:
            received = received + self.residual(self.features)
        outputs: Tensor = self.factors + self._out(self.dense(self._in(received)))
        return outputs

    def penalized(self) -> Iterator[Tensor]:
        """The weights that the penalty is on: all but the biases of layers."""
        return (
            parameter for name, parameter in self.named_parameters() if not name.endswith("bias")
        )


class Network(nn.Module):
    """Both sides, and the bias b.

    Args:
        users: the side of the users.
        items: the side of the items.
    """

    def __init__(self, users: Side, items: Side) -> None:
        super().__init__()
        self.users, self.items = users, items
        self.bias = nn.Parameter(torch.zeros(()))

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """p·q + b_u + b_i + b of each pair (users[k], items[k]): [n], [n] → [n]."""
        p, q = self.users().index_select(0, users), self.items().index_select(0, items)
        user_offsets = self.users.offsets.index_select(0, users)
        item_offsets = self.items.offsets.index_select(0, items)
        products: Tensor = torch.linalg.vecdot(p, q)
        return products + user_offsets + item_offsets + self.bias

    def loss(self, batch: Batch, regularization: float) -> Tensor:
        """(1 − α) · mean squared error of the shares + α · Σ ‖weight‖²: a scalar.

        Args:
            batch: the ratings.
            regularization: α.
        """
        error = F.mse_loss(self.scores(batch.users, batch.items).sigmoid(), batch.targets)
        weights = [*self.users.penalized(), *self.items.penalized()]
        penalty = torch.stack([weight.square().sum() for weight in weights]).sum()
        return (1 - regularization) * error + regularization * penalty
