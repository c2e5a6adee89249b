"""The stochastic gradient descent of both stages of LLORMA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from glocalk.completers.blocks.rated import rated
from glocalk.completers.blocks.rating_arrays import RatingArrays
from glocalk.completers.llorma.loops import Factors, Kernels, Step, separate_steps
from glocalk.completers.resumable import refuse_divergence
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.training.loop import LoopState

Steps: TypeAlias = Callable[[RatingArrays, Kernels, Factors, Step], float]


class StageConfig(Protocol):
    """The options of a stage that its steps depend on."""

    learning_rate: float
    regularization: float


class Solver:
    """Trains the models of a stage, whose factors are changed in place.

    Args:
        stage: name of the stage, and of its options.
        steps: a step for each rating.
        train: the training ratings.
        kernels: weights of each model.
        factors: initial factors of each model.
        config: the options.
    """

    def __init__(
        self,
        stage: str,
        steps: Steps,
        train: RatingMatrix,
        kernels: Kernels,
        factors: Factors,
        config: StageConfig,
    ) -> None:
        self._stage, self._steps = stage, steps
        self._ratings, self._kernels, self._factors = RatingArrays.of(train), kernels, factors
        self._step = Step(config.learning_rate, config.regularization)

    def run_epoch(self) -> float:
        """Take a step for each rating, and return the sum of the squared errors."""
        loss = self._steps(self._ratings, self._kernels, self._factors, self._step)
        refuse_divergence(loss, f"model.{self._stage}.learning_rate")
        return loss

    def state(self) -> LoopState:
        return self._factors._asdict()

    def restore(self, state: LoopState) -> None:
        for name, side in self._factors._asdict().items():
            side[:] = state[name]


class BaseSolver(Solver):
    """Trains the base factorization; users and items without ratings have the mean of all others.

    Args:
        train: the training ratings.
        factors: initial factors of one model.
        config: the options.
    """

    def __init__(self, train: RatingMatrix, factors: Factors, config: StageConfig) -> None:
        everywhere = Kernels(*(np.ones((size, 1)) for size in train.shape))
        super().__init__("base", separate_steps, train, everywhere, factors, config)
        self._rated = rated(train)

    def run_epoch(self) -> float:
        """Take a step for each rating, and return the sum of the squared errors."""
        loss = super().run_epoch()
        for side, known in zip(self._factors, self._rated, strict=True):
            side[~known] = side[known].mean(axis=0)
        return loss
