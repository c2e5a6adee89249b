import numpy as np
import pytest
import torch

import literal
import small
from glocalk.completers.autoencoders.ablations import (
    DecayedFineTuning,
    GLocalKDecayed,
    GLocalKPermuted,
    GLocalKScalar,
    PermutedBatch,
)
from glocalk.completers.autoencoders.glocal_k import FineTuning, GLocalK
from glocalk.errors import GlocalkError
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch
from planted import planted
from small import network_of

TRAIN, TEST = planted(num_users=14, num_items=11)
PAIRS = TEST.users, TEST.items
MATRIX = torch.zeros(TRAIN.num_items, TRAIN.num_users, dtype=torch.float64)
MATRIX.numpy()[TRAIN.items, TRAIN.users] = TRAIN.ratings


def fit(kind, seed=0, trace=True, **options):
    monitor = Monitor(TEST)
    completer = kind(**{**small.OPTIONS, **options})
    completer.fit(TRAIN, context=FitContext(seed=seed, observer=monitor.observer(), trace=trace))
    return completer, monitor


@pytest.mark.parametrize("kind", [GLocalKScalar, GLocalKPermuted, GLocalKDecayed])
def test_an_ablation_has_the_pre_training_of_glocal_k(kind):
    _, whole = fit(GLocalK, redraw_kernels=True)
    _, monitor = fit(kind, redraw_kernels=True)
    assert monitor.curves.stage == whole.curves.stage
    assert monitor.curves.loss[:2] == whole.curves.loss[:2]
    assert monitor.curves.test_rmse[:2] == whole.curves.test_rmse[:2]
    assert monitor.curves.test_rmse[-1] != whole.curves.test_rmse[-1]


@pytest.mark.parametrize("kind", [GLocalKScalar, GLocalKPermuted, GLocalKDecayed])
def test_an_ablation_shares_what_glocal_k_shares(kind):
    assert kind(**small.OPTIONS).shared_stage == GLocalK(**small.OPTIONS).shared_stage


def layers_of(network):
    return [(layer.weight, layer.u, layer.v, layer.bias) for layer in network.autoencoder.layers]


def test_the_scalar_starts_as_a_tap_and_is_trained_by_itself():
    completer, monitor = fit(GLocalKScalar)
    start, *after = [trace.numbers["taps/1"] for trace in monitor.traces]
    assert [len(taps) for taps in (start, *after)] == [1] * 4
    # Without the item kernels, the number of trained parameters is that of the first stage, and 1.
    before, _ = fit(GLocalKScalar, trace=False, finetune={"epochs": 0, "iterations": 1})
    assert completer.num_parameters == before.num_parameters - TRAIN.num_items + 1
    # As it is drawn: the pooled predictions of pre-training times the initial kernels.
    network = before._stage.network
    pooled = literal.network(MATRIX, [[p.double() for p in ps] for ps in layers_of(network)])
    expected = 0.3 * (pooled.mean(dim=1) @ network.item_kernels[0].double())
    assert start == pytest.approx(expected.tolist(), rel=1e-4)
    assert len({taps[0] for taps in after}) == 3


def test_the_loss_of_a_scalar_is_that_of_scaled_ratings():
    completer, _ = fit(GLocalKScalar, seed=3)
    stage = completer._stage
    (scalar,) = stage.network.item_kernels
    network = [[p.double() for p in ps] for ps in layers_of(stage.network)]
    expected = literal.loss(
        torch.relu(scalar.double() * MATRIX), MATRIX, MATRIX > 0, network, 0.2, 0.06
    )
    loss = stage.loss(FullBatch(TRAIN, "dense").operator(stage))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_scalar_is_drawn_again_until_it_is_positive():
    starts = [
        fit(GLocalKScalar, seed=seed, redraw_kernels=True)[1].traces[0].numbers["taps/1"][0]
        for seed in range(6)
    ]
    first = [fit(GLocalKScalar, seed=seed)[1].traces[0].numbers["taps/1"][0] for seed in range(6)]
    assert min(first) < 0 < min(starts)
    assert [s for s, f in zip(starts, first, strict=True) if f > 0] == [f for f in first if f > 0]


@pytest.mark.parametrize("option", ["kernel_size", "convolution_layers"])
def test_a_scalar_has_no_size_and_no_layers(option):
    with pytest.raises(GlocalkError, match=f"'{option}' cannot be 3"):
        GLocalKScalar(**{option: 3})


@pytest.mark.parametrize("formulation", ["dense", "sparse"])
def test_permuted_ratings_are_those_of_renumbered_users_and_items(formulation):
    config = small.config()
    network = network_of(config, TRAIN.shape)
    plain = FullBatch(TRAIN, formulation)
    batch = PermutedBatch(plain, seed=5)
    kernel = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(TRAIN.num_users, 3, dtype=torch.float64, requires_grad=True)
    operator = batch.operator(network)

    # In which order the users and items stand: drawn as the class says, from the seed.
    rng = np.random.default_rng(5)
    users, items = rng.permutation(TRAIN.num_users), rng.permutation(TRAIN.num_items)
    convolved = literal.convolution(MATRIX[items][:, users], kernel)
    expected = torch.empty(TRAIN.num_items, 3, dtype=torch.float64)
    expected[torch.from_numpy(items)] = convolved @ weight[users]
    assert not torch.allclose(expected, literal.convolution(MATRIX, kernel) @ weight)
    mine = operator.convolved_product([kernel], weight)
    torch.testing.assert_close(mine, expected)
    chosen = torch.randn_like(expected)
    for got, want in zip(
        torch.autograd.grad((mine * chosen).sum(), (kernel, weight)),
        torch.autograd.grad((expected * chosen).sum(), (kernel, weight)),
        strict=True,
    ):
        torch.testing.assert_close(got, want)
    live = (convolved > 0).double().mean().item()
    assert operator.live_shares([kernel])[0] == pytest.approx(live)

    # All else is as without the order.
    other = plain.operator(network)
    hidden, bias = expected.detach(), torch.randn(TRAIN.num_users, dtype=torch.float64)
    output = hidden, weight.T, bias
    assert torch.equal(operator.product(weight), other.product(weight))
    assert torch.equal(operator.half_squared_error(*output), other.half_squared_error(*output))
    assert torch.equal(operator.outputs(*output), other.outputs(*output))
    assert torch.equal(operator.ratings, other.ratings)
    assert operator.shape == other.shape


@pytest.mark.parametrize(("lambda_k", "factor"), [(None, 0.2), (3.0, 3.0), (0.0, 0.0)])
def test_the_penalty_of_decayed_kernels(lambda_k, factor):
    config = GLocalKDecayed.Config.check({**small.OPTIONS, "lambda_k": lambda_k}, "model")
    network = network_of(config, TRAIN.shape)
    ratings = FullBatch(TRAIN, "dense").operator(network)
    penalty = sum((kernels**2).sum() for kernels in network.item_kernels) * factor / 2
    expected = FineTuning(network, 1).loss(ratings) + penalty
    loss = DecayedFineTuning(network, 1).loss(ratings)
    torch.testing.assert_close(loss, expected)
    assert loss.dtype == torch.float64
