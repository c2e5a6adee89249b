"""Two floors that any completer should beat; closed forms, no gradient, no epoch."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field

from glocalk.completers.base import Completer, State, Training, take
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.settings import Settings


class GlobalMeanSettings(Settings):
    """No options."""


class GlobalMean(Completer):
    """Predicts the mean μ of the training ratings for every pair."""

    Config = GlobalMeanSettings
    has_epochs = False
    deterministic = True

    def __init__(self, config: GlobalMeanSettings) -> None:
        self.config = config
        self._mean = np.nan

    def fit(self, train: RatingMatrix, valid: RatingMatrix | None, training: Training) -> None:
        del valid, training
        self._mean = float(train.ratings.mean())

    def predict(self, users: Indices, items: Indices) -> Values:
        del items
        return np.full(len(users), self._mean)

    def state(self) -> State:
        return {"mean": torch.tensor(self._mean, dtype=torch.float64)}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        del shape
        self._mean = float(take(state, "mean", ()))

    @property
    def num_parameters(self) -> int:
        return 1


class BiasSettings(Settings):
    """Regularisation of the offsets, in ratings: each mean is shrunk as by so many zeros."""

    item_damping: float = Field(ge=0)
    user_damping: float = Field(ge=0)


class Bias(Completer):
    """Mean, item offset and user offset, each regularised.

        r̂ᵤᵢ = μ + bᵢ + bᵤ
        bᵢ = Σ_u (rᵤᵢ − μ) / (item_damping + |Rᵢ|)
        bᵤ = Σ_i (rᵤᵢ − μ − bᵢ) / (user_damping + |Rᵤ|)

    Users and items without training ratings have offset 0. Source: Koren, "Factor in the
    neighbors", TKDD 2010, Sec. 2.1, whose dampings are 25 and 10.
    """

    Config = BiasSettings
    has_epochs = False
    deterministic = True

    def __init__(self, config: BiasSettings) -> None:
        self.config = config
        self._mean = np.nan
        self._item_offsets = self._user_offsets = np.empty(0)

    def fit(self, train: RatingMatrix, valid: RatingMatrix | None, training: Training) -> None:
        del valid, training
        self._mean = float(train.ratings.mean())
        rest = train.ratings - self._mean
        self._item_offsets = _damped_means(
            rest, train.items, train.num_items, self.config.item_damping
        )
        rest = rest - self._item_offsets[train.items]
        self._user_offsets = _damped_means(
            rest, train.users, train.num_users, self.config.user_damping
        )

    def predict(self, users: Indices, items: Indices) -> Values:
        return self._mean + self._item_offsets[items] + self._user_offsets[users]

    def state(self) -> State:
        return {
            "mean": torch.tensor(self._mean, dtype=torch.float64),
            "item_offsets": torch.from_numpy(self._item_offsets),
            "user_offsets": torch.from_numpy(self._user_offsets),
        }

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        users, items = shape
        self._mean = float(take(state, "mean", ()))
        self._item_offsets = take(state, "item_offsets", (items,)).numpy()
        self._user_offsets = take(state, "user_offsets", (users,)).numpy()

    @property
    def num_parameters(self) -> int:
        return 1 + len(self._item_offsets) + len(self._user_offsets)


def _damped_means(values: Values, groups: Indices, size: int, damping: float) -> Values:
    """Σ values / (damping + count) in each of `size` groups; 0 where there are none."""
    sums = np.bincount(groups, weights=values, minlength=size)
    counts = np.bincount(groups, minlength=size)
    return np.where(counts > 0, sums / np.maximum(damping + counts, 1), 0.0)
