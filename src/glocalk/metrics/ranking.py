"""Ranking metrics of predicted ratings, among the items that a user has rated."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torchmetrics import Metric
from torchmetrics.retrieval import (
    RetrievalHitRate,
    RetrievalMAP,
    RetrievalMRR,
    RetrievalNormalizedDCG,
    RetrievalPrecision,
    RetrievalRecall,
)

from glocalk.data.rating_matrix import RatingMatrix, Values
from glocalk.errors import GlocalkError

_METRICS: dict[str, Callable[..., Metric]] = {
    "precision": partial(RetrievalPrecision, adaptive_k=True),
    "recall": RetrievalRecall,
    "ndcg": RetrievalNormalizedDCG,
    "map": RetrievalMAP,
    "mrr": RetrievalMRR,
    "hit_rate": RetrievalHitRate,
}


def ranking_at(
    k: int, predicted: Values, test: RatingMatrix, *, relevant: float | None = None
) -> dict[str, float]:
    """Means over users of torchmetrics' retrieval metrics of the k highest predictions.

    Candidates are the items that the user rated in the test set, no others: of unrated items it is
    not known whether they are relevant. Users without a relevant item are left out. The precision
    of a user with fewer than k items is that at their number. On such lists the figures are much
    higher than in rankings of all items, and are not comparable with them.

    Args:
        k: length of the list.
        predicted: [n] predictions, one for each rating of `test`, in its order.
        test: the test ratings.
        relevant: lowest rating of a relevant item; None takes the scale's lowest + 3/4 of its
            width, 4 of 1 … 5.

    Returns:
        `k`; `relevant`, the lowest rating of a relevant item; `precision`, `recall`, `ndcg` with
        gains 0 and 1, `map`, `mrr` and `hit_rate`, each at k and in 0 … 1; `users`, the number of
        users that they are means of.

    Raises:
        GlocalkError: k is below 1, there is not one prediction for each rating, or no test rating
            is relevant.
    """
    if k < 1:
        raise GlocalkError(f"The length of a list must be at least 1, not {k}.")
    if predicted.shape != test.ratings.shape:
        raise GlocalkError(f"{len(test)} ratings need as many predictions, not {predicted.shape}.")
    lowest, highest = test.scale
    bound = lowest + 0.75 * (highest - lowest) if relevant is None else relevant
    is_relevant = test.ratings >= bound
    if not is_relevant.any():
        raise GlocalkError(
            f"No test rating is relevant, that is {bound:g} or above: lower the bound."
        )
    inputs = (
        torch.tensor(predicted),
        torch.from_numpy(is_relevant),
        torch.tensor(test.users, dtype=torch.long),
    )
    measured = {}
    for name, metric in _METRICS.items():
        made = metric(empty_target_action="skip", top_k=k)
        made.update(*inputs)
        measured[name] = float(made.compute())
    users = len(set(test.users[is_relevant].tolist()))
    return {"k": k, "relevant": bound, **measured, "users": users}
