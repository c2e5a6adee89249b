import numpy as np
import pytest
import torch

import literal
import small
from glocalk.completers.autoencoders.glocal_k import GLocalK
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext, NoObserver
from planted import planted

TRAIN, TEST = planted(num_users=14, num_items=11)
LAYERS = 2


class Copies(NoObserver):
    """Keeps what is traced, and the network's parameters at that moment."""

    def __init__(self, completer):
        self.completer, self.told, self.networks = completer, [], []

    def traced(self, stage, epoch, numbers):
        self.told.append((stage, epoch, dict(numbers)))
        state = self.completer._stage.network.state_dict()
        self.networks.append({name: value.clone().double() for name, value in state.items()})


def fit(context, **options):
    completer = GLocalK(small.config(convolution_layers=LAYERS, redraw_kernels=True, **options))
    observer = Copies(completer)
    completer.fit(TRAIN, context=FitContext(observer=observer, **context))
    return completer, observer


def expected(network):
    """Taps of each layer and shares of live cells, from the equations of the paper."""
    matrix = torch.zeros(TRAIN.num_items, TRAIN.num_users, dtype=torch.float64)
    matrix.numpy()[TRAIN.items, TRAIN.users] = TRAIN.ratings
    layers = [
        [network[f"autoencoder.layers.{n}.{name}"] for name in ("weight", "u", "v", "bias")]
        for n in range(3)
    ]
    pooled = literal.network(matrix, layers).mean(dim=1)
    scale = small.OPTIONS["dot_scale"]
    taps = [scale * (pooled @ network[f"item_kernels.{n}"]) for n in range(LAYERS)]
    live = matrix
    for kernel in taps:
        live = literal.convolution(live, kernel.reshape(3, 3))
    rated = live[TRAIN.items, TRAIN.users]
    return taps, [(live > 0).double().mean().item(), (rated > 0).double().mean().item()]


@pytest.mark.parametrize("formulation", ["dense", "sparse"])
def test_the_trace_tells_the_taps_and_the_live_cells_of_each_moment(formulation):
    _, observer = fit({"trace": True}, formulation=formulation)
    assert [(stage, epoch) for stage, epoch, _ in observer.told] == [
        ("finetune", epoch) for epoch in range(4)
    ]
    for (_, epoch, numbers), network in zip(observer.told, observer.networks, strict=True):
        taps, live = expected(network)
        named = {"taps/1", "taps/2", "live"} | ({"redraws"} if epoch == 0 else set())
        assert set(numbers) == named
        for layer, kernel in enumerate(taps, start=1):
            np.testing.assert_allclose(numbers[f"taps/{layer}"], kernel, rtol=1e-3, atol=1e-5)
        assert numbers["live"] == pytest.approx(live)
    shares = [numbers["live"][0] for _, _, numbers in observer.told]
    assert len(set(shares)) > 1  # the kernel moved
    assert len(observer.told[0][2]["redraws"]) == LAYERS


def test_a_traced_training_has_the_same_bits():
    pairs = TEST.users, TEST.items
    plain, untold = fit({})
    traced, told = fit({"trace": True})
    assert untold.told == []
    assert len(told.told) == 4
    np.testing.assert_array_equal(traced.predict_pairs(*pairs), plain.predict_pairs(*pairs))


class Killed(BaseException):
    pass


class KillAt:
    def __init__(self, *at):
        self.at = at

    def epoch_ended(self, stage, epoch, test, valid):
        del test, valid
        if (stage, epoch) == self.at:
            raise Killed


@pytest.mark.parametrize("at", [("pretrain", 2), ("finetune", 1), ("finetune", 2)])
def test_traces_survive_a_kill(tmp_path, at):
    def run(folder, listeners=()):
        monitor = Monitor(TEST, listeners=listeners)
        context = FitContext(observer=monitor.observer(), folder=folder, trace=True)
        GLocalK(small.config()).fit(TRAIN, context=context)
        return monitor.traces

    whole = run(tmp_path / "whole")
    assert [trace.epoch for trace in whole] == [0, 1, 2, 3]
    with pytest.raises(Killed):
        run(tmp_path / "killed", [KillAt(*at)])
    assert run(tmp_path / "killed") == whole
