"""Attention of nodes to their neighbors in a graph, or to all nodes; `mg_gat.py` has the equations.

Both forms take s [n], t [n] and the values y [n, width] of n nodes, and return the means
Σ_j α_ij y_j [n, width].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from glocalk.data.side.graphs import Graph

SLOPE = 0.2  # of the leaky ReLU below 0


class NeighborAttention(nn.Module):
    """Attention to the neighbors in a graph, and to oneself.

        α_ij = exp(l_ij) / Σ_k exp(l_ik),   l_ij = LeakyReLU(m_ij (s_i + t_j)),   m = I + graph

    the sum over the k with m_ik > 0; α is 0 elsewhere. The time grows with edges × width.

    Args:
        graph: [n, n] weights of the edges.
        dtype: float32 or float64.

    Attributes:
        rows: [edges] i of each edge, ascending.
        columns: [edges] j of each edge.
    """

    rows: Tensor
    columns: Tensor
    weights: Tensor
    starts: Tensor
    by_column: Tensor
    rows_by_column: Tensor
    column_starts: Tensor

    def __init__(self, graph: Graph, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        size = graph.shape[0]
        mask = sparse.coo_array(graph + sparse.eye_array(size, format="csr"))
        order = np.lexsort((mask.col, mask.row))
        rows, columns = (torch.from_numpy(ends[order]).long() for ends in (mask.row, mask.col))
        nodes = torch.arange(size)
        by_column = torch.argsort(columns, stable=True)
        for name, value in (
            ("rows", rows),
            ("columns", columns),
            ("weights", torch.from_numpy(mask.data[order]).to(dtype)),
            ("starts", torch.searchsorted(rows, nodes)),
            ("by_column", by_column),
            ("rows_by_column", rows[by_column]),
            ("column_starts", torch.searchsorted(columns[by_column], nodes)),
        ):
            self.register_buffer(name, value, persistent=False)

    def shares(self, own: Tensor, other: Tensor) -> Tensor:
        """α of each edge [edges], in the order of `rows`, from s [n] and t [n]."""
        sums = own.index_select(0, self.rows) + other.index_select(0, self.columns)
        logits = F.leaky_relu(self.weights * sums, SLOPE)
        highest = torch.full_like(own, -torch.inf)
        highest = highest.scatter_reduce(0, self.rows, logits.detach(), "amax")
        exponentials = (logits - highest.detach().index_select(0, self.rows)).exp()
        totals = torch.zeros_like(own).index_add(0, self.rows, exponentials)
        return exponentials / totals.index_select(0, self.rows)

    def forward(self, own: Tensor, other: Tensor, values: Tensor) -> Tensor:
        """The means [n, width] of `values` [n, width], from s [n] and t [n]."""
        means: Tensor = _Means.apply(self, self.shares(own, other), values)
        return means


class _Means(torch.autograd.Function):
    """Σ_j α_ij y_j, and its gradients. Those of autograd would take four times as long."""

    @staticmethod
    def forward(ctx: Any, edges: NeighborAttention, shares: Tensor, values: Tensor) -> Tensor:
        ctx.edges = edges
        ctx.save_for_backward(shares, values)
        return _sums(edges.columns, edges.starts, shares, values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        edges: NeighborAttention = ctx.edges
        shares, values = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_shares = torch.linalg.vecdot(
            gradient.index_select(0, edges.rows), values.index_select(0, edges.columns)
        )
        shares = shares.index_select(0, edges.by_column)
        of_values = _sums(edges.rows_by_column, edges.column_starts, shares, gradient)
        return None, of_shares, of_values


def _sums(nodes: Tensor, starts: Tensor, shares: Tensor, values: Tensor) -> Tensor:
    """Weighted sums of the rows `nodes` of `values`, one for each start."""
    return F.embedding_bag(nodes, values, starts, mode="sum", per_sample_weights=shares)


class FullAttention(nn.Module):
    """Attention to all nodes, where there is no graph.

        α_ij = exp(l_ij − M_j) / Σ_k exp(l_ik − M_k),   l_ij = LeakyReLU(s_i + t_j)
        M_j = max_k l_jk = LeakyReLU(s_j + max t)

    M is the maximum of row j and not of row i, as the official code broadcasts it: a node counts
    for less, the larger its own s. With M_i, it would cancel out.

    exp(l_ij) is exp(s_i) exp(t_j) where t_j > −s_i, and exp(.2 s_i) exp(.2 t_j) elsewhere. In the
    order of t, both parts of a sum over j are therefore cumulative sums, which all i share: the
    time of an update grows with n log n + n × width, and no [n, n] array is made. For 3,000 nodes
    and a width of 20, that is 4 ms and 25 MB in place of 250 ms and 190 MB. It computes in double
    precision.
    """

    def forward(self, own: Tensor, other: Tensor, values: Tensor) -> Tensor:
        """The means [n, width] of `values` [n, width], from s [n] and t [n]."""
        s, t = own.double(), other.double()
        discounts = F.leaky_relu(s + t.max(), SLOPE)  # M
        order = t.argsort()
        t, discounts = t[order], discounts[order]
        rows = F.pad(values.double()[order], (0, 1), value=1.0)  # the last column sums up α
        below = torch.searchsorted(t.detach(), -s.detach())  # number of j with t_j < −s_i
        upper, highest = _scaled(t - discounts)
        lower, high = _scaled(SLOPE * t - discounts)
        # Sums over the first k nodes, and over the others: [n + 1, width + 1].
        first = F.pad((lower[:, None] * rows).cumsum(0), (0, 0, 1, 0))
        others = F.pad((upper[:, None] * rows).flip(0).cumsum(0), (0, 0, 1, 0)).flip(0)
        exponents = torch.stack([SLOPE * s + high, s + highest])
        by_lower, by_upper = (exponents - exponents.detach().amax(0)).exp()
        sums = by_lower[:, None] * first[below] + by_upper[:, None] * others[below]
        means: Tensor = sums[:, :-1] / sums[:, -1:]
        return means.to(values)


def _scaled(exponents: Tensor) -> tuple[Tensor, Tensor]:
    """Powers of e divided by their largest, and its exponent."""
    largest = exponents.detach().max()
    return (exponents - largest).exp(), largest
