"""Scores of the predictive distributions of a completer, under the ids of a split."""

from __future__ import annotations

from typing import Any

import numpy as np

from glocalk.completers.base import Completer
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.metrics import DistributionScores, evaluate_distribution


def distribution_scores(model: Any, split: Split) -> DistributionScores:
    """Score the predictive distributions of the test ratings.

    Args:
        model: a fitted completer.
        split: the split that it was fitted on; levels are the distinct training ratings.

    Raises:
        NotFittedError: the completer is not fitted.
        GlocalkError: it is no completer or gives no distribution, or a test user or item is
            unknown to it.
    """
    if not isinstance(model, Completer):
        raise GlocalkError("distribution=True needs a fitted completer: predictions have none.")
    test, ids = split.test, split.ids
    assert ids is not None  # a split without ids takes the indices
    predicted = model.predict_distribution(ids.users[test.users], ids.items[test.items])
    return evaluate_distribution(predicted, test.ratings, np.unique(split.train.ratings))
