"""The network of sRGCNN: factors that diffuse on a graph, or free ones; see `srgcnn.py`."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from glocalk.completers.blocks.glorot import glorot
from glocalk.completers.srgcnn.extremes import extremes
from glocalk.completers.srgcnn.laplacian import Laplacian

GATES = 4  # of an LSTM cell: forget, input, output, candidate


class NetworkOptions(Protocol):
    """The options of sRGCNN that its network depends on."""

    order: int
    hidden_size: int
    diffusion_steps: int
    graph_regularization: float
    user_regularization: float
    item_regularization: float


class Batch(NamedTuple):
    """Training ratings, [n] each."""

    users: Tensor
    items: Tensor
    ratings: Tensor


class Diffusion(nn.Module):
    """Factors that a recurrent network moves, step by step, by what it sees on a graph.

    Args:
        initial: [n, rank] the factors before the first step, which are not trained.
        laplacian: of the graph.
        options: the options.
        generator: source of the initial weights: Glorot's for matrices, else 0.
    """

    initial: Tensor

    def __init__(
        self,
        initial: Tensor,
        laplacian: Laplacian,
        options: NetworkOptions,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.laplacian = laplacian
        self.order, self.steps = options.order, options.diffusion_steps
        rank, hidden = initial.shape[1], options.hidden_size
        self.register_buffer("initial", initial, persistent=False)

        def gates() -> nn.Parameter:
            """[hidden, 4 hidden], each gate a matrix of its own."""
            matrices = tuple(glorot(hidden, hidden, generator) for _ in range(GATES))
            return nn.Parameter(torch.cat(matrices, dim=1).detach())

        self.filters = glorot(self.order * rank, hidden, generator)
        self.filter_bias = nn.Parameter(torch.zeros(hidden))
        self.from_features, self.from_hidden = gates(), gates()
        self.gate_bias = nn.Parameter(torch.zeros(GATES * hidden))
        self.change = glorot(hidden, rank, generator)
        self.change_bias = nn.Parameter(torch.zeros(rank))

    def forward(self) -> Tensor:
        """The factors after the last step: [n, rank]."""
        factors = self.initial
        hidden = cell = factors.new_zeros(len(factors), len(self.filter_bias))
        for _ in range(self.steps):
            hidden, cell = self.recur(self.features(factors), hidden, cell)
            factors = factors + torch.tanh(cell @ self.change + self.change_bias)
        return factors

    def features(self, factors: Tensor) -> Tensor:
        """ReLU of the graph convolution: [n, rank] → [n, hidden]."""
        polynomials = self.laplacian.chebyshev(factors, self.order)
        return torch.relu(polynomials @ self.filters + self.filter_bias)

    def recur(self, features: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """The next h and c, [n, hidden] each: an LSTM with σ everywhere.

        Args:
            features: [n, hidden].
            hidden: h.
            cell: c.
        """
        gates = features @ self.from_features + hidden @ self.from_hidden + self.gate_bias
        forget, take_in, put_out, candidate = torch.sigmoid(gates).chunk(GATES, dim=1)
        cell = forget * cell + take_in * candidate
        return put_out * torch.sigmoid(cell), cell


class Free(nn.Module):
    """Factors that are trained themselves.

    Args:
        initial: [n, rank] where they start.
    """

    def __init__(self, initial: Tensor) -> None:
        super().__init__()
        self.factors = nn.Parameter(initial)

    def forward(self) -> Tensor:
        """The factors: [n, rank]."""
        return self.factors


Side: TypeAlias = Diffusion | Free


class Completed(NamedTuple):
    """The factors, and the smallest and the largest cell of their product.

    `users` is [users, rank], `items` [items, rank]; the others are scalars.
    """

    users: Tensor
    items: Tensor
    smallest: Tensor
    largest: Tensor

    def line(self, scale: tuple[float, float], mean: float) -> tuple[Tensor, Tensor]:
        """Slope and intercept that take the range of the cells to the rating scale.

        Args:
            scale: lowest and highest rating.
            mean: what all cells become where they are equal.
        """
        lowest, highest = scale
        span = self.largest - self.smallest
        slope = torch.where(span > 0, (highest - lowest) / torch.where(span > 0, span, 1), 0)
        return slope, torch.where(span > 0, lowest - slope * self.smallest, mean)


class Network(nn.Module):
    """Both sides.

    Args:
        users: the side of the users.
        items: the side of the items.
        scale: lowest and highest rating.
        mean: of the training ratings.
    """

    def __init__(self, users: Side, items: Side, scale: tuple[float, float], mean: float) -> None:
        super().__init__()
        self.users, self.items, self.scale, self.mean = users, items, scale, mean

    def forward(self) -> Completed:
        """The completed matrix, in factors."""
        users, items = self.users(), self.items()
        return Completed(users, items, *extremes(users, items))

    def loss(self, completed: Completed, batch: Batch, options: NetworkOptions) -> Tensor:
        """Mean squared error and half of the penalties: a scalar.

        Args:
            completed: the completed matrix.
            batch: the ratings.
            options: the options.
        """
        users, items = completed.users, completed.items
        pairs = torch.linalg.vecdot(
            users.index_select(0, batch.users), items.index_select(0, batch.items)
        )
        slope, intercept = completed.line(self.scale, self.mean)
        error = (slope * pairs + intercept - batch.ratings).square().mean()
        penalty = options.graph_regularization * self.dirichlet(completed)
        for factors, regularization in (
            (users, options.user_regularization),
            (items, options.item_regularization),
        ):
            penalty = penalty + regularization * factors.square().mean()
        loss: Tensor = error + penalty / 2
        return loss

    def dirichlet(self, completed: Completed) -> Tensor:
        """[tr(Xᵀ L_users X) + tr(X L_items Xᵀ)] / cells of X = W Hᵀ: a scalar.

        From the factors alone, as tr(Xᵀ L X) = Σ (Wᵀ L W) ⊙ (Hᵀ H). A side without a graph is left
        out.

        Args:
            completed: the completed matrix.
        """
        users, items = completed.users, completed.items
        norm = users.new_zeros(())
        for side, own, other in ((self.users, users, items), (self.items, items, users)):
            if isinstance(side, Diffusion):
                norm = norm + (side.laplacian.between(own) * (other.T @ other)).sum()
        return norm / (len(users) * len(items))
