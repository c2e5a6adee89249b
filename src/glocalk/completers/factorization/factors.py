"""Biases and factors: the form in which every matrix factorization here predicts."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch

from glocalk.completers.base import Completer, State, take
from glocalk.completers.factorization.loops import Weights
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.inference.newcomers import NewRatings

_CHUNK = 1 << 16  # pairs whose factors are gathered at a time, which bounds the memory


@dataclass
class Factors:
    """r̂ᵤᵢ = μ + bᵤ + bᵢ + pᵤ·qᵢ.

    Attributes:
        mean: μ, in ratings.
        user_biases: [users] bᵤ.
        item_biases: [items] bᵢ.
        user_factors: [users, rank] pᵤ.
        item_factors: [items, rank] qᵢ.
    """

    mean: float
    user_biases: Values
    item_biases: Values
    user_factors: Values
    item_factors: Values

    @classmethod
    def initial(
        cls, train: RatingMatrix, rank: int, std: float, generator: np.random.Generator
    ) -> Self:
        """Initial values of a training: μ is the mean rating, biases are 0, factors are normal.

        Users and items without training ratings have factors 0 and keep them, because no rating
        changes them: they are predicted from μ and the bias of the other side.

        Args:
            train: the training ratings.
            rank: length of the factor vectors.
            std: standard deviation of the initial factors.
            generator: source of the factors.
        """

        def draw(rated: Indices, size: int) -> Values:
            factors = std * generator.standard_normal((size, rank))
            factors[np.bincount(rated, minlength=size) == 0] = 0
            return factors

        users, items = train.shape
        return cls(
            float(train.ratings.mean()),
            np.zeros(users),
            np.zeros(items),
            draw(train.users, users),
            draw(train.items, items),
        )

    @property
    def weights(self) -> Weights:
        """All but μ: the arrays themselves, not copies."""
        return Weights(self.user_biases, self.item_biases, self.user_factors, self.item_factors)

    def set_weights(self, weights: Weights) -> None:
        """Replace all but μ by these arrays, which are not copied."""
        self.user_biases, self.item_biases, self.user_factors, self.item_factors = weights

    def extended(
        self, new: NewRatings, users: tuple[Values, Values], items: tuple[Values, Values]
    ) -> Factors:
        """With the (factors, biases) of new users and items."""
        return Factors(
            self.mean,
            new.users.extend(self.user_biases, users[1]),
            new.items.extend(self.item_biases, items[1]),
            new.users.extend(self.user_factors, users[0]),
            new.items.extend(self.item_factors, items[0]),
        )

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        """[pairs] predicted ratings of (users[k], items[k])."""
        predicted = np.empty(len(users))
        for start in range(0, len(users), _CHUNK):
            part = slice(start, start + _CHUNK)
            u, i = users[part], items[part]
            products = np.einsum("nk,nk->n", self.user_factors[u], self.item_factors[i])
            predicted[part] = self.mean + self.user_biases[u] + self.item_biases[i] + products
        return predicted

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        """[u, i] predicted rating of each of `users` for each of `items`."""
        products = self.user_factors[users] @ self.item_factors[items].T
        biases = self.user_biases[users, None] + self.item_biases[items]
        return self.mean + biases + products

    def state(self) -> State:
        """Every attribute as a tensor, for `of_state`."""
        return {
            field.name: torch.from_numpy(np.asarray(getattr(self, field.name)))
            for field in fields(self)
        }

    @classmethod
    def of_state(cls, state: State, shape: tuple[int, int], rank: int) -> Self:
        """The factors that `state` was taken of.

        Args:
            state: what `Factors.state` returned.
            shape: (users, items).
            rank: length of the factor vectors.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """
        users, items = shape
        return cls(
            float(take(state, "mean", ())),
            take(state, "user_biases", (users,)).double().numpy(),
            take(state, "item_biases", (items,)).double().numpy(),
            take(state, "user_factors", (users, rank)).double().numpy(),
            take(state, "item_factors", (items, rank)).double().numpy(),
        )

    @property
    def size(self) -> int:
        """Number of values in all attributes together."""
        return sum(np.size(getattr(self, field.name)) for field in fields(self))


class FactorCompleter(Completer):
    """A completer that predicts from `Factors`; a subclass fits them.

    Attributes:
        factors: the fitted factors; None before `fit`.
    """

    factors: Factors | None = None

    @property
    @abstractmethod
    def rank(self) -> int:
        """Length of the factor vectors that predictions are made from."""

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        return self._fitted.predict_pairs(users, items)

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        return self._fitted.predict_grid(users, items)

    def state(self) -> State:
        return self._fitted.state()

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        self.factors = Factors.of_state(state, shape, self.rank)

    @property
    def num_parameters(self) -> int:
        return self._fitted.size

    @property
    def _fitted(self) -> Factors:
        return self._require(self.factors)
