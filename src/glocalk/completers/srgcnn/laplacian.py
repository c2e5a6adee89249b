"""The normalized Laplacian of a graph, and Chebyshev polynomials of it."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from scipy import sparse
from scipy.sparse import csgraph
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from glocalk.data.side.graphs import Graph, symmetric


class Laplacian(nn.Module):
    """L = I − D^(−1/2) A D^(−1/2) of an undirected graph with weights A and degrees D.

    Rows of nodes without edges are 0, also on the diagonal; edges from a node to itself are left
    out. The eigenvalues lie between 0 and 2, so that those of L − I lie between −1 and 1, where
    Chebyshev polynomials are bounded.

    Args:
        graph: [n, n] weights; of an edge with two directions, the larger weight counts.
        dtype: float32 or float64.
    """

    matrix: Tensor
    shifted: Tensor

    def __init__(self, graph: Graph, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        found: Any = csgraph.laplacian(symmetric(graph), normed=True)
        matrix = sparse.csr_array(found)
        matrix.eliminate_zeros()  # on the diagonal, of nodes without edges
        identity = sparse.eye_array(matrix.shape[0], format="csr")
        for name, value in (("matrix", matrix), ("shifted", matrix - identity)):
            self.register_buffer(name, _sparse_tensor(value, dtype), persistent=False)

    def chebyshev(self, signals: Tensor, order: int) -> Tensor:
        """T₀(L − I) X, T₁(L − I) X, … beside each other: [n, f] → [n, order · f].

        T₀ = I, T₁(S) = S, T_k(S) = 2 S T_{k−1}(S) − T_{k−2}(S).

        Args:
            signals: X.
            order: number of polynomials.
        """
        terms = [signals]
        if order > 1:
            terms.append(product(self.shifted, signals))
        while len(terms) < order:
            terms.append(2 * product(self.shifted, terms[-1]) - terms[-2])
        return torch.cat(terms, dim=1)

    def between(self, signals: Tensor) -> Tensor:
        """Xᵀ L X: [n, f] → [f, f].

        Its trace is the Dirichlet norm, Σ_edges a_uv ‖x_u / √d_u − x_v / √d_v‖².
        """
        return signals.T @ product(self.matrix, signals)


def product(matrix: Tensor, dense: Tensor) -> Tensor:
    """S X of a symmetric sparse S: [n, n], [n, f] → [n, f]."""
    return _Product.apply(matrix, dense)  # type: ignore[no-any-return]


class _Product(torch.autograd.Function):
    """S X and its gradient S G; autograd would transpose S at every step."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, dense: Tensor) -> Tensor:
        ctx.matrix = matrix
        result: Tensor = torch.sparse.mm(matrix, dense)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, torch.sparse.mm(ctx.matrix, gradient)


def _sparse_tensor(matrix: Any, dtype: torch.dtype) -> Tensor:
    with torch.sparse.check_sparse_tensor_invariants(False), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta state.*")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr).long(),
            torch.from_numpy(matrix.indices).long(),
            torch.from_numpy(matrix.data).to(dtype),
            matrix.shape,
        )
