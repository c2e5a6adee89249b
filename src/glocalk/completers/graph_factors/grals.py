"""GRALS: matrix factorization whose factors are alike along the edges of two graphs.

Rao, Yu, Ravikumar, Dhillon, "Collaborative filtering with graph information: consistency and
scalable methods", NIPS 2015; code `rofuyu/exp-grmf-nips15`, and its use in
`strahl2e/GPMF-GBP-AAAI-20`. With ratings divided by the highest one and L the Laplacian of a graph,
the factors minimize

    ½ Σ (r − uᵀv)² + ½ tr(Uᵀ P_U U) + ½ tr(Vᵀ P_V V),   P = λ_L L + λ I

Both sides alternate. In its turn, a side makes a few steps of the conjugate gradient method, as
many as decrease its gradient to a tenth, at most `steps`. The first factors are uniform in [0, 1).

Graphs are those of nearest neighbors by attributes, those of the data set, or none. Edges have
weight 1.

Differences from the code: the prediction for pairs with a user or an item without training ratings
is the mean of the training ratings. There it is the product of factors that come from neighbors
alone, or are 0. Ratings are counted from the lowest one where a scale goes below 0.

The published figure on Douban, .833, is of Monti, Bronstein, Bresson, NeurIPS 2017, who give no
hyperparameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import laplacian

from glocalk.completers.graph_factors.alternating import Alternating
from glocalk.completers.graph_factors.base import GraphFactors
from glocalk.completers.graph_factors.config import GRALSConfig
from glocalk.completers.graph_factors.factors import ScaledRatings
from glocalk.completers.resumable import run_epochs
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.side.graphs import Graph
from glocalk.training.context import FitContext


class GRALS(GraphFactors):
    """GRALS: matrix factorization with graphs, solved by alternating conjugate gradients.

    The module has the equations.

    Example:
        >>> import glocalk, pandas as pd
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> friends = pd.DataFrame({"one": [0], "other": [1]})
        >>> side = glocalk.SideInformation.from_frames(ratings.ids, user_edges=friends)
        >>> model = glocalk.GRALS(rank=2, user_graph="given", item_graph="none", epochs=3)
        >>> model.fit(ratings, side=side, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = GRALSConfig
    config: GRALSConfig

    @property
    def schedule(self) -> dict[str, int]:
        return {"alternations": self.config.epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        config = self.config
        generator = np.random.default_rng(context.seed)
        users, items = self._graphs(context, train.shape, generator)
        penalties = self._penalty(users), self._penalty(items)
        solver = Alternating(ScaledRatings(train), penalties, config.rank, config.steps, generator)
        self.factors = solver.factors
        run_epochs("alternations", config.epochs, solver, self, train, context)

    def _penalty(self, graph: Graph) -> Graph:
        """[n, n] λ_L L + λ I."""
        edges: Any = laplacian((graph != 0).astype(np.float64))
        identity: Any = sparse.eye_array(graph.shape[0])
        config = self.config
        return sparse.csr_array(config.graph_weight * edges + config.regularization * identity)
