"""What all combinations share: members that are fitted apart, and weights of their predictions."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch

from glocalk.completers.base import Completer, PartOfState, State, take
from glocalk.completers.combined.config import CombinedConfig
from glocalk.completers.combined.weights import Weights
from glocalk.config import BaseConfig
from glocalk.data.labels import Kind, Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.data.side.information import Need
from glocalk.inference.newcomers import NewRatings
from glocalk.training.context import FitContext, NoObserver


class Combined(Completer):
    """Predicts a linear combination of its members' predictions pₖ, each clipped to the scale.

        r̂ᵤᵢ = b + Σₖ wₖ pₖᵤᵢ

    A user or item without training ratings has what the members predict for it. New ones can be
    folded in where every member can do that.

    In a run, `glocalk.run.combine` makes a run of each member, which other combinations use too,
    and computes the errors from their predictions. `fit` here needs no runs.
    """

    has_epochs = False

    config: CombinedConfig
    _fitted: tuple[Completer, ...] | None = None
    _weights: Weights | None = None
    _scale: tuple[float, float] | None = None

    def __init__(self, config: BaseConfig | None = None, /, **options: Any) -> None:
        super().__init__(config, **options)
        self.members = self.config.built()
        # Raised with any of theirs: what they predict has changed.
        members = self.members.values()
        self.model_version = self.model_version + sum(one.model_version - 1 for one in members)
        self.uses_trainer = any(member.uses_trainer for member in members)

    def _shown(self) -> dict[str, Any]:
        """All members, unless they are the default ones, and the other options that differ."""
        return {
            name: list(self.members.values()) if name == "members" else value
            for name, value in super()._shown().items()
        }

    @property
    @abstractmethod
    def repeats(self) -> int:
        """Number of trainings of each member, with seeds apart."""

    @property
    def needs_held_out(self) -> bool:
        """Whether the weights are chosen by ratings that the members were not trained on."""
        return False

    def seeds(self, seed: int) -> range:
        """The seeds of each member's trainings.

        Args:
            seed: that of the combination. Other ones have other seeds of their members: with n
                trainings of each, they are n · seed, …, n · seed + n − 1.
        """
        return range(seed * self.repeats, (seed + 1) * self.repeats)

    def trainings(self, seed: int) -> tuple[tuple[str, int], ...]:
        """The name of the member and the seed of each training, those of a member side by side.

        Args:
            seed: as in `seeds`.
        """
        return tuple((name, one) for name in self.members for one in self.seeds(seed))

    @abstractmethod
    def solve(self, predicted: Values, ratings: Values) -> Weights:
        """The weights of the members, one training of each.

        Args:
            predicted: [n, members] clipped predictions of ratings that were held out from the
                trainings of one seed; n is 0 unless `needs_held_out`.
            ratings: [n] these ratings.
        """

    @property
    def needs(self) -> tuple[Need, ...]:
        return tuple(dict.fromkeys(need for one in self.members.values() for need in one.needs))

    @property
    def attributes(self) -> tuple[tuple[Kind, str], ...]:
        named = (each for one in self.members.values() for each in one.attributes)
        return tuple(dict.fromkeys(named))

    @property
    def budget(self) -> float:
        return min(member.budget for member in self.members.values())

    def adopt(self, fitted: tuple[Completer, ...], weights: Weights, scale: Any) -> None:
        """Become the combination of fitted members.

        Args:
            fitted: one for each training, in the order of `trainings`.
            weights: their weights.
            scale: (lowest, highest) rating.
        """
        self._fitted, self._weights = fitted, weights
        self._scale = float(scale[0]), float(scale[1])

    def fit_member(
        self, name: str, train: RatingMatrix, context: FitContext, seed: int
    ) -> Completer:
        """A member fitted on `train` with a seed of its own."""
        member = self.members[name].unfitted()
        alone = replace(context, seed=seed, observer=NoObserver(), folder=None, loggers={})
        member.fit_matrix(train, alone)
        return member

    def fit_members(self, train: RatingMatrix, context: FitContext) -> tuple[Completer, ...]:
        """The members fitted on `train`, one for each training."""
        trainings = self.trainings(context.seed)
        return tuple(self.fit_member(name, train, context, seed) for name, seed in trainings)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        return self._combine([one.predict_pairs(users, items) for one in self._members()])

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        return self._combine([one.predict_grid(users, items) for one in self._members()])

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset.intersection(*(member.folds_in for member in self.members.values()))

    def fold_in_matrix(self, new: NewRatings) -> Self:
        fitted = tuple(member.fold_in_matrix(new) for member in self._members())
        extended = self.unfitted()
        extended.adopt(fitted, self._require(self._weights), self._require(self._scale))
        return extended

    def state(self) -> State:
        weights, scale = self._require(self._weights), self._require(self._scale)
        state = {
            "weights": torch.from_numpy(weights.members),
            "intercept": torch.tensor(weights.intercept, dtype=torch.float64),
            "scale": torch.tensor(scale, dtype=torch.float64),
        }
        for number, member in enumerate(self._members()):
            state |= {f"{number}/{name}": part for name, part in member.state().items()}
        return state

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        trainings = self.trainings(0)
        weights = take(state, "weights", (len(trainings),)).numpy().astype(np.float64)
        intercept, scale = take(state, "intercept", ()), take(state, "scale", (2,))
        fitted = []
        for number, (name, _) in enumerate(trainings):
            member = self.members[name].unfitted()
            member.restore(PartOfState(state, f"{number}/"), shape)
            fitted.append(member)
        self.adopt(tuple(fitted), Weights(weights, float(intercept)), scale.tolist())

    @property
    def num_parameters(self) -> int:
        return sum(member.num_parameters for member in self._members())

    def _members(self) -> tuple[Completer, ...]:
        return self._require(self._fitted)

    def _combine(self, predicted: list[Values]) -> Values:
        """[…] the combination of each member's predictions […]."""
        scale, weights = self._require(self._scale), self._require(self._weights)
        return weights.combine(np.stack([np.clip(one, *scale) for one in predicted], axis=-1))
