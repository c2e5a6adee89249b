import math

import pytest
import torch

import literal
from glocalk.completers.autoencoders.layers import KernelAutoEncoder, KernelLayer, encode


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_initial_values_match_tensorflow_1():
    layer = KernelLayer(400, 600, 5, generator())
    limit = math.sqrt(6 / (400 + 600))
    assert 0.99 * limit < layer.weight.abs().max() <= limit
    assert layer.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.01)
    limit = math.sqrt(6 / (600 + 600))
    assert 0.97 * limit < layer.bias.abs().max() <= limit
    for vectors in (layer.u, layer.v):
        assert 1.9e-3 < vectors.abs().max() <= 2e-3
        # A normal distribution truncated at ±2 σ has standard deviation .8796 σ.
        assert vectors.std().item() == pytest.approx(0.8796e-3, rel=0.05)


def test_initial_values_depend_on_the_seed_only():
    def weights(seed):
        return KernelLayer(5, 4, 2, generator(seed)).weight

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
def test_prediction_and_penalty_match_the_literal_equations(hidden_layers):
    network = KernelAutoEncoder(6, 4, hidden_layers, 3, generator()).double()
    with torch.no_grad():
        for layer in network.layers:  # spread the vectors: some kernel values are 0
            layer.u.mul_(500)
            layer.v.mul_(500)
    x = torch.rand(5, 6, dtype=torch.float64, generator=generator(1))
    layers, penalty = network.effective(0.3, 0.7)
    plain = [(layer.weight, layer.u, layer.v, layer.bias) for layer in network.layers]
    hidden = encode(x @ layers[0].weight, layers)
    predicted = hidden @ layers[-1].weight + layers[-1].bias
    torch.testing.assert_close(predicted, literal.network(x, plain))
    nothing = torch.zeros(5, 6, dtype=torch.float64)
    torch.testing.assert_close(penalty, literal.loss(x, nothing, nothing, plain, 0.3, 0.7))
    assert any((literal.local_kernel(u, v) == 0).any() for _, u, v, _ in plain)
