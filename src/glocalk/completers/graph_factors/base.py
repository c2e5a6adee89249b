"""What GRAEM and GRALS have in common: graphs before the fit, predictions after it."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from glocalk.completers.base import Completer, State
from glocalk.completers.graph_factors.config import GraphFactorsConfig
from glocalk.completers.graph_factors.factors import Factors
from glocalk.data.labels import Kind
from glocalk.data.rating_matrix import Indices, Values
from glocalk.data.side.encode import encode
from glocalk.data.side.graphs import Graph, as_graph, nearest_neighbors, symmetric
from glocalk.data.side.information import Need
from glocalk.training.context import FitContext


class GraphFactors(Completer):
    """Factors of users and items that are alike along the edges of two graphs.

    A pair with a user or an item without training ratings is predicted the mean of the training
    ratings.
    """

    config: GraphFactorsConfig

    factors: Factors | None = None

    @property
    def needs(self) -> tuple[Need, ...]:
        sides: tuple[tuple[str, Need, Need], ...] = (
            (self.config.user_graph, "user attributes", "user graph"),
            (self.config.item_graph, "item attributes", "item graph"),
        )
        wanted = {"attributes": 1, "given": 2}
        return tuple(side[wanted[side[0]]] for side in sides if side[0] in wanted)  # type: ignore[misc]

    def _graphs(
        self, context: FitContext, shape: tuple[int, int], generator: np.random.Generator
    ) -> tuple[Graph, Graph]:
        """Those of users and of items; without edges where there is none."""
        users, items = shape
        return (
            self._graph("user", context, users, generator),
            self._graph("item", context, items, generator),
        )

    def _graph(
        self, kind: Kind, context: FitContext, size: int, generator: np.random.Generator
    ) -> Graph:
        config = self.config
        how = config.user_graph if kind == "user" else config.item_graph
        if how == "given":
            return symmetric(context.side.graph(kind))
        count = min(config.neighbors, size - 1)
        if how == "none" or count < 1:
            return as_graph(sparse.csr_array((size, size)), "graph")
        chosen = config.user_features if kind == "user" else config.item_features
        features = encode(context.side.attributes(kind), chosen).matrix
        return symmetric(nearest_neighbors(features, count, generator))

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        return self._require(self.factors).predict_pairs(users, items)

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        return self._require(self.factors).predict_grid(users, items)

    def state(self) -> State:
        return self._require(self.factors).state()

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        self.factors = Factors.of_state(state, shape, self.config.rank)

    @property
    def num_parameters(self) -> int:
        return self._require(self.factors).size
