"""Ratings and where they come from: rating matrix, splits, ids, and the sources of data sets.

Sources are imported from their modules (`glocalk.data.datasets.movielens.MovieLens100K`), so that
a run imports only the readers that it needs.
"""

from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.sources import Source
from glocalk.data.splits import Split

__all__ = ["RatingMatrix", "Source", "Split"]
