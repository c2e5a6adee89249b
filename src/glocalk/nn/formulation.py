"""Which formulation an operator over ratings computes by."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from glocalk.nn.operators import DenseRatings, RatingOperator

Formulation = Literal["auto", "dense"]


def make_operator(
    users: Tensor,
    items: Tensor,
    ratings: Tensor,
    shape: tuple[int, int],
    formulation: Formulation = "auto",
) -> RatingOperator:
    """The rating matrix [items, users] as an operator; see `RatingOperator`."""
    return DenseRatings(users, items, ratings, shape)
