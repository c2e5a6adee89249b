"""Which formulation a rating matrix is computed with."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from glocalk.config import did_you_mean
from glocalk.errors import GlocalkError
from glocalk.operators.base import RatingOperator
from glocalk.operators.dense import DenseRatings
from glocalk.operators.sparse import SparseRatings
from glocalk.operators.torch_sparse import GatheredRatings

Formulation = Literal["auto", "sparse", "dense"]

# On the CPU a matrix fuller than this is faster dense: a cell of a dense product costs 12 ns
# where an entry of a sparse one costs 25 to 35.
_DENSE_ABOVE = 0.35
# Elsewhere dense products are far ahead of sparse ones, as long as some matrices of so many
# cells fit: R, its mask, the prediction, its gradient.
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
        formulation: `sparse` and `dense` give the same values; `auto` takes the faster one:
            sparse on the CPU unless the matrix is well filled, dense on other devices unless
            it is too large for that.

    Raises:
        GlocalkError: an unknown formulation, or `sparse` in a precision that it is not written
            for.
    """
    if formulation not in get_args(Formulation):
        raise GlocalkError(
            f"Unknown formulation '{formulation}': "
            f"{did_you_mean(formulation, get_args(Formulation))}"
        )
    can_be_sparse = ratings.dtype in (torch.float32, torch.float64)
    if formulation == "sparse" and not can_be_sparse:
        raise GlocalkError(
            f"The sparse formulation computes in float32 or float64, not in {ratings.dtype}: "
            "take formulation=auto."
        )
    on_cpu = ratings.device.type == "cpu"
    cells = shape[0] * shape[1]
    faster_dense = len(ratings) > _DENSE_ABOVE * cells if on_cpu else cells <= _DENSE_CELLS
    if formulation == "dense" or (formulation == "auto" and (faster_dense or not can_be_sparse)):
        return DenseRatings(users, items, ratings, shape)
    return (SparseRatings if on_cpu else GatheredRatings)(users, items, ratings, shape)
