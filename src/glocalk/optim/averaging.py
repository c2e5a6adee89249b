"""Exponential averages of weights that start from the initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

NetworkT = TypeVar("NetworkT", bound=nn.Module)

Update = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]
"""Changes averages by weights and by the number of weights averaged before."""


class AveragedNetwork(AveragedModel, Generic[NetworkT]):
    """A copy of a network whose weights are the average of the network's weights so far.

        w̄ ← d w̄ + (1 − d) w    after each update, w̄ at first the initial weights

    Call `update_parameters` after each update of the optimizer. As a submodule of the trained
    LightningModule it follows that module's device and precision, and is saved in its checkpoints.

    Lightning's `WeightAveraging` callback cannot be used here: it copies the module before
    Lightning sets its precision, shows the averages only to a validation loop and not to the
    observer, and leaves the weights themselves in a module whose finished training is loaded from a
    checkpoint.

    Args:
        network: the network before its first update.
        decay: d.
        warm_up: let d grow with the number t of updates, min(decay, (1 + t) / (10 + t)), as
            TensorFlow's `ExponentialMovingAverage(decay, num_updates=t)` does.
    """

    def __init__(self, network: NetworkT, decay: float, warm_up: bool = False) -> None:
        super().__init__(network, multi_avg_fn=exponential_average(decay, warm_up))
        self.update_parameters(network)  # the first call copies

    @property
    def network(self) -> NetworkT:
        """The network with the averaged weights."""
        return cast(NetworkT, self.module)


def exponential_average(decay: float, warm_up: bool = False) -> Update:
    """The function that updates the averages; arguments as for `AveragedNetwork`."""

    @torch.no_grad()
    def update(
        averages: Sequence[Tensor], weights: Sequence[Tensor], averaged: Tensor | int
    ) -> None:
        # The initial weights count as averaged: with them, `averaged` is t.
        t = int(averaged)
        share = 1 - (min(decay, (1 + t) / (10 + t)) if warm_up else decay)
        for average, weight in zip(averages, weights, strict=True):
            average.lerp_(weight, share)

    return update
