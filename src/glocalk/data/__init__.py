"""Where ratings come from: sources of each data set, the rating matrix, its splits.

Sources are addressed by module (`glocalk.data.datasets.movielens.MovieLens100K`), so that a run imports
only the readers that it needs.
"""

from glocalk.data.ratings import RatingMatrix
from glocalk.data.sources import Source
from glocalk.data.splits import Split

__all__ = ["RatingMatrix", "Source", "Split"]
