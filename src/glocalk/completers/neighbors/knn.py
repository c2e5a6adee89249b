"""Neighborhood models: user-kNN and item-kNN on deviations from a baseline.

With a baseline bᵤᵢ = μ + bᵤ + bᵢ and deviations d = r − b, user-kNN predicts from the set N of the
k users most similar to u among those who rated i, and item-kNN from the k items most similar to i
among those that u rated:

    user-kNN:  r̂ᵤᵢ = bᵤᵢ + Σ_{v ∈ N} s_uv d_vi / (damping + Σ_{v ∈ N} |s_uv|)
    item-kNN:  r̂ᵤᵢ = bᵤᵢ + Σ_{j ∈ N} s_ij d_uj / (damping + Σ_{j ∈ N} |s_ij|)

Similarities are computed over the n columns that two users (items) have in common, with x and y
their deviations there, and shrunk if n is small:

    s = n / (n + shrinkage) · Σ x y / √(Σ x² · Σ y²)

for `cosine`; `pearson` first subtracts the means of x and y over the common ratings. Sources: Bell
and Koren, "Improved neighborhood-based collaborative filtering", KDD Cup 2007; Koren, "Factor in
the neighbors", TKDD 2010, Sec. 2.2, whose shrinkage is 100.

No matrix of similarities is stored: a prediction computes the rows that it needs from the ratings,
a block at a time. The rows of all users take time Σ_items (ratings of the item)², those of all
items Σ_users (ratings of the user)²; a block of about 10⁶ similarities takes about 150 MB.

A new user of user-kNN is a row: its similarities to the training users are computed from its
ratings. A new user of item-kNN is a column: the ratings are those that neighbors are chosen from.
New items are the same with the roles exchanged. All other similarities stay as they are, and what
is new is never a neighbor.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self, TypeAlias, TypeVar

import numpy as np
import torch
from pydantic import Field

from glocalk.completers.base import Completer, State, take
from glocalk.completers.baselines import Bias, BiasConfig
from glocalk.completers.neighbors.deviations import Deviations, Similarity
from glocalk.completers.neighbors.loops import near_sums
from glocalk.config import BaseConfig
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.inference.newcomers import NewRatings
from glocalk.stopping import safe_point
from glocalk.training.context import FitContext

_T = TypeVar("_T")
Neighbors: TypeAlias = Annotated[
    int, Field(ge=1, description="k, largest number of neighbors; fewer if fewer rated")
]

_CELLS = 1 << 20  # similarities computed at a time


class NeighborhoodConfig(BaseConfig):
    """Options of both models; the defaults are those chosen on validation for ML-100K."""

    neighbors: Neighbors
    similarity: Similarity = Field(
        default="cosine", description="similarity of the deviations over common ratings"
    )
    shrinkage: float = Field(
        default=100.0, ge=0, description="shrinkage of similarities, in common ratings"
    )
    min_similarity: float = Field(
        default=0.0, ge=-1, le=1, description="minimum similarity of a neighbor, after shrinkage"
    )
    damping: float = Field(
        default=0.2,
        ge=0,
        description="damping of the predicted deviation: acts like one more neighbor with this "
        "similarity and zero deviation",
    )
    baseline: BiasConfig


class UserKNNConfig(NeighborhoodConfig):
    """Options of `UserKNN`."""

    neighbors: Neighbors = 40
    baseline: BiasConfig = BiasConfig(item_damping=5.0, user_damping=5.0)


class ItemKNNConfig(NeighborhoodConfig):
    """Options of `ItemKNN`."""

    neighbors: Neighbors = 25
    baseline: BiasConfig = BiasConfig(item_damping=3.0, user_damping=5.0)


class _Neighborhood(Completer):
    """Either model: its rows are the users or items that are neighbors, its columns the others."""

    Config = NeighborhoodConfig
    has_epochs = False
    deterministic = True

    neighbors_are: ClassVar[Side]

    config: NeighborhoodConfig

    _baseline: Bias | None = None
    _deviations: Deviations | None = None

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        del context
        self._baseline = Bias(self.config.baseline).fit(train)
        deviations = train.ratings - self._baseline.predict_pairs(train.users, train.items)
        self._keep(train.users, train.items, deviations, train.shape, len(train))

    def _keep(
        self,
        users: Indices,
        items: Indices,
        deviations: Values,
        shape: tuple[int, int],
        trained: int,
    ) -> None:
        self._deviations = Deviations(
            *self._rows_columns(users, items), deviations, self._rows_columns(*shape), trained
        )

    def _rows_columns(self, users: _T, items: _T) -> tuple[_T, _T]:
        """(rows, columns) of users and items; the function is its own inverse."""
        return (users, items) if self.neighbors_are == "users" else (items, users)

    @property
    def _fitted(self) -> Deviations:
        return self._require(self._deviations)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        config, deviations = self.config, self._fitted
        predicted = self._require(self._baseline).predict_pairs(users, items)
        rows, columns = self._rows_columns(users, items)
        asked, place = np.unique(rows, return_inverse=True)  # rows = asked[place]
        order = np.argsort(place, kind="stable")
        height = max(_CELLS // deviations.by_row.shape[0], 1)
        for first in range(0, len(asked), height):
            safe_point()
            begin, end = np.searchsorted(place, (first, first + height), sorter=order)
            pairs = order[begin:end]
            totals, weights = near_sums(
                deviations.similarities(
                    asked[first : first + height], config.similarity, config.shrinkage
                ),
                deviations.by_column,
                place[pairs] - first,
                columns[pairs],
                config.neighbors,
                config.min_similarity,
            )
            weights += config.damping
            predicted[pairs] += np.divide(
                totals, weights, out=np.zeros(len(pairs)), where=weights > 0
            )
        return predicted

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset({"users", "items"})

    def fold_in_matrix(self, new: NewRatings) -> Self:
        fitted, extended = self._fitted, self.unfitted()
        extended._baseline = self._require(self._baseline).fold_in_matrix(new)
        users, items, ratings = new.triples
        deviations = ratings - extended._baseline.predict_pairs(users, items)
        known = self._rows_columns(fitted.rows, fitted.columns)
        extended._keep(
            np.concatenate([known[0], users]),
            np.concatenate([known[1], items]),
            np.concatenate([fitted.values, deviations]),
            new.shape,
            fitted.trained,
        )
        return extended

    def state(self) -> State:
        deviations = self._fitted
        users, items = self._rows_columns(deviations.rows, deviations.columns)
        state = {
            **self._require(self._baseline).state(),
            "users": torch.from_numpy(users.astype(np.int32)),
            "items": torch.from_numpy(items.astype(np.int32)),
            "deviations": torch.from_numpy(deviations.values),
        }
        if deviations.trained < len(deviations.values):
            state["trained"] = torch.tensor(deviations.trained)
        return state

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        self._baseline = Bias(self.config.baseline)
        self._baseline.restore(state, shape)
        ratings = state["deviations"].numel() if "deviations" in state else 0
        deviations = take(state, "deviations", (ratings,)).double().numpy()
        users, items = (
            take(state, name, (ratings,), whole=True).numpy() for name in ("users", "items")
        )
        for name, index, limit in zip(("users", "items"), (users, items), shape, strict=True):
            if ((index < 0) | (index >= limit)).any():
                raise GlocalkError(f"The saved '{name}' lie outside 0 … {limit - 1}.")
        trained = int(take(state, "trained", (), whole=True)) if "trained" in state else ratings
        if not min(1, ratings) <= trained <= ratings:
            raise GlocalkError(f"The saved 'trained' lies outside 1 … {ratings}.")
        self._keep(users.astype(np.int64), items.astype(np.int64), deviations, shape, trained)

    @property
    def num_parameters(self) -> int:
        """Number of parameters of the baseline plus one similarity per pair of rows."""
        rows = self._fitted.by_row.shape[0]
        return self._require(self._baseline).num_parameters + rows * (rows - 1) // 2


class UserKNN(_Neighborhood):
    """Predicts from the ratings that similar users gave to the item.

        r̂ᵤᵢ = bᵤᵢ + Σ_{v ∈ N} s_uv d_vi / (damping + Σ_{v ∈ N} |s_uv|)

    b is the baseline, see `Bias`, d = r − b and N the users most similar to u among those who rated
    i; the module has the similarity s. Sources: Bell and Koren, KDD Cup 2007; Koren, TKDD 2010.

    The prediction for users and items without training ratings, and for pairs without a neighbor,
    is the baseline.
    """

    Config = UserKNNConfig
    config: UserKNNConfig
    neighbors_are = "users"


class ItemKNN(_Neighborhood):
    """Predicts from the ratings that the user gave to similar items.

        r̂ᵤᵢ = bᵤᵢ + Σ_{j ∈ N} s_ij d_uj / (damping + Σ_{j ∈ N} |s_ij|)

    b is the baseline, see `Bias`, d = r − b and N the items most similar to i among those that u
    rated; the module has the similarity s. Sources: Bell and Koren, KDD Cup 2007; Koren, TKDD 2010.

    The prediction for users and items without training ratings, and for pairs without a neighbor,
    is the baseline.

    Example:
        >>> import glocalk
        >>> users = ["ann", "ann", "bob", "bob", "eve"]
        >>> items = ["Alien", "Brazil", "Alien", "Brazil", "Alien"]
        >>> ratings = glocalk.Ratings.from_arrays(users, items, [5, 4, 2, 1, 5], scale=(1, 5))
        >>> model = glocalk.ItemKNN(neighbors=1, shrinkage=0).fit(ratings)
        >>> model.predict(["eve"], ["Brazil"]).round(2)
        array([4.15])
    """

    Config = ItemKNNConfig
    config: ItemKNNConfig
    neighbors_are = "items"
