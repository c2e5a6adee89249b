"""The choice of a formulation for a rating matrix."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from glocalk.config import did_you_mean
from glocalk.errors import GlocalkError
from glocalk.operators.base import RatingOperator
from glocalk.operators.dense import DenseRatings
from glocalk.operators.sparse import SparseRatings
from glocalk.operators.torch_sparse import TorchSparseRatings

Formulation = Literal["auto", "sparse", "dense"]

# On the CPU, dense is faster above this density: a cell of a dense product takes 12 ns, an entry
# of a sparse product 25 to 35 ns.
_DENSE_ABOVE = 0.35
# On other devices dense is much faster, up to this number of cells, so that R, its mask, the
# prediction and its gradient fit into memory.
_DENSE_CELLS = 1 << 29


def make_operator(
    users: Tensor,
    items: Tensor,
    ratings: Tensor,
    shape: tuple[int, int],
    formulation: Formulation = "auto",
) -> RatingOperator:
    """The rating matrix [items, users] as an operator.

    Args:
        users: [n] user index of each rating.
        items: [n] item index of each rating.
        ratings: [n] values, of the dtype and on the device to compute in.
        shape: (items, users).
        formulation: `sparse` and `dense` give the same values up to rounding; `auto` takes the
            faster one:
            sparse on the CPU unless the matrix is well filled, dense on other devices unless
            the matrix is too large for that.

    Raises:
        GlocalkError: an unknown formulation, or `sparse` in a precision that it does not support.
    """
    if formulation not in get_args(Formulation):
        raise GlocalkError(
            f"Unknown formulation '{formulation}': "
            f"{did_you_mean(formulation, get_args(Formulation))}"
        )
    can_be_sparse = ratings.dtype in (torch.float32, torch.float64)
    if formulation == "sparse" and not can_be_sparse:
        raise GlocalkError(
            f"The sparse formulation supports float32 and float64, not {ratings.dtype}: use "
            "formulation=auto."
        )
    on_cpu = ratings.device.type == "cpu"
    cells = shape[0] * shape[1]
    faster_dense = len(ratings) > _DENSE_ABOVE * cells if on_cpu else cells <= _DENSE_CELLS
    if formulation == "dense" or (formulation == "auto" and (faster_dense or not can_be_sparse)):
        return DenseRatings(users, items, ratings, shape)
    return (SparseRatings if on_cpu else TorchSparseRatings)(users, items, ratings, shape)
