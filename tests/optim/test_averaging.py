import pytest
import torch
from torch import nn

from glocalk.optim.averaging import AveragedNetwork, exponential_average


def network_of(value):
    network = nn.Linear(1, 1, bias=False).double()
    set_weight(network, value)
    return network


def set_weight(network, value):
    with torch.no_grad():
        network.weight.fill_(value)


def weight_of(network):
    return network.weight.item()


def test_the_average_starts_from_the_initial_weights():
    network = network_of(10.0)
    average = AveragedNetwork(network, 0.9)
    assert weight_of(average.network) == 10
    set_weight(network, 20.0)
    average.update_parameters(network)
    assert weight_of(average.network) == pytest.approx(0.9 * 10 + 0.1 * 20, rel=1e-12)
    assert weight_of(network) == 20


def test_without_warm_up_the_decay_is_constant():
    network, expected = network_of(10.0), 10.0
    average = AveragedNetwork(network, 0.8)
    for value in (1.0, 5.0, -2.0):
        set_weight(network, value)
        average.update_parameters(network)
        expected = 0.8 * expected + 0.2 * value
        assert weight_of(average.network) == pytest.approx(expected, rel=1e-12)


def test_with_warm_up_the_decay_grows_with_the_updates():
    network, expected = network_of(10.0), 10.0
    average = AveragedNetwork(network, 0.995, warm_up=True)
    for value, decay in ((1.0, 2 / 11), (5.0, 3 / 12), (-2.0, 4 / 13)):
        set_weight(network, value)
        average.update_parameters(network)
        expected = decay * expected + (1 - decay) * value
        assert weight_of(average.network) == pytest.approx(expected, rel=1e-12)


# .995 is reached at update 1,790; a decay of .1 is below 2 / 11 from the first update.
@pytest.mark.parametrize(
    ("highest", "t", "decay"), [(0.995, 1789, 1790 / 1799), (0.995, 1790, 0.995), (0.1, 1, 0.1)]
)
def test_the_growing_decay_stops_at_the_highest(highest, t, decay):
    average = [torch.tensor(10.0, dtype=torch.float64)]
    weight = [torch.tensor(4.0, dtype=torch.float64)]
    exponential_average(highest, warm_up=True)(average, weight, torch.tensor(t))
    assert average[0].item() == pytest.approx(decay * 10 + (1 - decay) * 4, rel=1e-12)


def test_the_average_is_restored_from_its_state():
    network = network_of(10.0)
    average = AveragedNetwork(network, 0.9, warm_up=True)
    set_weight(network, 20.0)
    average.update_parameters(network)
    restored = AveragedNetwork(network_of(0.0), 0.9, warm_up=True)
    restored.load_state_dict(average.state_dict())
    set_weight(network, 7.0)
    for each in (average, restored):
        each.update_parameters(network)
    assert weight_of(restored.network) == weight_of(average.network)
