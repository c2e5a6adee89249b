import json
import math

import pytest
import torch

import literal
from command import SMALL
from glocalk.bench.clock import step_clock
from glocalk.bench.evaluations import FORMULATIONS
from glocalk.bench.literal import literal_loss
from glocalk.cli.bench import main
from glocalk.errors import GlocalkError
from glocalk.optim.lbfgs import make_lbfgs
from glocalk.records.benchmark import Bench
from small import network_of, settings


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_the_literal_loss_is_that_of_the_equations(stage):
    network = network_of(settings(), (9, 7))
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randint(0, 6, (7, 9), generator=generator).double()
    observed = (matrix > 0).double()
    loss = literal_loss(network, stage, matrix, observed)
    layers = [(layer.weight, layer.u, layer.v, layer.bias) for layer in network.autoencoder.layers]
    x = matrix
    if stage == "finetune":
        x = literal.convolved(matrix, layers, list(network.item_kernels), 0.3, "weighted")
    expected = literal.loss(x, matrix, observed, layers, 0.2, 0.06)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_clock_counts_steps_and_evaluations():
    losses = []
    x, y = (torch.ones(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    with step_clock() as times:
        for parameter in (x, y):
            optimizer = make_lbfgs(
                [parameter], iterations=2, memory=3, restart=True, line_search="more_thuente"
            )

            def closure(parameter=parameter, optimizer=optimizer):
                optimizer.zero_grad()
                loss = (torch.arange(1, 4) * parameter**4).sum()
                loss.backward()
                losses.append(parameter)
                return loss

            for _ in range(3):
                optimizer.step(closure)
    counts = [sum(parameter is each for each in losses) for parameter in (x, y)]
    assert [each.steps for each in times] == [3, 3]
    assert [each.evaluations for each in times] == counts
    assert all(0 < each.closure_seconds < each.seconds for each in times)
    optimizer.step(closure)  # outside, nothing is timed any more
    assert [each.evaluations for each in times] == counts


def test_measures_every_part_and_keeps_the_others(tmp_path):
    out = tmp_path / "bench.json"
    small = ["data=[synthetic]", "repeats=2", *SMALL[1:], f"out={out}"]
    main(["parts=[trainings]", *small])
    main(["parts=[evaluations]", *small])
    bench = Bench.read(out)
    assert set(bench.origins) == {"evaluations", "trainings"}
    named = [(each.stage, each.formulation) for each in bench.evaluations]
    assert named == [(stage, f) for stage in ("pretrain", "finetune") for f in FORMULATIONS]
    for each in bench.evaluations:
        assert len(each.seconds) == len(each.seconds_kept) == 2
        assert 0 < each.max_rel_grad_error < 1e-4
        assert each.peak_mb > 50
        assert (each.live_share is None) == (each.stage == "pretrain")
    (training,) = bench.trainings
    assert [cost.stage for cost in training.stages] == ["pretrain", "finetune"]
    for cost in training.stages:
        assert cost.evaluations >= cost.epochs == 3
        assert 0 < cost.gradient_seconds + cost.optimizer_seconds < cost.seconds


def test_measures_scaling_up_to_a_size(tmp_path):
    out = tmp_path / "bench.json"
    main(["parts=[scaling]", "most_ratings=100000", "model.hidden_size=8", f"out={out}"])
    points = Bench.read(out).scaling
    assert [(each.stage, each.ratings) for each in points] == [
        ("pretrain", 100_000),
        ("finetune", 100_000),
    ]
    for each in points:
        assert (each.users, each.items) == (7000, 1000)
        assert each.evaluations >= 5
        assert each.seconds > 0


def test_an_unknown_data_set_ends_in_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main(["data=[ml_100]", f"out={tmp_path / 'bench.json'}"])
    assert error.value.code == 1
    assert capsys.readouterr().err.startswith("Unknown data 'ml_100': did you mean 'ml_100k'")


def test_a_damaged_benchmark_ends_in_one_sentence(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"evaluations": math.pi}))
    with pytest.raises(GlocalkError, match="does not hold a whole benchmark"):
        Bench.read(path)
