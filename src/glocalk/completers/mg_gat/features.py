"""What MG-GAT knows of users and items: X, singular vectors beside encoded attributes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glocalk.completers.blocks.singular import leading_singular
from glocalk.data.labels import Kind
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.side.encode import FeatureConfig, encode
from glocalk.data.side.information import SideInformation
from glocalk.sparse.csr import CSR

_PRECISION = 1e-9  # of the singular vectors
_REMEDY = "change model.svd_rank"


def implicit_features(
    train: RatingMatrix, rank: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """U √S [users, r] and V √S [items, r] of the binary training matrix, which is 1 where rated.

    Singular vectors have a sign only by convention: of each column of U, the entry with the
    largest magnitude is positive. r is `rank`, or the smaller side of the matrix.

    Args:
        train: the training ratings.
        rank: number of singular values, the largest ones.

    Raises:
        GlocalkError: they are not found.
    """
    ones = CSR.from_triples(train.users, train.items, np.ones(len(train)), train.shape)
    found = leading_singular(ones, min(rank, *train.shape), _PRECISION, _REMEDY)
    left, values, right = (part.numpy() for part in found)
    largest = np.take_along_axis(left, np.abs(left).argmax(axis=0)[None], axis=0)
    scale = np.where(largest < 0, -1.0, 1.0) * np.sqrt(values)
    return left * scale, right * scale


def with_attributes(
    implicit: NDArray[np.float64],
    side: SideInformation,
    kind: Kind,
    features: tuple[FeatureConfig, ...] | None,
) -> NDArray[np.float64]:
    """X [n, f]: `implicit` [n, r], and beside it the columns of the attributes.

    Args:
        implicit: the singular vectors.
        side: where the attributes are.
        kind: of whom.
        features: which attributes; None takes all, an empty tuple none.

    Raises:
        GlocalkError: there is no such attribute, or it has another form than the encoding is for.
    """
    if features == ():
        return implicit
    return np.concatenate([implicit, encode(side.attributes(kind), features).matrix], axis=1)
