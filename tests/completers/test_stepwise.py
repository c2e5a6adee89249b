import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch

from glocalk.completers.stepwise import AveragedModule, EpochLoader, TrainingData, refuse_levels
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.optim.averaging import AveragedNetwork
from glocalk.training.context import FitContext, NoObserver
from glocalk.training.stage import Stage, run_stage

TARGETS = [0.3, -0.2, 0.5]  # a batch each
RATE, EPSILON, DECAY, START = 0.1, 1e-3, 0.8, 0.9


class Output(NamedTuple):
    weight: torch.Tensor


class Approach(AveragedModule):
    """A weight that approaches the targets."""

    epsilon = EPSILON

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(learning_rate=RATE)
        self.network = torch.nn.Module()
        self.network.weight = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
        self.average = AveragedNetwork(self.network, DECAY)

    def batches(self):
        return EpochLoader(lambda: iter(TARGETS), len(TARGETS))

    def loss(self, batch):
        return (self.network.weight - batch).square()

    def output(self):
        return Output(self.average.network.weight.detach())


class Losses(NoObserver):
    """Keeps the loss of each epoch."""

    def __init__(self):
        self.losses = []

    def epoch_ended(self, stage, epoch, predict, loss, step=None):
        del stage, epoch, predict, step
        self.losses.append(loss)


def test_each_batch_is_an_update_by_tensorflow_s_adam_after_which_weights_are_averaged():
    weight = average = START
    m = v = 0.0
    losses = []
    for t, target in enumerate(TARGETS * 2, start=1):
        losses.append((weight - target) ** 2)
        gradient = 2 * (weight - target)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        step = RATE * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        weight -= step * m / (math.sqrt(v) + EPSILON)
        average = DECAY * average + (1 - DECAY) * weight
    module, observer = Approach(), Losses()
    context = FitContext(observer=observer, trainer={"accelerator": "cpu", "precision": "64-true"})
    run_stage(Stage("train", module, 2), TrainingData(module.batches()), context, None)
    assert module.trained().weight.item() == pytest.approx(weight, rel=1e-12)
    assert module.output().weight.item() == pytest.approx(average, rel=1e-12)
    means = [sum(losses[:3]) / 3, sum(losses[3:]) / 3]
    assert observer.losses == pytest.approx(means, rel=1e-6)  # the log has single precision


def ratings_of(levels):
    values = np.arange(levels) / 2
    return RatingMatrix(np.arange(levels), [0] * levels, values, (levels, 1), (0, levels))


@pytest.mark.parametrize(
    ("levels", "allowed", "most"), [(6, 5, 5), (101, 500, 100), (101, 100, 100)]
)
def test_more_levels_than_weights_fit_the_memory_are_refused(levels, allowed, most):
    sentence = f"GC-MC has .* but there are {levels} of them and at most {most} are allowed"
    with pytest.raises(GlocalkError, match=sentence):
        refuse_levels(ratings_of(levels), "GC-MC", allowed)
    refuse_levels(ratings_of(most), "GC-MC", allowed)
