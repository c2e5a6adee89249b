"""TensorFlow's Adam, as its documentation has it."""

import math

import pytest
import torch

from glocalk.optim.adam import follow_tensorflow


@pytest.mark.parametrize("size", [1.0, 1e-8])
def test_adam_adds_its_epsilon_where_tensorflow_does(size):
    weight = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    optimizer = torch.optim.Adam([weight], lr=0.1, betas=(0.8, 0.9))
    wanted, m, v = 0.5, 0.0, 0.0
    for t, gradient in enumerate((2 * size, -size, 3 * size), start=1):
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        follow_tensorflow(optimizer, t)
        optimizer.step()
        m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
        step = 0.1 * math.sqrt(1 - 0.9**t) / (1 - 0.8**t)
        wanted -= step * m / (math.sqrt(v) + 1e-8)
        assert weight.item() == pytest.approx(wanted, rel=1e-12)
    assert weight.item() != 0.5
