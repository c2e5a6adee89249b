"""How good predictions are.

`errors` has what every record holds: RMSE, MAE and NDCG over all test ratings. The others answer
further questions about the same predictions: `groups`, for whom the errors are large, and
`ranking`, how well the best items of a user are found. `distribution` is about predictions of more
than a mean.
"""

from __future__ import annotations

from glocalk.metrics.distribution import DistributionScores, evaluate_distribution
from glocalk.metrics.errors import Errors, evaluate, user_ndcg, why_no_ndcg
from glocalk.metrics.groups import eccentricity_area, errors_by_group
from glocalk.metrics.ranking import ranking_at

__all__ = [
    "DistributionScores",
    "Errors",
    "eccentricity_area",
    "errors_by_group",
    "evaluate",
    "evaluate_distribution",
    "ranking_at",
    "user_ndcg",
    "why_no_ndcg",
]
