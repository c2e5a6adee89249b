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

_LARGEST_SQUARE = 1e290  # of an error; the sum of fewer than 10¹⁸ such squares is finite


@dataclass(frozen=True)
class Errors:
    """How far predictions are from the ratings they predict.

    Attributes:
        rmse: sqrt of the mean squared error, pooled over all ratings, in rating units.
        mae: mean absolute error, pooled over all ratings, in rating units.
        ndcg: mean over users of `user_ndcg`, in 0 … 1; None where it is not defined, see
            `why_no_ndcg`.
        squared_errors: [users] each user's sum of squared errors.
    """

    rmse: float
    mae: float
    ndcg: float | None
    squared_errors: Values


def evaluate(predicted: Values, observed: RatingMatrix) -> Errors:
    """Errors of `predicted` [n], one prediction for each rating of `observed`, in its order.

    Raises:
        GlocalkError: a prediction is missing, is not finite, or is so large that the square of its
            error is not.
    """
    predicted = np.asarray(predicted, dtype=np.float64)
    if predicted.shape != observed.ratings.shape:
        raise GlocalkError(
            f"{len(observed)} ratings need as many predictions, not {predicted.shape}."
        )
    with np.errstate(over="ignore"):
        squares = (predicted - observed.ratings) ** 2
    measurable = squares <= _LARGEST_SQUARE  # false for NaN
    if not measurable.all():
        at = int(np.argmin(measurable))
        raise GlocalkError(
            f"The prediction for user index {observed.users[at]}, item index "
            f"{observed.items[at]} is {predicted[at]}: the training has diverged; lower the "
            "learning rate or raise the regularization."
        )
    pair = torch.from_numpy(predicted), torch.tensor(observed.ratings)
    ndcg = None
    if _gains_are_comparable(observed):
        per_user = user_ndcg(predicted, observed.ratings, observed.users, observed.items)
        ndcg = float(per_user.mean()) if len(per_user) else None
    return Errors(
        rmse=float(mean_squared_error(*pair, squared=False)),
        mae=float(mean_absolute_error(*pair)),
        ndcg=ndcg,
        squared_errors=np.bincount(observed.users, squares, observed.num_users).astype(np.float64),
    )


def why_no_ndcg(observed: RatingMatrix) -> str | None:
    """One sentence on why these ratings have no NDCG, whatever is predicted; None if they have one.

    Its gain 2^r − 1 is negative below 0, and on scales above 10 that of the highest ratings
    outgrows all others. Elsewhere NDCG needs a user with two ratings, one of them above 0.
    """
    lowest, highest = observed.scale
    scale = f"the rating scale {lowest:g} … {highest:g}"
    if lowest < 0:
        return f"NDCG is not defined on {scale}: the gain 2^r − 1 is negative below 0."
    if highest > HIGHEST_RATING_WITH_NDCG:
        return (
            f"NDCG is left out on {scale}: above {HIGHEST_RATING_WITH_NDCG} the gain 2^r − 1 of "
            "the highest ratings outgrows all others."
        )
    if not len(user_ndcg(observed.ratings, observed.ratings, observed.users, observed.items)):
        return "NDCG is not defined, because no user has two test ratings, one of them above 0."
    return None


def _gains_are_comparable(observed: RatingMatrix) -> bool:
    lowest, highest = observed.scale
    return lowest >= 0 and highest <= HIGHEST_RATING_WITH_NDCG


def user_ndcg(
    predicted: Values, ratings: Values, users: Indices, items: Indices
) -> NDArray[np.float64]:
    """Normalized discounted cumulative gain of each user's whole list of rated items.

        NDCGᵤ = DCG(order of predictions) / DCG(order of ratings)
        DCG(order) = Σ_rank (2^r − 1) / log₂(rank + 1),   rank = 1, 2, …

    Ties keep the order of the items, and users with fewer than two ratings are left out, both
    as in the official code (`usydnlp/Glocal_K`). torchmetrics' NDCG averages over ties instead.
    Users without a rating above 0 are left out too: their ideal DCG, the divisor, is 0.

    Args:
        predicted: [n] predicted ratings.
        ratings: [n] true ratings r, not negative.
        users: [n] user of each.
        items: [n] item of each.

    Returns:
        [users with two ratings or more, one of them above 0] values in 0 … 1, in ascending order
        of user.

    Raises:
        GlocalkError: a rating is negative.
    """
    if (ratings < 0).any():
        raise GlocalkError(
            f"The rating {ratings.min():g} has a negative gain 2^r − 1: NDCG is defined for "
            "ratings from 0 on."
        )
    _, user, counts = np.unique(users, return_inverse=True, return_counts=True)
    gains = np.exp2(ratings) - 1
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    discounts = np.log2(np.arange(len(ratings)) - starts + 2)

    def dcg(score: Values) -> NDArray[np.float64]:
        order = np.lexsort((items, -score, user))
        sums = np.bincount(user[order], weights=gains[order] / discounts)
        return sums.astype(np.float64)

    ideal = dcg(ratings)
    defined = (counts > 1) & (ideal > 0)
    shares: NDArray[np.float64] = dcg(predicted)[defined] / ideal[defined]
    return np.minimum(shares, 1)  # the sums of nearly equal gains are rounded
