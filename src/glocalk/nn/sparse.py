"""The sparse formulation: the dense one's values and gradients from the observed entries alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glocalk.nn import csr
from glocalk.nn.csr import CSR, Array
from glocalk.nn.operators import RatingOperator

# Above this share of live cells a product with the convolved matrix is made of full blocks of
# rows: dense products run several times faster an entry than sparse ones.
DENSE_ABOVE = 0.15
_BLOCK = 512  # rows


class SparseRatings(RatingOperator):
    """Observed ratings in both layouts, by item and by user; on the CPU.

    No items × users matrix is made, except in blocks of rows where the convolved matrix is well
    filled.

    Args:
        users: [n] user index of each rating.
        items: [n] item index of each rating.
        ratings: [n] values, float32 or float64, of the dtype to compute in.
        shape: (items, users).
    """

    def __init__(
        self, users: Tensor, items: Tensor, ratings: Tensor, shape: tuple[int, int]
    ) -> None:
        self.shape = shape
        order = torch.argsort(items * shape[1] + users)
        counts = torch.bincount(items, minlength=shape[0]).numpy()
        self.by_item = CSR(
            np.concatenate([[0], np.cumsum(counts)]),
            users[order].numpy().astype(np.int32),
            ratings[order].numpy(),
            shape,
        )
        # `order`: the position in `by_item` of each entry of `by_user`.
        self.by_user, self.order = self.by_item.transpose()
        _share_threads()

    def product(self, weight: Tensor) -> Tensor:
        return _Product.apply(self, weight)  # type: ignore[no-any-return]

    def convolved_product(self, kernels: Sequence[Tensor], weight: Tensor) -> Tensor:
        return _ConvolvedProduct.apply(self, weight, *kernels)  # type: ignore[no-any-return]

    def half_squared_error(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return _HalfSquaredError.apply(self, hidden, weight.T, bias)  # type: ignore[no-any-return]


class _Product(torch.autograd.Function):
    """R W and its gradient Rᵀ G."""

    @staticmethod
    def forward(ctx: Any, ratings: SparseRatings, weight: Tensor) -> Tensor:
        ctx.ratings = ratings
        return torch.from_numpy(csr.matmul(ratings.by_item, _array(weight)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, torch.from_numpy(csr.matmul(ctx.ratings.by_user, _array(gradient)))


class _HalfSquaredError(torch.autograd.Function):
    """½ Σ (r − hᵢ·wᵤ − bᵤ)², its gradients e wᵤ, e hᵢ, e with e = hᵢ·wᵤ + bᵤ − r made at once."""

    @staticmethod
    def forward(
        ctx: Any, ratings: SparseRatings, hidden: Tensor, by_user: Tensor, bias: Tensor
    ) -> Tensor:
        """`by_user` [users, hidden] is the transposed weight."""
        by_item = ratings.by_item
        hidden_array = _array(hidden)
        total, errors, by_hidden = csr.squared_error(
            by_item, hidden_array, _array(by_user), _array(bias)
        )
        errors_by_user = CSR(
            ratings.by_user.starts,
            ratings.by_user.columns,
            errors[ratings.order],
            ratings.by_user.shape,
        )
        by_weight = csr.matmul(errors_by_user, hidden_array)
        by_bias = np.bincount(by_item.columns, errors, ratings.shape[1]).astype(errors.dtype)
        ctx.save_for_backward(*(torch.from_numpy(g) for g in (by_hidden, by_weight, by_bias)))
        return hidden.new_tensor(total)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        by_hidden, by_weight, by_bias = ctx.saved_tensors
        return None, gradient * by_hidden, gradient * by_weight, gradient * by_bias


class _ConvolvedProduct(torch.autograd.Function):
    """R⁽ᴸ⁾ W on the live cells of R⁽ˡ⁾ = ReLU(R⁽ˡ⁻¹⁾ ⊗ GK⁽ˡ⁾).

    With G the gradient by the product, the one by W is R⁽ᴸ⁾ᵀ G and the one by a live cell (i, u)
    of R⁽ᴸ⁾ is Gᵢ·Wᵤ; from there it goes back layer by layer. ReLU's derivative is 1 on live
    cells, and all others have gradient 0.
    """

    @staticmethod
    def forward(ctx: Any, ratings: SparseRatings, weight: Tensor, *kernels: Tensor) -> Tensor:
        matrices = [ratings.by_item]
        for kernel in kernels:
            matrices.append(csr.convolve(matrices[-1], _array(kernel)))
        ctx.matrices = matrices
        ctx.save_for_backward(weight, *kernels)
        if matrices[-1].density > DENSE_ABOVE:
            return torch.cat([block @ weight for _, block in _blocks(matrices[-1])])
        return torch.from_numpy(csr.matmul(matrices[-1], _array(weight)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, *kernels = ctx.saved_tensors
        live = ctx.matrices[-1]
        if live.density > DENSE_ABOVE:
            by_weight, by_cell = _dense_gradients(live, gradient, weight)
        else:
            gradient_array = _array(gradient)
            transposed, _ = live.transpose()
            by_weight = torch.from_numpy(csr.matmul(transposed, gradient_array))
            by_cell = csr.sampled_product(live, gradient_array, _array(weight))
        by_kernels: list[Tensor | None] = []
        for layer in range(len(kernels), 0, -1):
            before, after = ctx.matrices[layer - 1], ctx.matrices[layer]
            kernel = _array(kernels[layer - 1])
            by_kernel = csr.kernel_gradient(before, after, by_cell, kernel.shape[0])
            by_kernels.insert(0, torch.from_numpy(by_kernel))
            if layer > 1:
                by_cell = csr.entry_gradient(before, after, by_cell, kernel)
        return None, by_weight, *by_kernels


def _dense_gradients(live: CSR, gradient: Tensor, weight: Tensor) -> tuple[Tensor, Array]:
    """Sᵀ G and (G Wᵀ) at the entries of S, a block of full rows at a time."""
    by_weight = torch.zeros_like(weight)
    by_cell = np.empty_like(live.values)
    for rows, block in _blocks(live):
        by_weight.addmm_(block.T, gradient[rows])
        samples = (gradient[rows] @ weight.T).numpy()
        entries = slice(live.starts[rows.start], live.starts[rows.stop])
        counts = np.diff(live.starts[rows.start : rows.stop + 1])
        row = np.repeat(np.arange(len(counts)), counts)
        by_cell[entries] = samples[row, live.columns[entries]]
    return by_weight, by_cell


def _blocks(matrix: CSR) -> Any:
    """(range of rows, full rows [rows, columns]) one after another."""
    for start in range(0, matrix.shape[0], _BLOCK):
        stop = min(start + _BLOCK, matrix.shape[0])
        entries = slice(matrix.starts[start], matrix.starts[stop])
        counts = np.diff(matrix.starts[start : stop + 1])
        row = np.repeat(np.arange(stop - start), counts)
        block = np.zeros((stop - start, matrix.shape[1]), matrix.values.dtype)
        block[row, matrix.columns[entries]] = matrix.values[entries]
        yield slice(start, stop), torch.from_numpy(block)


def _share_threads() -> None:
    """Let numba use as many threads as torch.

    Both stand on one OpenMP, and numba sets its number of threads when it starts.
    """
    threads = torch.get_num_threads()
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    numba.set_num_threads(min(threads, most))
    torch.set_num_threads(threads)


def _array(tensor: Tensor) -> Array:
    return tensor.detach().contiguous().numpy()
