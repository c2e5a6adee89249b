"""Errors by group: active and inactive users, popular and rare items, low and high ratings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError

_MOST_LEVELS = 20  # ratings on a finer scale are put into this many intervals


def errors_by_group(
    predicted: Values, test: RatingMatrix, train: RatingMatrix, groups: int = 5
) -> pd.DataFrame:
    """Test errors of groups of ratings.

    | kind | groups |
    |---|---|
    | `user activity` | users by their number of training ratings; those with none apart |
    | `item activity` | items likewise |
    | `rating` | the rating levels; on scales with more than 20, intervals of equal width |
    | `new` | pairs without a new user or item, with one of them, with both |

    A user or an item is new if it has no training ratings. Activity groups hold about as many users
    (or items) each, counted among those with test ratings; equal numbers are never divided.

    Args:
        predicted: [n] predictions, one for each rating of `test`, in its order.
        test: the test ratings.
        train: the training ratings, of the same shape.
        groups: largest number of activity groups.

    Returns:
        One row for each group that has ratings: `kind`; `group`, in words; `ratings`, its number of
        test ratings; `rmse`; `mae`; `bias`, the mean of predictions minus ratings. All errors are
        in rating units.

    Raises:
        GlocalkError: there is not one prediction for each rating, the shapes differ, or there are
            no groups.
    """
    _check(predicted, test, train)
    if groups < 1:
        raise GlocalkError(f"The number of groups must be at least 1, not {groups}.")
    differences = predicted - test.ratings
    rows = []
    for kind, labels, position in _groupings(test, train, groups):
        for number, label in enumerate(labels):
            chosen = differences[position == number]
            if len(chosen):
                rows.append(
                    {
                        "kind": kind,
                        "group": label,
                        "ratings": len(chosen),
                        "rmse": float(np.sqrt(np.mean(chosen**2))),
                        "mae": float(np.mean(np.abs(chosen))),
                        "bias": float(np.mean(chosen)),
                    }
                )
    return pd.DataFrame(rows, columns=["kind", "group", "ratings", "rmse", "mae", "bias"])


def eccentricity_area(predicted: Values, test: RatingMatrix, train: RatingMatrix) -> float:
    """EAUC, the area under the absolute error as a function of a rating's eccentricity.

        eᵤᵢ = |rᵤᵢ − (mean of u's ratings + mean of i's ratings) / 2|
        EAUC = Σ_k (e_k − e_{k−1}) (|error_k| + |error_{k−1}|) / 2 / (highest − lowest)²

    over test ratings in ascending order of e. A model that predicts what is usual for user and item
    has small errors where e is small and large ones where it is large, which RMSE does not show
    because most ratings are usual. 0 is best. Of ratings with the same eccentricity the mean error
    counts, so that their order does not. Means are over training ratings; those of new users and
    items are the mean of all.

    Paz-Ruza, Alonso-Betanzos, Guijarro-Berdiñas, Cancela, Eiras-Franco, "Beyond RMSE and MAE", IEEE
    TNNLS 2025, arXiv 2401.10690.

    Args:
        predicted: [n] predictions, one for each rating of `test`, in its order.
        test: the test ratings.
        train: the training ratings, of the same shape.

    Raises:
        GlocalkError: there is not one prediction for each rating, the shapes differ, or the scale
            has one value.
    """
    _check(predicted, test, train)
    lowest, highest = test.scale
    if lowest == highest:
        raise GlocalkError("EAUC is not defined on a rating scale with one value.")
    usual = (
        _means(train.users, train.ratings, train.num_users)[test.users]
        + _means(train.items, train.ratings, train.num_items)[test.items]
    ) / 2
    eccentricity, position = np.unique(np.abs(test.ratings - usual), return_inverse=True)
    errors = np.bincount(position, np.abs(predicted - test.ratings)) / np.bincount(position)
    return float(np.trapezoid(errors, eccentricity) / (highest - lowest) ** 2)


def _check(predicted: Values, test: RatingMatrix, train: RatingMatrix) -> None:
    if np.shape(predicted) != test.ratings.shape:
        raise GlocalkError(
            f"{len(test)} ratings need as many predictions, not {np.shape(predicted)}."
        )
    if test.shape != train.shape:
        raise GlocalkError(
            f"The test ratings are of shape {test.shape}, the training ratings of {train.shape}: "
            "take both from the same split."
        )


def _means(index: Indices, ratings: Values, size: int) -> Values:
    """[size] mean rating of each user or item; of those without ratings, that of all."""
    counts = np.bincount(index, minlength=size)
    sums = np.bincount(index, ratings, size)
    return np.where(counts > 0, sums / np.maximum(counts, 1), ratings.mean())


def _groupings(
    test: RatingMatrix, train: RatingMatrix, groups: int
) -> Iterator[tuple[str, list[str], NDArray[Any]]]:
    """Kind, names of its groups, and the group of each test rating [n]."""
    of_users = np.bincount(train.users, minlength=train.num_users)
    of_items = np.bincount(train.items, minlength=train.num_items)
    for kind, counts, index in (
        ("user activity", of_users, test.users),
        ("item activity", of_items, test.items),
    ):
        labels, group = _by_activity(counts[np.unique(index)], groups)
        yield kind, labels, group(counts[index])
    labels, position = _by_rating(test)
    yield "rating", labels, position
    new = np.array([of_users[test.users] == 0, of_items[test.items] == 0])
    yield "new", ["neither", "user", "item", "both"], new[0] + 2 * new[1]


def _by_activity(counts: NDArray[Any], groups: int) -> tuple[list[str], Any]:
    """Names of the groups, and a function from numbers of ratings to groups.

    Args:
        counts: training ratings of each user (or item) with test ratings.
        groups: largest number of groups beside that of the new.
    """
    known = np.sort(counts[counts > 0])
    cuts = (
        known[[len(known) * number // groups for number in range(1, groups)]]
        if len(known)
        else known
    )
    lowest = np.unique(np.append(known[:1], cuts))  # smallest number of ratings of each group
    ends = [*(lowest[1:] - 1), known[-1]] if len(known) else []
    names = [
        f"{low} ratings" if low == high else f"{low}–{high} ratings"
        for low, high in zip(lowest, ends, strict=True)
    ]
    return ["none", *names], lambda numbers: np.searchsorted(lowest, numbers, side="right")


def _by_rating(test: RatingMatrix) -> tuple[list[str], NDArray[Any]]:
    levels, position = np.unique(test.ratings, return_inverse=True)
    if len(levels) <= _MOST_LEVELS:
        return [f"{level:g}" for level in levels], position
    lowest, highest = test.scale
    edges = np.linspace(lowest, highest, _MOST_LEVELS + 1)
    names = [f"{low:g}–{high:g}" for low, high in pairwise(edges)]
    return names, np.searchsorted(edges[1:-1], test.ratings, side="left")
