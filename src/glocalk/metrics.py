"""Test errors of rating prediction: pooled RMSE and MAE, per-user NDCG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional import mean_absolute_error, mean_squared_error

from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError

# The gain 2^r − 1 outgrows every other term on scales above this (1 … 100, say).
HIGHEST_RATING_WITH_NDCG = 10


@dataclass(frozen=True)
class Errors:
    """How far predictions are from the ratings they predict.

    Attributes:
        rmse: sqrt of the mean squared error, pooled over all ratings, in rating units.
        mae: mean absolute error, pooled over all ratings, in rating units.
        ndcg: mean over users of `user_ndcg`; None on scales above 10, or where no user has two
            ratings to rank.
        squared_errors: [users] each user's sum of squared errors.
    """

    rmse: float
    mae: float
    ndcg: float | None
    squared_errors: Values


def evaluate(predicted: Values, observed: RatingMatrix) -> Errors:
    """Errors of `predicted` [n], one prediction for each rating of `observed`, in its order.

    Raises:
        GlocalkError: a prediction is missing, or is not finite.
    """
    predicted = np.asarray(predicted, dtype=np.float64)
    if predicted.shape != observed.ratings.shape:
        raise GlocalkError(
            f"{len(observed)} ratings need as many predictions, not {predicted.shape}."
        )
    if not np.isfinite(predicted).all():
        at = int(np.argmin(np.isfinite(predicted)))
        raise GlocalkError(
            f"The prediction for user {observed.users[at]}, item {observed.items[at]} is "
            f"{predicted[at]}: the training has diverged; lower the learning "
            "rate or raise the regularization."
        )
    pair = torch.from_numpy(predicted), torch.tensor(observed.ratings)
    ndcg = None
    if observed.scale[1] <= HIGHEST_RATING_WITH_NDCG:
        per_user = user_ndcg(predicted, observed.ratings, observed.users, observed.items)
        ndcg = float(per_user.mean()) if len(per_user) else None
    return Errors(
        rmse=float(mean_squared_error(*pair, squared=False)),
        mae=float(mean_absolute_error(*pair)),
        ndcg=ndcg,
        squared_errors=np.bincount(
            observed.users, (predicted - observed.ratings) ** 2, observed.num_users
        ).astype(np.float64),
    )


def user_ndcg(
    predicted: Values, ratings: Values, users: Indices, items: Indices
) -> NDArray[np.float64]:
    """Normalized discounted cumulative gain of each user's whole list of rated items.

        NDCGᵤ = DCG(order of predictions) / DCG(order of ratings)
        DCG(order) = Σ_rank (2^r − 1) / log₂(rank + 1),   rank = 1, 2, …

    Ties keep the order of the items, and users with fewer than two ratings are left out, both
    as in the official code (`usydnlp/Glocal_K`). torchmetrics' NDCG averages over ties instead.

    Args:
        predicted: [n] predicted ratings.
        ratings: [n] true ratings r, not negative.
        users: [n] user of each.
        items: [n] item of each.

    Returns:
        [users with two ratings or more] values in 0 … 1, in ascending order of user.
    """
    _, user, counts = np.unique(users, return_inverse=True, return_counts=True)
    gains = np.exp2(ratings) - 1
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    discounts = np.log2(np.arange(len(ratings)) - starts + 2)

    def dcg(score: Values) -> NDArray[np.float64]:
        order = np.lexsort((items, -score, user))
        sums = np.bincount(user[order], weights=gains[order] / discounts)
        return sums.astype(np.float64)

    return (dcg(predicted) / dcg(ratings))[counts > 1]
