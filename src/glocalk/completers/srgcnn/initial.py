"""Where the factors of sRGCNN start."""

from __future__ import annotations

import torch
from torch import Tensor

from glocalk.completers.blocks.singular import leading_singular
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.sparse.csr import CSR

_PRECISION = 1e-9  # of the singular vectors
_REMEDY = "change model.rank"


def initial_factors(
    train: RatingMatrix, rank: int, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """U √S [users, rank] and V √S [items, rank] of ratings drawn at random, with 0 elsewhere.

    Columns beyond the smaller side of the matrix are 0.

    Args:
        train: the training ratings.
        rank: number of singular values, the largest ones.
        share: share of the ratings, rounded down but at least one.
        generator: decides which.

    Raises:
        GlocalkError: they are not found.
    """
    order = torch.randperm(len(train), generator=generator).numpy()
    part = train.select(order[: max(int(share * len(train)), 1)])
    matrix = CSR.from_triples(part.users, part.items, part.ratings, train.shape)
    count = min(rank, *train.shape)
    left, values, right = leading_singular(matrix, count, _PRECISION, _REMEDY)
    factors = tuple(values.new_zeros(size, rank) for size in train.shape)
    for whole, vectors in zip(factors, (left, right), strict=True):
        whole[:, :count] = vectors * values.sqrt()
    users, items = factors
    return users, items
