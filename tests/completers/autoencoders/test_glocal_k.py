import numpy as np
import pytest
import torch

import small
from glocalk.completers.autoencoders.glocal_k import (
    FineTuning,
    GLocalK,
    GLocalKNetwork,
    PreTraining,
)
from glocalk.errors import GlocalkError
from glocalk.optim.lbfgs import LBFGS
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch
from planted import planted
from small import network_of

TRAIN, TEST = planted(num_users=14, num_items=11)


def test_pretraining_does_not_train_the_item_kernels():
    config = small.config()
    network = network_of(config, TRAIN.shape)
    trained = {id(parameter) for parameter in PreTraining(network, 1).trained().parameters()}
    assert not trained & {id(parameter) for parameter in network.item_kernels}
    trained = {id(parameter) for parameter in FineTuning(network, 1).trained().parameters()}
    assert trained == {id(parameter) for parameter in network.parameters()}


def test_initial_item_kernels_match_the_official_code():
    config = small.config(kernel_size=5)
    network = GLocalKNetwork((30, 400), config, torch.Generator().manual_seed(0))
    (kernels,) = network.item_kernels
    assert kernels.shape == (400, 25)
    assert 0.19 < kernels.abs().max() <= 0.2
    assert kernels.std().item() == pytest.approx(0.08796, rel=0.02)  # normal, truncated at ±2 σ


def make_degenerate(network, layer):
    """Give the global kernel of `layer` one positive entry: entry 5 of every item kernel."""
    with torch.no_grad():
        kernels = network.item_kernels[layer]
        kernels.copy_(-kernels.abs())
        kernels[:, 5].neg_()


def test_only_degenerate_item_kernels_are_drawn_again():
    config = small.config(aggregation="average", convolution_layers=2)
    network = network_of(config, TRAIN.shape)
    with torch.no_grad():
        network.item_kernels[0][:, :2] = 0.1
    before = [kernels.clone() for kernels in network.item_kernels]
    generator = torch.Generator().manual_seed(0)
    ratings = FullBatch(TRAIN, "dense").operator(network)

    assert network.redraw_degenerate_kernels(ratings, generator) == [0, 0]
    torch.testing.assert_close(list(network.item_kernels), before)

    make_degenerate(network, 1)
    assert network.redraw_degenerate_kernels(ratings, generator)[0] == 0
    torch.testing.assert_close(network.item_kernels[0], before[0])
    assert (network.item_kernels[1].mean(dim=0) > 0).sum() >= 2
    assert network.item_kernels[1].abs().max() <= 0.2  # normal, σ .1, truncated at 2 σ


def test_redrawing_stops_when_every_draw_is_degenerate():
    network = network_of(small.config(dot_scale=0), TRAIN.shape)
    generator = torch.Generator().manual_seed(0)
    ratings = FullBatch(TRAIN, "dense").operator(network)
    assert network.redraw_degenerate_kernels(ratings, generator) == [100]


def test_redrawing_matters_for_some_seeds_and_not_for_others():
    # A 1 × 1 kernel is degenerate if it is negative, which half of the seeds give.
    changed = []
    for seed in range(8):
        config = {"kernel_size": 1, "finetune": {"epochs": 1, "iterations": 1}}
        first, _ = fit(small.config(**config), seed)
        again, _ = fit(small.config(**config, redraw_kernels=True), seed)
        pairs = TEST.users, TEST.items
        changed.append(not np.array_equal(first.predict_pairs(*pairs), again.predict_pairs(*pairs)))
    assert any(changed)
    assert not all(changed)


def fit(config, seed=0, **options):
    completer = GLocalK(config)
    monitor = Monitor(TEST)
    completer.fit(TRAIN, context=FitContext(seed=seed, observer=monitor.observer(), **options))
    return completer, monitor


def test_a_stage_without_epochs_is_skipped():
    config = small.config(finetune={"epochs": 0, "iterations": 2})
    completer, monitor = fit(config)
    assert completer.schedule == {"pretrain": 2}
    assert monitor.curves.stage == ["pretrain"] * 2
    # It predicts from pre-training, without a convolution.
    error = np.clip(completer.predict_pairs(TEST.users, TEST.items), 1, 5) - TEST.ratings
    assert monitor.curves.test_rmse[-1] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)


def test_trainer_options_of_a_stage_reach_the_trainer():
    config = small.config(pretrain={"epochs": 2, "iterations": 3, "trainer": {"max_epochs": 1}})
    _, monitor = fit(config)
    assert monitor.curves.stage.count("pretrain") == 1


def test_trainer_precision_sets_the_precision_of_the_network():
    single, _ = fit(small.config())
    double, _ = fit(small.config(), trainer={"precision": "64-true"})
    difference = single.predict_pairs(TEST.users, TEST.items) - double.predict_pairs(
        TEST.users, TEST.items
    )
    assert 0 < np.abs(difference).max() < 0.05


class Killed(BaseException):
    pass


class KillAt:
    """A listener that stops the training as a signal would, after an epoch's evaluation."""

    def __init__(self, stage, epoch):
        self.at = (stage, epoch)

    def epoch_ended(self, stage, epoch, test, valid):
        del test, valid
        if (stage, epoch) == self.at:
            raise Killed


@pytest.fixture(scope="module", params=[True, False], ids=["restart", "no restart"])
def uninterrupted(request, tmp_path_factory):
    """(config, fitted completer, its monitor)."""
    config = small.config(lbfgs={"restart": request.param})
    return config, *fit(config, folder=tmp_path_factory.mktemp("uninterrupted"))


@pytest.mark.parametrize("at", [("pretrain", 1), ("pretrain", 2), ("finetune", 1), ("finetune", 3)])
def test_a_killed_training_resumes_to_the_uninterrupted_result(tmp_path, at, uninterrupted):
    config, whole, whole_monitor = uninterrupted
    completer, monitor = GLocalK(config), Monitor(TEST, listeners=[KillAt(*at)])
    with pytest.raises(Killed):
        completer.fit(
            TRAIN, context=FitContext(observer=monitor.observer(), folder=tmp_path / "killed")
        )
    resumed, resumed_monitor = fit(config, folder=tmp_path / "killed")
    assert resumed_monitor.curves == whole_monitor.curves
    for row in range(5):
        np.testing.assert_array_equal(
            resumed_monitor.user_errors(row), whole_monitor.user_errors(row)
        )
    np.testing.assert_array_equal(
        resumed.predict_pairs(TEST.users, TEST.items), whole.predict_pairs(TEST.users, TEST.items)
    )


def test_checkpoints_wait_for_the_given_time_except_at_the_end_of_a_stage(tmp_path):
    whole, _ = fit(small.config(), folder=tmp_path / "whole")
    monitor = Monitor(TEST, listeners=[KillAt("finetune", 2)])
    training = FitContext(
        observer=monitor.observer(), folder=tmp_path / "killed", checkpoint_seconds=1e6
    )
    with pytest.raises(Killed):
        GLocalK(small.config()).fit(TRAIN, context=training)
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["pretrain.ckpt"]
    resumed, _ = fit(small.config(), folder=tmp_path / "killed", checkpoint_seconds=1e6)
    np.testing.assert_array_equal(
        resumed.predict_pairs(TEST.users, TEST.items), whole.predict_pairs(TEST.users, TEST.items)
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lambda_2": -1.0}, "'model.lambda_2' cannot be -1.0"),
        ({"lambda_s": -0.1}, "'model.lambda_s' cannot be -0.1"),
        ({"kernel_size": 4}, "'model.kernel_size' cannot be 4: .* odd"),
        ({"hidden_size": 0}, "'model.hidden_size' cannot be 0"),
        ({"aggregation": "mean"}, "'model.aggregation' cannot be 'mean'"),
        ({"lamda_2": 3.0}, "Unknown option 'model.lamda_2': did you mean 'lambda_2'"),
        (
            {"pretrain": {"epochs": 1, "iterations": 1, "epoch": 3}},
            "Unknown option 'model.pretrain.epoch': did you mean 'epochs'",
        ),
        ({"lbfgs": {"line_search": "strong"}}, "'model.lbfgs.line_search' cannot be 'strong'"),
    ],
)
def test_invalid_options_raise_a_one_sentence_error(options, sentence):
    with pytest.raises(GlocalkError, match=sentence) as error:
        small.config(**options)
    assert "\n" not in str(error.value)


def test_holding_kernels_changes_nothing_while_epochs_make_progress():
    plain, monitor = fit(small.config())
    held, other = fit(small.config(hold_kernels=True))
    assert monitor.curves == other.curves
    pairs = TEST.users, TEST.items
    np.testing.assert_array_equal(plain.predict_pairs(*pairs), held.predict_pairs(*pairs))


def test_an_epoch_that_stands_still_is_repeated_with_the_item_kernels_held(monkeypatch, caplog):
    step = LBFGS.step

    def stuck(optimizer, closure):
        """Finds no step where the item kernels are among the parameters, as at a kink."""
        shapes = [tuple(p.shape) for p in optimizer._parameters]
        return closure() if (TRAIN.num_items, 9) in shapes else step(optimizer, closure)

    monkeypatch.setattr(LBFGS, "step", stuck)
    _, still = fit(small.config())
    assert len(set(still.curves.loss[2:])) == 1
    assert still.curves.test_rmse[2] == still.curves.test_rmse[4]

    with caplog.at_level("INFO"):
        completer, monitor = fit(small.config(hold_kernels=True))
    assert [message for message in caplog.messages if "held" in message] == [
        f"Epoch {epoch} is repeated with the item kernels held." for epoch in (1, 2, 3)
    ]
    assert monitor.curves.loss[2] == still.curves.loss[2]
    assert sorted(monitor.curves.loss[2:], reverse=True) == monitor.curves.loss[2:]
    assert monitor.curves.loss[4] < 0.99 * monitor.curves.loss[2]
    initial = GLocalKNetwork(TRAIN.shape, small.config(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        list(completer._stage.network.item_kernels), list(initial.item_kernels), rtol=0, atol=0
    )
