"""Layers of graph convolutional matrix completion, exact and from the observed ratings alone.

`completers/gc_mc.py` has the equations. Nodes enter as one-hot vectors, so a layer's product with
its input is a choice of rows, and a node that dropout leaves out takes its edges with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from glocalk.sparse import csr
from glocalk.sparse.compiled import Array
from glocalk.sparse.csr import CSR
from glocalk.sparse.transpose import as_array

Accumulation = Literal["stack", "sum"]
Normalization = Literal["left", "symmetric"]

_ORTHOGONAL_SCALE = 1.1  # of the decoder's initial bases, in the official code
_PAIRS = 4096  # predicted at a time: what they gather stays in the cache


@dataclass(frozen=True, eq=False)
class Adjacency:
    """The normalized ratings M over which the nodes of one side hear of those of the other.

    A column for each source and level, source by source. A row for each target where levels are
    summed; where they are stacked, a row for each target and level, target by target.

    Attributes:
        by_target: M.
        by_source: Mᵀ.
        levels: number of rating levels.
    """

    by_target: CSR
    by_source: CSR
    levels: int

    def product(self, dense: Tensor) -> Tensor:
        """M D: [columns, width] → [rows, width]."""
        return _Product.apply(self, dense)  # type: ignore[no-any-return]

    def of_sources(self, kept: Tensor) -> Adjacency:
        """The columns of these sources alone, given in ascending order."""
        columns = _columns(kept, self.levels).numpy()
        number = np.full(self.by_target.shape[1], -1, np.int32)
        number[columns] = np.arange(len(columns))
        entries = np.flatnonzero(number[self.by_target.columns] >= 0)
        by_target = CSR(
            np.searchsorted(entries, self.by_target.starts),
            np.searchsorted(entries, self.by_target.stops),
            number[self.by_target.columns[entries]],
            self.by_target.values[entries],
            (self.by_target.shape[0], len(columns)),
        )
        by_source = CSR(
            self.by_source.starts[columns],
            self.by_source.stops[columns],
            self.by_source.columns,
            self.by_source.values,
            (len(columns), self.by_source.shape[1]),
        )
        return Adjacency(by_target, by_source, self.levels)


@dataclass(frozen=True, eq=False)
class GatheredAdjacency:
    """The same on torch's own operations, for any device.

    Attributes:
        by_target: M, a sparse tensor.
        by_source: Mᵀ, a sparse tensor.
        levels: number of rating levels.
        columns: [columns] those that a product takes; None for all.
    """

    by_target: Tensor
    by_source: Tensor
    levels: int
    columns: Tensor | None = None

    @classmethod
    def of(cls, adjacency: Adjacency, device: torch.device) -> GatheredAdjacency:
        """The matrices of `adjacency` on `device`."""
        by_target, by_source = (
            _sparse_tensor(matrix, device) for matrix in (adjacency.by_target, adjacency.by_source)
        )
        return cls(by_target, by_source, adjacency.levels)

    def product(self, dense: Tensor) -> Tensor:
        """M D: [columns, width] → [rows, width]."""
        if self.columns is not None:
            full = dense.new_zeros(self.by_target.shape[1], dense.shape[1])
            dense = full.index_copy(0, self.columns, dense)
        return _GatheredProduct.apply(self, dense)  # type: ignore[no-any-return]

    def of_sources(self, kept: Tensor) -> GatheredAdjacency:
        """The columns of these sources alone, given in ascending order."""
        return replace(self, columns=_columns(kept, self.levels))


class RatingGraph:
    """The training ratings as a bipartite graph with an edge type for each rating level.

    Args:
        users: [n] user of each rating.
        items: [n] item of each rating.
        labels: [n] which of the levels it is, 0 … levels − 1.
        shape: (users, items).
        levels: number of rating levels.
        accumulation: of the layer that works on it.
        normalization: an edge's weight 1/c: c = |N(target)| with `left`, and
            √(|N(user)| |N(item)|) with `symmetric`, neighbors counted over all levels.
        dtype: to compute in, float32 or float64.
        device: to compute on; None for the CPU.
        compiled: whether the products are numba's, on the CPU alone, or torch's own operations.
    """

    def __init__(
        self,
        users: Array,
        items: Array,
        labels: Array,
        shape: tuple[int, int],
        levels: int,
        accumulation: Accumulation,
        normalization: Normalization,
        dtype: torch.dtype,
        device: torch.device | None = None,
        compiled: bool = True,
    ) -> None:
        def adjacency(targets: Array, sources: Array, shape: tuple[int, int]) -> Adjacency:
            degrees = np.bincount(targets, minlength=shape[0])[targets].astype(np.float64)
            if normalization == "symmetric":
                degrees = np.sqrt(degrees * np.bincount(sources, minlength=shape[1])[sources])
            values = torch.from_numpy(1 / degrees).to(dtype).numpy()
            rows, columns = targets, sources * levels + labels
            height, width = shape[0], shape[1] * levels
            if accumulation == "stack":
                rows, height = rows * levels + labels, height * levels
            return Adjacency(
                CSR.from_triples(rows, columns, values, (height, width)),
                CSR.from_triples(columns, rows, values, (width, height)),
                levels,
            )

        to_users = adjacency(users, items, shape)
        to_items = adjacency(items, users, shape[::-1])
        self.to_users: Adjacency | GatheredAdjacency = to_users
        self.to_items: Adjacency | GatheredAdjacency = to_items
        self.by_user = CSR.from_triples(users, items, labels, shape)
        rows = np.repeat(np.arange(shape[0]), self.by_user.stops - self.by_user.starts)
        positions = np.arange(len(rows))
        # The position in `by_user` of each entry, in the order of items.
        self.by_item = CSR.from_triples(self.by_user.columns, rows, positions, shape[::-1])
        self._users = torch.from_numpy(rows).to(device)
        self._items = torch.from_numpy(self.by_user.columns).long().to(device)
        self.labels = torch.from_numpy(self.by_user.values).to(device)
        self._compiled = compiled
        if not compiled:
            self.to_users = GatheredAdjacency.of(to_users, self._users.device)
            self.to_items = GatheredAdjacency.of(to_items, self._users.device)

    def scores(self, left: Tensor, right: Tensor) -> Tensor:
        """lᵤ·rᵢ of each rating: [users, size], [items, size] → [n], in the order of `labels`."""
        if not self._compiled:
            product: Tensor = torch.linalg.vecdot(left[self._users], right[self._items])
            return product
        return _Scores.apply(self, left, right)  # type: ignore[no-any-return]


class GraphConvolution(nn.Module):
    """A graph convolution of one-hot nodes, with weights for each rating level.

    Args:
        shape: (users, items).
        levels: number of rating levels.
        size: of the output. Where levels are stacked, each has size // levels of its units.
        accumulation: `stack` sets the levels' sums side by side; `sum` adds them, and a level's
            weights are those of the level below plus its own.
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
        """ReLU of what users [users, size] and items [items, size] hear of each other.

        Args:
            graph: the ratings.
            share: of nodes that are heard by nobody; what the rest says is scaled up.
        """
        # Drawn in this order whatever is computed first.
        users, items = (_kept(len(side), share) for side in (self.users, self.items))
        return (
            self._hear(graph.to_users, self.items, items, share),
            self._hear(graph.to_items, self.users, users, share),
        )

    def _hear(
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
            # A running sum over levels; as a product, for `cumsum` goes back three times slower.
            weight = weight.new_ones(self.levels, self.levels).tril() @ weight
        sums = adjacency.product(weight.flatten(end_dim=1))
        return F.relu(sums.view(-1, self.size))


class BilinearMixture(nn.Module):
    """Scores of the rating levels: Σ_b a_{b,level} uᵀ Q_b v.

    Args:
        size: of u and v.
        bases: number of matrices Q.
        levels: number of rating levels.
        generator: source of the initial values: Q orthogonal times 1.1, a Glorot's.
    """

    def __init__(self, size: int, bases: int, levels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.bases = nn.Parameter(torch.empty(bases, size, size))
        for basis in self.bases:
            nn.init.orthogonal_(basis, _ORTHOGONAL_SCALE, generator)
        limit = glorot_limit(bases, levels)
        self.coefficients = nn.Parameter(
            torch.empty(bases, levels).uniform_(-limit, limit, generator=generator)
        )

    def forward(self, graph: RatingGraph, users: Tensor, items: Tensor) -> Tensor:
        """[levels, n] scores of the graph's ratings, in the order of its labels.

        Args:
            graph: the ratings.
            users: [users, size].
            items: [items, size].
        """
        scores = torch.stack([graph.scores(users @ basis, items) for basis in self.bases])
        # Levels first: the softmax then runs along memory, ten times faster than across it.
        return self.coefficients.T @ scores


def glorot_limit(inputs: int, outputs: int) -> float:
    """√(6 / (inputs + outputs)), the bound of Glorot's uniform initial values."""
    return math.sqrt(6 / (inputs + outputs))


def drop(values: Tensor, share: float) -> Tensor:
    """`values` with this share of them set to 0; unlike in dropout the rest is not scaled up.

    Twice as fast as torch's own on the CPU, which draws in double precision.
    """
    # A float mask, for a product with a boolean one takes ten times as long.
    return values * torch.rand_like(values).ge_(share) if share else values


def expected_pairs(
    left: Tensor, right: Tensor, coefficients: Tensor, levels: Tensor, users: Tensor, items: Tensor
) -> Tensor:
    """Expected rating of each pair (users[k], items[k]).

    Args:
        left: [bases, users, size] uᵀ Q_b.
        right: [items, size] v.
        coefficients: [bases, levels] a.
        levels: [levels] their ratings.
        users: [pairs] user indices.
        items: [pairs] item indices.

    Returns:
        [pairs] means of the levels, weighted by the softmax of their scores.
    """
    scores = [
        (left[:, u] * right[i]).sum(dim=-1)
        for u, i in zip(users.split(_PAIRS), items.split(_PAIRS), strict=True)
    ]
    return expected(torch.cat(scores, dim=1), coefficients, levels)


def expected(scores: Tensor, coefficients: Tensor, levels: Tensor) -> Tensor:
    """Expected rating [pairs] by the scores [bases, pairs] uᵀ Q_b v."""
    return levels @ (coefficients.T @ scores).softmax(dim=0)


def _kept(nodes: int, share: float) -> Tensor | None:
    """Indices of the nodes that are kept where `share` are left out; None for all."""
    if not share:
        return None
    return torch.nonzero(torch.rand(nodes) >= share).flatten()


class _Product(torch.autograd.Function):
    """M D and its gradient Mᵀ G."""

    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, dense: Tensor) -> Tensor:
        ctx.by_source = adjacency.by_source
        return torch.from_numpy(_matmul(adjacency.by_target, dense))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, torch.from_numpy(_matmul(ctx.by_source, gradient))


class _GatheredProduct(torch.autograd.Function):
    """M D and its gradient Mᵀ G; autograd's own would transpose M at every step."""

    @staticmethod
    def forward(ctx: Any, adjacency: GatheredAdjacency, dense: Tensor) -> Tensor:
        ctx.by_source = adjacency.by_source
        product: Tensor = torch.sparse.mm(adjacency.by_target, dense)
        return product

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, torch.sparse.mm(ctx.by_source, gradient)


class _Scores(torch.autograd.Function):
    """lᵤ·rᵢ at the ratings; with G the gradient at them, those by l and r are G r and Gᵀ l."""

    @staticmethod
    def forward(ctx: Any, graph: RatingGraph, left: Tensor, right: Tensor) -> Tensor:
        ctx.graph = graph
        ctx.save_for_backward(left, right)
        return torch.from_numpy(csr.sampled_product(graph.by_user, as_array(left), as_array(right)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        left, right = ctx.saved_tensors
        by_user, by_item = ctx.graph.by_user, ctx.graph.by_item
        values = as_array(gradient)
        return (
            None,
            torch.from_numpy(_matmul(by_user.with_values(values), right)),
            torch.from_numpy(_matmul(by_item.with_values(values[by_item.values]), left)),
        )


def _columns(sources: Tensor, levels: int) -> Tensor:
    """A column for each of the sources and level, source by source."""
    return (sources[:, None] * levels + torch.arange(levels, device=sources.device)).flatten()


def _sparse_tensor(matrix: CSR, device: torch.device) -> Tensor:
    bounds = np.append(matrix.starts, len(matrix.values))
    with torch.sparse.check_sparse_tensor_invariants(False):
        return torch.sparse_csr_tensor(
            torch.from_numpy(bounds).long(),
            torch.from_numpy(matrix.columns).long(),
            torch.from_numpy(matrix.values),
            matrix.shape,
            device=device,
        )


def _matmul(matrix: CSR, dense: Tensor) -> Array:
    if not matrix.shape[1]:  # `csr.matmul` takes a first column for granted
        return np.zeros((matrix.shape[0], dense.shape[1]), as_array(dense).dtype)
    return csr.matmul(matrix, as_array(dense))
