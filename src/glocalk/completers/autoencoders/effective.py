"""A layer's effective weight and its penalties, in one forward and one backward pass.

torch's element-wise functions would take many passes over matrices of the weight's size: with
sparse products, a quarter of the time of a pre-training evaluation on MovieLens 1M.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor
from torch.autograd.function import once_differentiable

from glocalk.completers.autoencoders.kernels import local_kernel
from glocalk.sparse.compiled import PARTS, Array, compile_, dot, parallel, use_threads
from glocalk.sparse.transpose import as_array


def effective_weight(weight: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The weight multiplied by its local kernel, and the sums that the penalties consist of.

        W ⊙ Ŵ,   ½ Σ W²,   ½ Σ Ŵ²,   Ŵ = local_kernel(u, v)

    The first result has the memory layout of `weight`: for a transposed matrix it is transposed.

    Args:
        weight: [inputs, outputs].
        u: [inputs, dimension].
        v: [outputs, dimension].

    Returns:
        [inputs, outputs] and two float64 scalars: a line search needs more digits of a large
        sum than float32 has.
    """
    if weight.device.type != "cpu" or weight.dtype not in (torch.float32, torch.float64):
        kernel = local_kernel(u, v)
        squares, kernel_squares = (
            matrix.square().sum(dtype=torch.float64) / 2 for matrix in (weight, kernel)
        )
        return weight * kernel, squares, kernel_squares
    if weight.T.is_contiguous() and not weight.is_contiguous():
        effective, squares, kernel_squares = effective_weight(weight.T, v, u)
        return effective.T, squares, kernel_squares
    return _EffectiveWeight.apply(weight, u, v)  # type: ignore[no-any-return]


class _EffectiveWeight(torch.autograd.Function):
    """The forward and the backward pass.

    Given the gradients G, g₂ and g_s with respect to W ⊙ Ŵ, ½ Σ W² and ½ Σ Ŵ², the backward pass
    returns those with respect to W, uᵢ and vⱼ:

        W:   G ⊙ Ŵ + g₂ W
        uᵢ:  2 Σⱼ Dᵢⱼ (vⱼ − uᵢ),   D = G ⊙ W + g_s Ŵ where Ŵ > 0, else 0
        vⱼ:  2 Σᵢ Dᵢⱼ (uᵢ − vⱼ)

    It computes Ŵ again: a few products per entry cost less than reading Ŵ from memory.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(weight, u, v)
        w, u_rows, v_rows, u_squares, v_squares = _arrays(weight, u, v)
        # Allocated by torch, which aligns memory to cache lines, unlike NumPy: the last bits of a
        # matrix product, and so of a run, depend on the alignment.
        effective, sums = torch.empty(w.shape, dtype=weight.dtype), np.zeros((PARTS, 2))
        use_threads()
        _effective_weight(w, u_rows, v_rows, u_squares, v_squares, effective.numpy(), sums)
        squares, kernel_squares = sums.sum(axis=0) / 2
        return (
            effective,
            weight.new_tensor(squares, dtype=torch.float64),
            weight.new_tensor(kernel_squares, dtype=torch.float64),
        )

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, by_effective: Tensor, by_squares: Tensor, by_kernel_squares: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        weight, u, v = ctx.saved_tensors
        w, u_rows, v_rows, u_squares, v_squares = _arrays(weight, u, v)
        by_weight, by_u = np.empty_like(w), np.empty_like(u_rows)
        # The last row accumulates Σᵢ Dᵢⱼ, the others Σᵢ Dᵢⱼ uᵢ.
        parts = np.zeros((PARTS, v_rows.shape[0] + 1, v_rows.shape[1]), w.dtype)
        use_threads()
        _effective_weight_gradient(
            w,
            u_rows,
            v_rows,
            u_squares,
            v_squares,
            as_array(by_effective),
            w.dtype.type(by_squares.item()),
            w.dtype.type(by_kernel_squares.item()),
            by_weight,
            by_u,
            parts,
        )
        total = parts.sum(axis=0)
        by_v = 2 * (total[:-1] - v_rows * total[-1])
        return (
            torch.from_numpy(by_weight),
            torch.from_numpy(by_u),
            torch.from_numpy(np.ascontiguousarray(by_v.T)),
        )


def _arrays(weight: Tensor, u: Tensor, v: Tensor) -> list[Array]:
    """W [inputs, outputs], u [inputs, dimension], v in rows [dimension, outputs], ‖uᵢ‖², ‖vⱼ‖²."""
    w, u, v = weight.detach(), u.detach(), v.detach()
    tensors = w, u, v.T, u.square().sum(dim=1), v.square().sum(dim=1)
    return [as_array(tensor) for tensor in tensors]


@compile_
def _kernel_row(u: Array, v: Array, u_square: float, v_squares: Array, kernel: Array) -> None:
    """One input's row of the local kernel, before the ReLU."""
    offset = kernel.dtype.type(1) - u_square
    for j in range(len(kernel)):
        kernel[j] = offset - v_squares[j]
    for d in range(len(u)):
        twice, v_row = u[d] + u[d], v[d]
        for j in range(len(kernel)):
            kernel[j] += twice * v_row[j]


@parallel
def _effective_weight(
    weight: Array, u: Array, v: Array, u_squares: Array, v_squares: Array, effective: Array,
    sums: Array,
) -> None:  # fmt: skip
    inputs, outputs = weight.shape
    zero = weight.dtype.type(0)
    for part in prange(len(sums)):
        kernel = np.empty(outputs, weight.dtype)
        for i in range(part * inputs // len(sums), (part + 1) * inputs // len(sums)):
            _kernel_row(u[i], v, u_squares[i], v_squares, kernel)
            w, out = weight[i], effective[i]
            for j in range(outputs):
                kernel[j] = max(kernel[j], zero)
                out[j] = w[j] * kernel[j]
            sums[part, 0] += dot(w, w)
            sums[part, 1] += dot(kernel, kernel)


@parallel
def _effective_weight_gradient(
    weight: Array, u: Array, v: Array, u_squares: Array, v_squares: Array, by_effective: Array,
    by_squares: float, by_kernel_squares: float, by_weight: Array, by_u: Array, by_v: Array,
) -> None:  # fmt: skip
    inputs, outputs = weight.shape
    dimension = u.shape[1]
    zero = weight.dtype.type(0)
    two = weight.dtype.type(2)
    for part in prange(len(by_v)):
        kernel = np.empty(outputs, weight.dtype)  # then D
        ones = np.ones(outputs, weight.dtype)
        for i in range(part * inputs // len(by_v), (part + 1) * inputs // len(by_v)):
            _kernel_row(u[i], v, u_squares[i], v_squares, kernel)
            w, g, out, d_sums = weight[i], by_effective[i], by_weight[i], by_v[part, dimension]
            for j in range(outputs):
                k = max(kernel[j], zero)
                out[j] = g[j] * k + by_squares * w[j]
                by_k = g[j] * w[j] + by_kernel_squares * k if k > zero else zero
                kernel[j] = by_k
                d_sums[j] += by_k
            total = dot(kernel, ones)
            for d in range(dimension):
                d_sums, factor = by_v[part, d], u[i, d]
                for j in range(outputs):
                    d_sums[j] += kernel[j] * factor
                by_u[i, d] = two * (dot(kernel, v[d]) - total * factor)
