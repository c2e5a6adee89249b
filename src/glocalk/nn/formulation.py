"""Which formulation a rating matrix is computed with."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from glocalk.errors import GlocalkError
from glocalk.nn.operators import DenseRatings, RatingOperator
from glocalk.nn.sparse import SparseRatings

Formulation = Literal["auto", "sparse", "dense"]

# A matrix fuller than this is faster dense.
_DENSE_ABOVE = 0.3


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
            sparse on the CPU unless the matrix is well filled, dense on other devices.

    Raises:
        GlocalkError: `sparse` on a device, or in a precision, that it is not written for.
    """
    can_be_sparse = ratings.device.type == "cpu" and ratings.dtype in (
        torch.float32,
        torch.float64,
    )
    if formulation == "sparse" and not can_be_sparse:
        raise GlocalkError(
            f"The sparse formulation computes in float32 or float64 on the CPU, not in "
            f"{ratings.dtype} on {ratings.device}: take formulation=auto."
        )
    well_filled = len(ratings) > _DENSE_ABOVE * shape[0] * shape[1]
    if formulation == "dense" or (formulation == "auto" and (well_filled or not can_be_sparse)):
        return DenseRatings(users, items, ratings, shape)
    return SparseRatings(users, items, ratings, shape)
