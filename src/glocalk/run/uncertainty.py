"""Scores the predictive distributions of a finished training."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from glocalk.completers.base import Completer
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.splits import Split
from glocalk.metrics import evaluate_distribution
from glocalk.run.monitor import Monitor
from glocalk.run.revealing import RevealedSplit


def observe_distribution(completer: Completer, split: Split, monitor: Monitor) -> None:
    """Tell the monitor how good the distributions are, of a completer that gives them.

    Those of newcomers that were folded in are left out.

    Raises:
        GlocalkError: a distribution is not finite.
    """
    if not completer.gives_distribution or isinstance(split, RevealedSplit):
        return
    levels = np.unique(split.train.ratings)

    def score(test: RatingMatrix) -> dict[str, Any]:
        predicted = completer.predict_distribution_pairs(test.users, test.items)
        return asdict(evaluate_distribution(predicted, test.ratings, levels))

    monitor.observe_distribution(score)
