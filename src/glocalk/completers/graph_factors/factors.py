"""Factors of users and of items, and the ratings that they are fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse

from glocalk.completers.base import State, take
from glocalk.completers.blocks.rated import rated
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values


class ScaledRatings:
    """Training ratings counted from an origin and divided by the highest possible one.

    Args:
        train: the ratings.

    Attributes:
        origin: 0, or the lowest rating of a scale that goes below 0.
        highest: the highest rating, counted from the origin.
        matrix: [users, items] the scaled ratings; one of 0 is stored too.
        mean: their mean.
        rated: whether each user, and each item, has a training rating.
    """

    def __init__(self, train: RatingMatrix) -> None:
        lowest, highest = train.scale
        self.origin = min(lowest, 0.0)
        self.highest = (highest - self.origin) or 1.0
        values = (train.ratings - self.origin) / self.highest
        self.matrix = sparse.csr_array((values, (train.users, train.items)), shape=train.shape)
        self.mean = float(values.mean())
        self.rated = rated(train)


@dataclass
class Factors:
    """r̂ᵤᵢ = origin + highest · uᵀv, and the mean for pairs without training ratings.

    Attributes:
        origin: see `ScaledRatings`.
        highest: likewise.
        mean: mean of the scaled ratings.
        users: [users, rank] U.
        items: [items, rank] V.
        rated_users: [users] whether each has a training rating.
        rated_items: [items] likewise.
    """

    origin: float
    highest: float
    mean: float
    users: Values
    items: Values
    rated_users: Any
    rated_items: Any

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        """[pairs] predicted ratings of (users[k], items[k])."""
        products = np.einsum("nd,nd->n", self.users[users], self.items[items])
        return self._ratings(products, self.rated_users[users] & self.rated_items[items])

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        """[u, i] predicted rating of each of `users` for each of `items`."""
        products = self.users[users] @ self.items[items].T
        return self._ratings(products, self.rated_users[users, None] & self.rated_items[items])

    def _ratings(self, products: Values, is_rated: Any) -> Values:
        scaled: Values = np.where(is_rated, products, self.mean)
        return self.origin + self.highest * scaled

    def state(self) -> State:
        """Every attribute as a tensor, for `of_state`."""
        return {
            "scale": torch.tensor([self.origin, self.highest, self.mean], dtype=torch.float64),
            "users": torch.from_numpy(self.users.copy()),
            "items": torch.from_numpy(self.items.copy()),
            "rated_users": torch.from_numpy(self.rated_users.astype(np.int64)),
            "rated_items": torch.from_numpy(self.rated_items.astype(np.int64)),
        }

    @classmethod
    def of_state(cls, state: State, shape: tuple[int, int], rank: int) -> Factors:
        """The factors that `state` was taken of.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """
        users, items = shape
        origin, highest, mean = take(state, "scale", (3,)).double().tolist()
        return cls(
            origin,
            highest,
            mean,
            take(state, "users", (users, rank)).double().numpy(),
            take(state, "items", (items, rank)).double().numpy(),
            take(state, "rated_users", (users,), whole=True).numpy() != 0,
            take(state, "rated_items", (items,), whole=True).numpy() != 0,
        )

    @property
    def size(self) -> int:
        """Number of trained parameters."""
        return self.users.size + self.items.size
