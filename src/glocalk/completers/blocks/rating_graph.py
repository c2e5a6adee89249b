"""The training ratings as a graph, and products with its adjacency matrices.

`gc_mc/gc_mc.py` has the equations. Products are exact and computed from the observed ratings alone:
on the CPU by compiled loops, on other devices by torch's operations on sparse tensors.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glocalk.data.rating_matrix import RatingMatrix
from glocalk.sparse import csr
from glocalk.sparse.compiled import Array
from glocalk.sparse.csr import CSR
from glocalk.sparse.transpose import as_array

Accumulation = Literal["stack", "sum"]
Normalization = Literal["left", "symmetric"]


@dataclass(frozen=True, eq=False)
class Adjacency:
    """The normalized ratings M that pass messages from one side to the other.

    One column for each source and level, source by source. One row for each target where levels
    are summed; where they are stacked, one for each target and level, target by target.

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
        """Only the columns of the sources `kept` [n], in ascending order."""
        return self.of_columns(_columns(kept, self.levels))

    @cached_property
    def is_filled(self) -> Tensor:
        """[columns] whether each has a rating."""
        return torch.from_numpy(self.by_source.stops > self.by_source.starts)

    @cached_property
    def filled(self) -> tuple[Tensor, Adjacency]:
        """The columns that have ratings, [n], ascending, and only these."""
        columns = torch.nonzero(self.is_filled).flatten()
        return columns, self.of_columns(columns)

    def of_columns(self, kept: Tensor) -> Adjacency:
        """Only the columns `kept` [n], in ascending order."""
        columns = kept.numpy()
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
    """An `Adjacency` whose products are torch's operations, for any device.

    Attributes:
        by_target: M, a sparse tensor.
        by_source: Mᵀ, a sparse tensor.
        levels: number of rating levels.
        is_filled: [columns] whether each has a rating, in the memory of the CPU.
        columns: [columns] the columns that a product takes; None for all.
    """

    by_target: Tensor
    by_source: Tensor
    levels: int
    is_filled: Tensor
    columns: Tensor | None = None

    @classmethod
    def of(cls, adjacency: Adjacency, device: torch.device) -> GatheredAdjacency:
        """The matrices of `adjacency` on `device`."""
        by_target, by_source = (
            _sparse_tensor(matrix, device) for matrix in (adjacency.by_target, adjacency.by_source)
        )
        return cls(by_target, by_source, adjacency.levels, adjacency.is_filled)

    @cached_property
    def filled(self) -> tuple[Tensor, GatheredAdjacency]:
        """The columns that have ratings, [n], ascending, and only these."""
        columns = torch.nonzero(self.is_filled).flatten().to(self.by_target.device)
        return columns, self.of_columns(columns)

    def product(self, dense: Tensor) -> Tensor:
        """M D: [columns, width] → [rows, width]."""
        if self.columns is not None:
            full = dense.new_zeros(self.by_target.shape[1], dense.shape[1])
            dense = full.index_copy(0, self.columns, dense)
        return _GatheredProduct.apply(self, dense)  # type: ignore[no-any-return]

    def of_sources(self, kept: Tensor) -> GatheredAdjacency:
        """Only the columns of the sources `kept` [n], in ascending order."""
        return self.of_columns(_columns(kept, self.levels))

    def of_columns(self, kept: Tensor) -> GatheredAdjacency:
        """Only the columns `kept` [n], in ascending order."""
        return replace(self, columns=kept)


class RatingGraph:
    """The training ratings as a bipartite graph with an edge type for each rating level.

    Args:
        train: the ratings.
        accumulation: that of the layer that works on the graph.
        normalization: an edge's weight 1/c: c = |N(target)| with `left`, and
            √(|N(user)| |N(item)|) with `symmetric`, neighbors counted over all levels.
        dtype: float32 or float64.
        levels: [levels] the distinct ratings, ascending, where `train` may lack some; None for its
            own.

    Attributes:
        levels: [levels] the distinct ratings, ascending.
        labels: [n] position in `levels` of each rating, in ascending order of users.
        to_users: the messages that users receive.
        to_items: the messages that items receive.
        device: where the products are computed.
    """

    to_users: Adjacency | GatheredAdjacency
    to_items: Adjacency | GatheredAdjacency

    def __init__(
        self,
        train: RatingMatrix,
        accumulation: Accumulation,
        normalization: Normalization,
        dtype: torch.dtype = torch.float32,
        levels: Array | None = None,
    ) -> None:
        self.levels = np.unique(train.ratings) if levels is None else levels
        labels = np.searchsorted(self.levels, train.ratings)
        count = len(self.levels)

        def adjacency(targets: Array, sources: Array, shape: tuple[int, int]) -> Adjacency:
            degrees = np.bincount(targets, minlength=shape[0])[targets].astype(np.float64)
            if normalization == "symmetric":
                degrees = np.sqrt(degrees * np.bincount(sources, minlength=shape[1])[sources])
            values = torch.from_numpy(1 / degrees).to(dtype).numpy()
            rows, columns = targets, sources * count + labels
            height, width = shape[0], shape[1] * count
            if accumulation == "stack":
                rows, height = rows * count + labels, height * count
            return Adjacency(
                CSR.from_triples(rows, columns, values, (height, width)),
                CSR.from_triples(columns, rows, values, (width, height)),
                count,
            )

        users, items, shape = train.users, train.items, train.shape
        self.device = torch.device("cpu")
        self.to_users = adjacency(users, items, shape)
        self.to_items = adjacency(items, users, shape[::-1])
        self.by_user = CSR.from_triples(users, items, labels, shape)
        rows = np.repeat(np.arange(shape[0]), self.by_user.stops - self.by_user.starts)
        positions = np.arange(len(rows))
        # The position in `by_user` of each entry, in the order of items.
        self.by_item = CSR.from_triples(self.by_user.columns, rows, positions, shape[::-1])
        self._users = torch.from_numpy(rows)
        self._items = torch.from_numpy(self.by_user.columns).long()
        self.labels = torch.from_numpy(self.by_user.values)
        self._compiled = True
        self._copies: dict[torch.device, RatingGraph] = {}

    def to(self, device: torch.device) -> RatingGraph:
        """The graph on `device`, made once: Lightning asks for it at every step."""
        if device == self.device:
            return self
        if device not in self._copies:
            self._copies[device] = self.gathered(device)
        return self._copies[device]

    def gathered(self, device: torch.device) -> RatingGraph:
        """A copy on `device` whose products are torch's operations."""
        gathered = copy.copy(self)
        gathered.device, gathered._compiled = device, False
        for side in ("to_users", "to_items"):
            setattr(gathered, side, GatheredAdjacency.of(getattr(self, side), device))
        for part in ("_users", "_items", "labels"):
            setattr(gathered, part, getattr(self, part).to(device))
        return gathered

    def scores(self, left: Tensor, right: Tensor) -> Tensor:
        """lᵤ·rᵢ of each rating: [users, size], [items, size] → [n], in the order of `labels`."""
        if not self._compiled:
            product: Tensor = torch.linalg.vecdot(left[self._users], right[self._items])
            return product
        return _Scores.apply(self, left, right)  # type: ignore[no-any-return]


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
    """M D and its gradient Mᵀ G; autograd would transpose M at every step."""

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
    """lᵤ·rᵢ at the ratings; with G their gradient, those of l and r are G r and Gᵀ l."""

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
    """The columns of the sources: one for each source and level, source by source."""
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
    if not matrix.shape[1]:  # `csr.matmul` needs at least one column
        return np.zeros((matrix.shape[0], dense.shape[1]), as_array(dense).dtype)
    return csr.matmul(matrix, as_array(dense))
