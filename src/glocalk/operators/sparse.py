"""The sparse formulation: compiled loops over the observed ratings, on the CPU.

Values and gradients are those of the dense formulation, up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glocalk.operators.base import RatingOperator
from glocalk.sparse import csr
from glocalk.sparse.compiled import Array
from glocalk.sparse.convolution import convolve, dilate, entry_gradient, kernel_gradient
from glocalk.sparse.csr import CSR
from glocalk.sparse.transpose import as_array, row_major

# Above this density of the convolved matrix, products with it are computed on full blocks of rows:
# per entry, dense products are several times faster than sparse ones.
DENSE_ABOVE = 0.4
_BLOCK = 512  # rows


class SparseRatings(RatingOperator):
    """Observed ratings in two compressed layouts, by item and by user; on the CPU.

    No items × users matrix is allocated. Where the convolved matrix is well filled, it is expanded
    to full rows, one block at a time.

    Args:
        users: [n] user index of each rating.
        items: [n] item index of each rating.
        ratings: [n] values of the dtype to compute in, float32 or float64.
        shape: (items, users).
    """

    def __init__(
        self, users: Tensor, items: Tensor, ratings: Tensor, shape: tuple[int, int]
    ) -> None:
        self.shape = shape
        rows, columns, values = items.numpy(), users.numpy(), ratings.numpy()
        self.by_item = CSR.from_triples(rows, columns, values, shape)
        self.by_user = CSR.from_triples(columns, rows, values, shape[::-1])
        self.ratings = torch.from_numpy(self.by_item.values)
        # The position in `by_item` of each entry of `by_user`.
        counts = self.by_item.stops - self.by_item.starts
        rows = np.repeat(np.arange(shape[0], dtype=np.int32), counts)
        self.order = np.lexsort((rows, self.by_item.columns))
        self._cells: dict[int, tuple[CSR, CSR]] = {}

    def product(self, weight: Tensor) -> Tensor:
        return _Product.apply(self, weight)  # type: ignore[no-any-return]

    def convolved_product(self, kernels: Sequence[Tensor], weight: Tensor) -> Tensor:
        return _ConvolvedProduct.apply(self, weight, *kernels)  # type: ignore[no-any-return]

    def half_squared_error(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return _HalfSquaredError.apply(self, hidden, weight.T, bias)  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return _Outputs.apply(self, hidden, weight.T, bias)  # type: ignore[no-any-return]

    @torch.no_grad()
    def live_shares(self, kernels: Sequence[Tensor]) -> tuple[float, float]:
        live = _convolve(self, kernels)[-1]
        found = np.isin(csr.cells(self.by_item), csr.cells(live), assume_unique=True)
        return live.density, float(found.sum()) / max(self.by_item.entries, 1)

    def cells(self, reach: int) -> tuple[CSR, CSR]:
        """The cells within `reach` rows and columns of a rating: by item and by user."""
        if reach not in self._cells:
            self._cells[reach] = dilate(self.by_item, reach), dilate(self.by_user, reach)
        return self._cells[reach]


class _Product(torch.autograd.Function):
    """R W and its gradient Rᵀ G."""

    @staticmethod
    def forward(ctx: Any, ratings: SparseRatings, weight: Tensor) -> Tensor:
        ctx.ratings = ratings
        return torch.from_numpy(csr.matmul(ratings.by_item, as_array(weight)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, torch.from_numpy(csr.matmul(ctx.ratings.by_user, as_array(gradient)))


class _HalfSquaredError(torch.autograd.Function):
    """½ Σ e² with e = hᵢ·wᵤ + bᵤ − r; gradients E W, Eᵀ H, Σᵢ e.

    The gradients are those with respect to hidden, weight and bias. E holds the errors at the
    observed cells. The gradients are computed in a second pass.
    """

    @staticmethod
    def forward(
        ctx: Any, ratings: SparseRatings, hidden: Tensor, by_user: Tensor, bias: Tensor
    ) -> Tensor:
        """`by_user` [users, hidden] is the transposed weight."""
        weight = row_major(by_user)
        predicted = csr.sampled_product(ratings.by_item, as_array(hidden), as_array(weight))
        total, ctx.errors = csr.errors(ratings.by_item, predicted, as_array(bias))
        ctx.ratings = ratings
        ctx.save_for_backward(hidden, weight)
        return hidden.new_tensor(total, dtype=torch.float64)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        return _output_gradients(ctx, ctx.errors * gradient.item())


class _Outputs(torch.autograd.Function):
    """hᵢ·wᵤ + bᵤ at the observed cells; gradients as in `_HalfSquaredError`."""

    @staticmethod
    def forward(
        ctx: Any, ratings: SparseRatings, hidden: Tensor, by_user: Tensor, bias: Tensor
    ) -> Tensor:
        """`by_user` [users, hidden] is the transposed weight."""
        weight = row_major(by_user)
        products = csr.sampled_product(ratings.by_item, as_array(hidden), as_array(weight))
        ctx.ratings = ratings
        ctx.save_for_backward(hidden, weight)
        return torch.from_numpy(products).add_(bias[torch.from_numpy(ratings.by_item.columns)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        return _output_gradients(ctx, as_array(gradient))


def _output_gradients(ctx: Any, by_output: Array) -> tuple[None, Tensor, Tensor, Tensor]:
    """Gradients with respect to hidden, weight and bias.

    `by_output` holds those with respect to the outputs at the observed cells.
    """
    hidden, weight = ctx.saved_tensors
    ratings: SparseRatings = ctx.ratings
    by_item = ratings.by_item.with_values(by_output)
    by_user, by_bias = csr.permute(ratings.by_user, ratings.order, by_output)
    by_hidden, by_weight = (
        csr.matmul(by_item, as_array(weight)),
        csr.matmul(by_user, as_array(hidden)),
    )
    return (
        None,
        torch.from_numpy(by_hidden),
        torch.from_numpy(by_weight),
        torch.from_numpy(by_bias),
    )


class _ConvolvedProduct(torch.autograd.Function):
    """R⁽ᴸ⁾ W on the live (positive) cells of R⁽ˡ⁾ = ReLU(R⁽ˡ⁻¹⁾ ⊗ GK⁽ˡ⁾).

    Given the gradient G with respect to the product, the gradient with respect to W is R⁽ᴸ⁾ᵀ G, and
    that with respect to a live cell (i, u) of R⁽ᴸ⁾ is Gᵢ·Wᵤ; it is propagated back layer by layer.
    The derivative of the ReLU is 1 on live cells, and all other cells have gradient 0.
    """

    @staticmethod
    def forward(ctx: Any, ratings: SparseRatings, weight: Tensor, *kernels: Tensor) -> Tensor:
        ctx.ratings = ratings
        ctx.matrices = matrices = _convolve(ratings, kernels)
        ctx.save_for_backward(weight, *kernels)
        if matrices[-1].density > DENSE_ABOVE:
            return torch.cat([block @ weight for _, block in _blocks(matrices[-1])])
        return torch.from_numpy(csr.matmul(matrices[-1], as_array(weight)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, *kernels = ctx.saved_tensors
        # They are large, so they are released as autograd releases saved tensors. A second
        # backward call computes them again.
        matrices = ctx.matrices or _convolve(ctx.ratings, kernels)
        ctx.matrices = None
        gradient_array = as_array(gradient)
        dense = matrices[-1].density > DENSE_ABOVE
        if dense:
            by_weight, by_cell = _dense_gradients(matrices[-1], gradient, weight)
        else:
            by_cell = csr.sampled_product(matrices[-1], gradient_array, as_array(weight))
        by_kernels: list[Tensor | None] = []
        for kernel in reversed(kernels):
            after, before = matrices.pop(), matrices[-1]
            by_kernel = kernel_gradient(before, after, by_cell, kernel.shape[0])
            by_kernels.insert(0, torch.from_numpy(by_kernel))
            if len(matrices) > 1:
                by_cell = entry_gradient(before, after, by_cell, as_array(kernel))
        del after, by_cell
        if not dense:
            # R⁽ᴸ⁾ᵀ is Rᵀ convolved with the transposed kernels, which is cheaper than transposing.
            transposed = _convolve(ctx.ratings, kernels, transposed=True)[-1]
            by_weight = torch.from_numpy(csr.matmul(transposed, gradient_array))
        return None, by_weight, *by_kernels


def _convolve(
    ratings: SparseRatings, kernels: Sequence[Tensor], transposed: bool = False
) -> list[CSR]:
    """[R, R⁽¹⁾, …, R⁽ᴸ⁾], or all of them transposed."""
    matrices = [ratings.by_user if transposed else ratings.by_item]
    reach = 0
    for kernel in kernels:
        reach += kernel.shape[0] // 2
        oriented = as_array(kernel.T if transposed else kernel)
        matrices.append(convolve(matrices[-1], oriented, ratings.cells(reach)[transposed]))
    return matrices


def _dense_gradients(live: CSR, gradient: Tensor, weight: Tensor) -> tuple[Tensor, Array]:
    """Sᵀ G, and G Wᵀ at the entries of S, one block of full rows at a time."""
    by_weight = torch.zeros_like(weight)
    by_cell = np.empty_like(live.values)
    for rows, block in _blocks(live):
        by_weight.addmm_(block.T, gradient[rows])
        csr.take_entries(live, rows.start, (gradient[rows] @ weight.T).numpy(), by_cell)
    return by_weight, by_cell


def _blocks(matrix: CSR) -> Iterator[tuple[slice, Tensor]]:
    """Yield (range of rows, full rows [rows, columns]) block by block."""
    for start in range(0, matrix.shape[0], _BLOCK):
        stop = min(start + _BLOCK, matrix.shape[0])
        yield slice(start, stop), torch.from_numpy(csr.fill_rows(matrix, start, stop))
