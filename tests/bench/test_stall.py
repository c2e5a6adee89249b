import numpy as np
import pytest
import torch

import literal
from glocalk.bench.stall import measure_stall, stall_at
from glocalk.errors import GlocalkError
from glocalk.optim.lbfgs import LBFGS
from glocalk.run.composed import compose_run
from glocalk.training.data import FullBatch
from planted import planted
from small import config as small_config
from small import network_of

TRAIN, _ = planted(num_users=14, num_items=11)
TINY = [
    *("data=synthetic", "data.users=30", "data.items=20", "data.ratings=200"),
    *("model.hidden_size=5", "model.pretrain.epochs=1", "model.finetune.epochs=4", "seed=3"),
    *("model.dot_scale=0.1", "trainer.threads=1"),
]


def test_the_loss_is_measured_along_the_gradient_and_along_a_tap():
    network = network_of(small_config(), TRAIN.shape)
    data = FullBatch(TRAIN, "dense")
    found = stall_at(network, data, "planted", seed=3)
    matrix = torch.zeros(TRAIN.num_items, TRAIN.num_users, dtype=torch.float64)
    matrix.numpy()[TRAIN.items, TRAIN.users] = TRAIN.ratings
    layers = [(layer.weight, layer.u, layer.v, layer.bias) for layer in network.autoencoder.layers]

    def loss(kernel):
        x = literal.convolution(matrix, kernel.reshape(3, 3))
        return literal.loss(x, matrix, matrix > 0, layers, 0.2, 0.06).item()

    taps = torch.tensor(found.taps, dtype=torch.float64)
    assert found.loss == pytest.approx(loss(taps))
    assert found.tap == np.abs(found.taps).argmin()
    assert found.tap_values == sorted(found.tap_values)
    assert found.taps[found.tap] in found.tap_values
    for value, change in zip(found.tap_values, found.tap_changes, strict=True):
        moved = taps.clone()
        moved[found.tap] = value
        assert change == pytest.approx(loss(moved) - loss(taps), abs=1e-9)
    for near, slope in ((-1e-4, found.slope_below), (1e-4, found.slope_above)):
        moved = torch.stack([taps, taps])
        moved[:, found.tap] = torch.tensor([near - 1e-6, near + 1e-6])
        assert slope == pytest.approx((loss(moved[1]) - loss(moved[0])) / 2e-6, rel=1e-3)

    def live(value):
        moved = taps.clone()
        moved[found.tap] = value
        return int((literal.convolution(matrix, moved.reshape(3, 3)) > 0).sum())

    assert found.cells_above == live(1e-4) - live(-1e-4)
    # To first order, the loss changes by the step times the slope.
    lines = {(line.part, line.precision): line for line in found.lines}
    assert len(lines) == 6
    for part in ("all", "item_kernels", "rest"):
        line = lines[part, "double"]
        assert line.steps[0] == 1e-8
        assert line.changes[0] == pytest.approx(line.slope * 1e-8, rel=1e-3)
    total = lines["item_kernels", "double"].slope + lines["rest", "double"].slope
    assert lines["all", "double"].slope == pytest.approx(total)
    assert found.change_of_all < 0
    assert found.change_of_rest < 0


def test_the_training_ends_where_it_stands_still(monkeypatch):
    step, steps = LBFGS.step, []

    def stuck_from_the_third(optimizer, closure):
        steps.append(optimizer)
        return closure() if len(steps) == 3 else step(optimizer, closure)

    monkeypatch.setattr(LBFGS, "step", stuck_from_the_third)
    found = measure_stall(compose_run(TINY))
    # One epoch of pre-training, two of fine-tuning, and two that are measured afterwards.
    assert len(steps) == 5
    assert (found.data, found.seed) == ("synthetic", 3)


def test_a_training_that_does_not_stand_still_is_an_error():
    with pytest.raises(GlocalkError, match="synthetic glocal_k seed 3 does not stand still"):
        measure_stall(compose_run(TINY))
