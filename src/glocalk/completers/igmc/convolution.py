"""Relational graph convolution: each relation has its own weight matrix.

    y_n = W₀ᵀ x_n + b + Σ_r Σ_{m ∈ N_r(n)} c_{n,r} W_rᵀ x_m,   W_r = Σ_b a_{r,b} B_b

The edges' weights c are 1, or 1 / |N_r(n)| for means, see `subgraphs.py`. Schlichtkrull et al.,
"Modeling Relational Data with Graph Convolutional Networks", ESWC 2018. CPUs sum the messages of a
few hundred nodes at a time, so that the sums, relations × width for each node, stay in the cache
until they are multiplied by the weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from numba import prange
from torch import Tensor, nn

from glocalk.completers.igmc.subgraphs import Edges, Subgraphs
from glocalk.sparse.compiled import CACHE, Array, parallel, use_threads
from glocalk.sparse.loops import add_rows

# The published hidden size. Other sizes take autograd's form, whose gradients round differently.
WIDTH = 32


class RelationalConvolution(nn.Module):
    """The weights of one convolution.

    Initial values are uniform within ± 1 / √(bases · inputs), as PyTorch Geometric 1.4 draws them.

    Args:
        inputs: width of x.
        outputs: width of y.
        relations: number of relations.
        bases: number of matrices B.
        generator: source of the initial values; None on the meta device, which has none.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        relations: int,
        bases: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        limit = 1 / math.sqrt(bases * inputs)

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-limit, limit, generator=generator))

        self.bases = uniform(bases, inputs, outputs)
        self.coefficients = uniform(relations, bases)
        self.own = uniform(inputs, outputs)  # W₀
        self.bias = uniform(outputs)

    def weights(self) -> Tensor:
        """W [relations, inputs, outputs]."""
        weights: Tensor = torch.tensordot(self.coefficients, self.bases, dims=1)
        return weights

    def adjacent_difference(self) -> Tensor:
        """Σ_r ‖W_{r+1} − W_r‖², a scalar."""
        return self.weights().diff(dim=0).square().sum()

    def forward(self, x: Tensor, graph: Subgraphs) -> Tensor:
        """The y of all nodes: [nodes, inputs] → [nodes, outputs]."""
        return convolve(x, torch.cat([self.weights(), self.own.unsqueeze(0)]), graph) + self.bias

    def at(self, x: Tensor, nodes: Tensor, graph: Subgraphs) -> Tensor:
        """The y of some nodes: [nodes, inputs], [n] → [n, outputs]."""
        messages = sums(x, graph.in_edges, nodes, graph.relations)
        return torch.addmm(
            self.bias, x.index_select(0, nodes), self.own
        ) + messages @ self.weights().flatten(0, 1)

    def of_labels(self, graph: Subgraphs) -> Tensor:
        """The y of all nodes where x are the one-hot vectors of their labels: [nodes, outputs]."""
        counts = graph.counts.to(self.bias.dtype).flatten(1)
        own = (self.own + self.bias)[graph.labels]
        return torch.addmm(own, counts, self.weights().flatten(0, 1))


def convolve(x: Tensor, weights: Tensor, graph: Subgraphs) -> Tensor:
    """W₀ᵀ x_n + Σ_r Σ_{m ∈ N_r(n)} c_{n,r} W_rᵀ x_m of every node n.

    Args:
        x: [nodes, inputs].
        weights: [relations + 1, inputs, outputs], W₀ last.
        graph: the edges.

    Returns:
        [nodes, outputs].
    """
    if x.device.type == "cpu" and weights.shape[1] == weights.shape[2] == WIDTH:
        convolved: Tensor = _Convolution.apply(x, weights, graph)
        return convolved
    messages = sums(x, graph.in_edges, torch.arange(len(x), device=x.device), graph.relations)
    return torch.cat([messages, x], dim=1) @ weights.flatten(0, 1)


def sums(x: Tensor, edges: Edges, nodes: Tensor, relations: int) -> Tensor:
    """Σ_{m ∈ N_r(n)} c_{n,r} x_m for some nodes n and each relation: [n, relations · inputs]."""
    segments = nodes.unsqueeze(1) * relations + torch.arange(relations, device=nodes.device)
    at, owner = edges.of(segments.flatten())
    messages = x.index_select(0, edges.ends[at].long())
    if edges.weights is not None:
        messages = messages * edges.weights[at].to(x.dtype).unsqueeze(1)
    total = x.new_zeros(segments.numel(), x.shape[1]).index_add(0, owner, messages)
    return total.view(len(nodes), -1)


class _Convolution(torch.autograd.Function):
    """`convolve` for CPUs; its gradient is a convolution along the reversed edges."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, graph: Subgraphs) -> Tensor:
        ctx.save_for_backward(x, weights)
        ctx.graph = graph
        y = x.new_empty(x.shape)
        stacked = weights.flatten(0, 1)
        for rows, total in _sums_by_chunk(x, graph.in_edges, graph.relations):
            torch.mm(total, stacked, out=y[rows])
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weights = ctx.saved_tensors
        by_x = torch.empty_like(x)
        by_weights = x.new_zeros(WIDTH, weights.shape[0] * WIDTH)
        stacked = weights.transpose(1, 2).flatten(0, 1)
        edges, relations = ctx.graph.out_edges, ctx.graph.relations
        for rows, total in _sums_by_chunk(gradients[0], edges, relations):
            torch.mm(total, stacked, out=by_x[rows])
            by_weights.addmm_(x[rows].T, total)
        return by_x, by_weights.view(WIDTH, -1, WIDTH).transpose(0, 1), None


def _sums_by_chunk(x: Tensor, edges: Edges, relations: int) -> Iterator[tuple[slice, Tensor]]:
    """(rows, [rows, (relations + 1) · WIDTH]): Σ_{m ∈ N_r(n)} c_{n,r} x_m, and x_n last.

    A few hundred rows at a time; each chunk overwrites the one before.
    """
    use_threads()
    x = x.detach().contiguous()
    width = (relations + 1) * WIDTH
    height = max(CACHE // (4 * width * x.element_size()), 1)
    buffer = x.new_empty(min(height, len(x)), width)
    starts, stops, ends = edges.starts.numpy(), edges.stops.numpy(), edges.ends.numpy()
    if edges.weights is None:
        weights = x.new_ones(int((stops - starts).max(initial=0)))
    else:
        weights = edges.weights.to(x.dtype)
    for first in range(0, len(x), height):
        last = min(first + height, len(x))
        total = buffer[: last - first]
        inside = slice(first * relations, last * relations)
        _sum_segments(
            starts[inside], stops[inside], ends, weights.numpy(),
            edges.weights is not None, x.numpy(), x[first:last].numpy(), total.numpy(),
        )  # fmt: skip
        yield slice(first, last), total


@parallel
def _sum_segments(
    starts: Array, stops: Array, ends: Array, weights: Array, weighted: bool, x: Array, own: Array,
    total: Array,
) -> None:  # fmt: skip
    width = x.shape[1]
    relations = total.shape[1] // width - 1
    for n in prange(len(total)):
        total[n, : relations * width] = 0
        for r in range(relations):
            start, stop = starts[n * relations + r], stops[n * relations + r]
            # Without weights, all lists share one row of ones, as long as the longest list.
            first = start if weighted else 0
            part = total[n, r * width : (r + 1) * width]
            add_rows(weights[first:], ends[start:], 0, stop - start, x, part)
        total[n, relations * width :] = own[n]
