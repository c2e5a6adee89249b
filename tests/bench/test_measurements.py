import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import literal
from command import SMALL
from glocalk.bench import alternatives, busy, evaluations, parts
from glocalk.bench.alternatives import PRODUCTS, Case, scipy_product, torch_product
from glocalk.bench.clock import step_clock
from glocalk.bench.evaluations import FORMULATIONS
from glocalk.bench.literal import literal_loss
from glocalk.bench.process import in_own_process
from glocalk.cli.bench import main
from glocalk.errors import GlocalkError
from glocalk.optim.lbfgs import make_lbfgs
from glocalk.records.benchmark import Bench
from glocalk.sparse.csr import CSR
from small import config as small_config
from small import network_of


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_the_literal_loss_is_that_of_the_equations(stage):
    network = network_of(small_config(), (9, 7))
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


def test_a_process_of_its_own_is_another_process():
    assert in_own_process(os.getpid) != os.getpid()


@pytest.fixture
def one_process(monkeypatch):
    """Measure in this process: starting another one takes seconds."""
    for module in (parts, evaluations, alternatives, busy):
        monkeypatch.setattr(module, "in_own_process", lambda function, *rest: function(*rest))


@pytest.mark.usefixtures("one_process")
def test_measures_one_part_and_keeps_the_others(tmp_path):
    out = tmp_path / "bench.json"
    small = ["data=[synthetic]", "repeats=2", *SMALL[1:], f"out={out}"]
    main(["parts=[trainings]", *small])
    main(["parts=[evaluations]", *small])
    bench = Bench.read(out)
    assert set(bench.origins) == {"evaluations", "trainings"}
    named = [(each.stage, each.formulation) for each in bench.evaluations]
    assert named == [(stage, f) for stage in ("pretrain", "finetune") for f in FORMULATIONS]
    for each in bench.evaluations:
        assert len(each.seconds) == 2
        assert 0 < each.max_rel_grad_error < 1e-4
        assert each.peak_mb > 50
        assert (each.live_share is None) == (each.stage == "pretrain")
    (training,) = bench.trainings
    assert [cost.stage for cost in training.stages] == ["pretrain", "finetune"]
    for cost in training.stages:
        assert cost.evaluations >= cost.epochs == 3
        assert 0 < cost.gradient_seconds + cost.optimizer_seconds < cost.seconds


@pytest.mark.usefixtures("one_process")
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


@pytest.mark.usefixtures("one_process")
def test_measures_products_on_both_sides(tmp_path):
    out = tmp_path / "bench.json"
    main(["parts=[products]", "data=[synthetic]", "repeats=2", f"out={out}"])
    bench = Bench.read(out)
    assert bench.origins["products"].threads == 1
    assert [(each.rows, each.width, each.implementation) for each in bench.products] == [
        (rows, width, implementation)
        for rows in ("items", "users")
        for width in (500, 32)
        for implementation in PRODUCTS
    ]
    assert all(len(each.seconds) == 2 for each in bench.products)
    assert all(each.same_bits for each in bench.products if each.implementation == "numba")


@pytest.mark.parametrize("product", [scipy_product, torch_product])
def test_libraries_multiply_matrices_with_unused_room(product):
    # [[0, 2, 0], [0, 0, 0], [3, 0, 4]], with a stored 9 that belongs to no row
    matrix = CSR(
        starts=np.array([0, 2, 2]),
        stops=np.array([1, 2, 4]),
        columns=np.array([1, 2, 0, 2], np.int32),
        values=np.array([2, 9, 3, 4], np.float32),
        shape=(3, 3),
    )
    dense = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    expected = np.array([[6, 8], [0, 0], [23, 30]], np.float32)
    np.testing.assert_array_equal(product(matrix, dense), expected)


@pytest.mark.usefixtures("one_process")
def test_measures_own_code_against_libraries(tmp_path, monkeypatch):
    thresholds = []

    def train(config):
        thresholds.append(os.environ.get("MALLOC_TRIM_THRESHOLD_"))
        return alternatives._train(config)

    igmc = ("model.epochs=1", "model.ensemble.members=1", "model.ensemble.interval=1")
    sizes = (*SMALL[1:4], "model.layers=2", "model.batch_size=150")
    monkeypatch.setattr(parts, "PRODUCT_CASES", [Case("synthetic", "igmc", (*igmc, *sizes))])
    monkeypatch.setattr(parts, "ALLOCATOR_CASES", [Case("synthetic", "glocal_k", SMALL[1:])])
    monkeypatch.setattr(alternatives, "_train_at_one_thread", train)
    monkeypatch.setattr(alternatives.platform, "libc_ver", lambda: ("glibc", "2.36"))
    out = tmp_path / "bench.json"
    main(["parts=[alternatives]", "data=[synthetic]", "repeats=1", f"out={out}"])
    found = Bench.read(out).alternatives
    assert [(each.component, each.implementation) for each in found] == [
        *(("product", name) for name in PRODUCTS),
        ("allocator", "default"),
        ("allocator", "thresholds"),
    ]
    for each in found:
        assert len(each.seconds) == len(each.peak_mb) == 1
        assert each.seconds[0] > 0
        assert each.peak_mb[0] > 50
    assert {each.same_bits for each in found if each.component == "allocator"} == {True}
    assert thresholds == [None, str(256 * 2**20)]


@pytest.mark.usefixtures("one_process")
def test_measures_trainings_beside_a_busy_program(tmp_path, monkeypatch):
    programs, seen = [], []

    def start(command, **options):
        program = popen(command, **options)
        if command[0] == sys.executable:
            programs.append(program)
        return program

    def seconds(config, warm_up, cores):
        running = sum(program.poll() is None for program in programs)
        seen.append((cores, running))
        return measure(config, warm_up, cores) if len(seen) == 1 else 10.0 + running

    measure, popen = busy._seconds, subprocess.Popen
    monkeypatch.setattr(busy, "_seconds", seconds)
    monkeypatch.setattr(busy.subprocess, "Popen", start)
    monkeypatch.setattr(parts, "BUSY_CASES", [Case("synthetic", "glocal_k", SMALL[1:])])
    out = tmp_path / "bench.json"
    main(["parts=[busy]", "data=[synthetic]", "repeats=2", f"out={out}"])
    free, on_all = Bench.read(out).busy
    assert (free.cores, on_all.cores) == ("free", "all")
    assert 0 < free.seconds[0] < 10
    assert free.seconds[1:] + on_all.seconds == [10.0] * 3
    assert free.busy_seconds + on_all.busy_seconds == [11.0] * 4
    assert seen == [("free", 0), ("free", 1), ("all", 0), ("all", 1)] * 2
    assert all(program.poll() is not None for program in programs)


def test_no_thresholds_are_measured_without_glibc(monkeypatch):
    monkeypatch.setattr(alternatives.platform, "libc_ver", lambda: ("", ""))
    assert alternatives.measure_allocator_trainings(None, [], 1) == []


def test_an_unknown_data_set_ends_in_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main(["data=[ml_100]", f"out={tmp_path / 'bench.json'}"])
    assert error.value.code == 1
    assert capsys.readouterr().err.startswith("Unknown data 'ml_100': did you mean 'ml_100k'")


def test_a_damaged_benchmark_ends_in_one_sentence(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"evaluations": math.pi}))
    with pytest.raises(GlocalkError, match=r"is damaged .*: remove it and run `make bench`"):
        Bench.read(path)
