"""GRAEM as it is reported: kernelized matrix factorization on a pruned graph.

Strahl, Peltonen, Mamitsuka, Kaski, "Scalable probabilistic matrix factorization with graph-based
priors", AAAI 2020; official code `strahl2e/GPMF-GBP-AAAI-20` (MATLAB). The figure that tables call
GRAEM is that of KPMF, Zhou, Shan, Banerjee, Sapiro, SDM 2012, on the graphs that GRAEM prunes:

1. A graph of each side: between each user and the ten with the nearest attributes, likewise items;
   or a graph that the data set has; or none.
2. Edges that the ratings contest are removed, see `pruning`.
3. With ratings divided by the highest one and L the Laplacian of the pruned graph, the factors
   minimize

       (1/σ²) Σ (r − uᵀv)² + ½ tr(Uᵀ P_U U) + ½ tr(Vᵀ P_V V),   P = K⁻¹ + diag(K⁻¹), K⁻¹ = I + γ L

   by stochastic gradient descent with momentum. (KPMF has P = K⁻¹; the diagonal is that of the
   official code.) It starts at the singular vectors of the matrix whose gaps are filled with the
   mean, U = A √S and V = B √S. In each of an epoch's batches, a
   rating adds to the gradient of its user's factors

       −(2/σ²) e v + ((K⁻¹U)ᵤ + K⁻¹ᵤᵤ u) / nᵤ,   nᵤ the user's number of ratings

   and likewise to that of its item's; U ← U − D with D ← m D + η · gradient.

Differences from the official code:

- It stops at the first epoch, after five, whose test error is not lower than the one before by at
  least 1e-5 of it, and keeps the last factors. Here all epochs are made, and the selection run
  chooses one.
- The prediction for pairs with a user or an item without training ratings is the mean of the
  training ratings. There it comes from the initial factors, which no rating changes.
- Ratings are counted from the lowest one where a scale goes below 0.

It has no code for Douban. There, `settings/graem/douban.yaml` takes the users' social graph and no
graph of items.
"""

from __future__ import annotations

import numpy as np

from glocalk.completers.graph_factors.base import GraphFactors
from glocalk.completers.graph_factors.config import GRAEMConfig
from glocalk.completers.graph_factors.factors import ScaledRatings
from glocalk.completers.graph_factors.kpmf import KPMF, inverse_kernel
from glocalk.completers.graph_factors.pruning import initial_factors, pruned
from glocalk.completers.resumable import run_epochs
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.side.graphs import Graph
from glocalk.training.context import FitContext


class GRAEM(GraphFactors):
    """GRAEM: kernelized matrix factorization on graphs whose contested edges are removed.

    The module has the equations.

    Example:
        >>> import glocalk, pandas as pd
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> friends = pd.DataFrame({"one": [0], "other": [1]})
        >>> side = glocalk.SideInformation.from_frames(ratings.ids, user_edges=friends)
        >>> model = glocalk.GRAEM(rank=2, user_graph="given", item_graph="none", epochs=3)
        >>> model.fit(ratings, side=side, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = GRAEMConfig
    official = "validated"  # the official code stops by the test error; see the module
    config: GRAEMConfig

    @property
    def schedule(self) -> dict[str, int]:
        return {"sgd": self.config.epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        config = self.config
        generator = np.random.default_rng(context.seed)
        ratings = ScaledRatings(train)
        graphs = self._graphs(context, train.shape, generator)
        if config.prune and sum(graph.nnz for graph in graphs):
            graphs = self._pruned(ratings, *graphs, generator)
        users, items = (inverse_kernel(graph, config.graph_weight) for graph in graphs)
        solver = KPMF(ratings, users, items, config, generator)
        self.factors = solver.factors
        run_epochs("sgd", config.epochs, solver, self, train, context)

    def _pruned(
        self,
        ratings: ScaledRatings,
        user_graph: Graph,
        item_graph: Graph,
        generator: np.random.Generator,
    ) -> tuple[Graph, Graph]:
        options, by_user = self.config.pruning, ratings.matrix
        users, items = initial_factors(
            by_user,
            self.config.rank,
            options.regularization,
            options.alternations,
            options.steps,
            generator,
        )
        by_item = by_user.T.tocsr()
        return (
            pruned(user_graph, users, items, by_user, options.precision, generator),
            pruned(item_graph, items, users, by_item, options.precision, generator),
        )
