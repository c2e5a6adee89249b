"""Completers without a Trainer: stopped anywhere and continued, they give the same bits."""

import functools
import itertools

import numpy as np
import pytest
import torch
from cases import SIDE, TEST, TRAIN, VALID, new

from command import comparable
from glocalk import stopping
from glocalk.completers.blocks import rating_arrays
from glocalk.completers.factorization import ridge
from glocalk.run.composed import compose_run
from glocalk.run.execute import execute
from glocalk.run.monitor import Monitor
from glocalk.stopping import StoppedError
from glocalk.training.checkpoints import UnloadableCheckpointError
from glocalk.training.context import FitContext
from glocalk.training.loop import LoopCheckpoints
from sides import side_of

# model, options over its quick ones, name of its last checkpoint
CASES = {
    "bias_mf": ("bias_mf", {}, "sgd"),
    "bias_mf_als": ("bias_mf_als", {}, "als"),
    "svd_pp": ("svd_pp", {}, "sgd"),
    "llorma": ("llorma", {"base": {"epochs": 3}, "local": {"epochs": 4}}, "local"),
    "llorma_parallel": (
        "llorma",
        {"algorithm": "parallel", "base": {"epochs": 3}, "local": {"epochs": 4}},
        "local",
    ),
    "soft_impute": ("soft_impute", {"rank": 10, "iterations": 25}, "fit"),
    "bayesian_mf": ("bayesian_mf", {"burn_in": 3, "samples": 9, "kept_rank": 3}, "fit"),
    "graem": ("graem", {}, "sgd"),
    "bayesian_fm": ("bayesian_fm", {"burn_in": 3, "samples": 5, "thinning": 2}, "fit"),
    "bayesian_fm_probit": ("bayesian_fm_probit", {"burn_in": 2, "samples": 6}, "fit"),
    "bayesian_svd_pp": ("bayesian_svd_pp", {"samples": 8}, "fit"),
    "bayesian_svd_pp_probit": ("bayesian_svd_pp_probit", {"samples": 8}, "fit"),
}


class Asked:
    """In place of the request to stop: rises at the `rises_at`-th question, and counts them."""

    obeyed_at_safe_points = True

    def __init__(self, rises_at):
        self.rises_at, self.questions = rises_at, 0

    @property
    def number(self):
        self.questions += 1
        return 15 if self.questions >= self.rises_at else None


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Several safe points within an epoch of a small matrix."""
    monkeypatch.setattr(rating_arrays, "_PIECE", 1500)
    monkeypatch.setattr(ridge, "_CHUNK", 400)


@pytest.fixture
def asked(monkeypatch):
    """Sets at which question the request to stop rises; returns what counts the questions."""

    def set_to(rises_at):
        request = Asked(rises_at)
        monkeypatch.setattr(stopping, "_Request", request)
        return request

    return set_to


def fit(name, folder=None, seconds=0.0, train=TRAIN, seed=0, side=SIDE, **options):
    """(completer, monitor) of a fit of a new completer."""
    model, over, _ = CASES[name]
    completer, monitor = new(model, {**over, **options}), Monitor(TEST, VALID)
    context = FitContext(seed, monitor.observer(), folder, checkpoint_seconds=seconds, side=side)
    completer.fit(train, context=context)
    return completer, monitor


def bits(fitted):
    """Everything that a fit gives: state, curves, errors of users."""
    completer, monitor = fitted
    state = {name: tensor.numpy().tobytes() for name, tensor in completer.state().items()}
    watched = monitor.state_dict()
    return state, watched["columns"], watched["user_errors"].numpy().tobytes()


@functools.cache
def whole(name):
    return bits(fit(name))


@pytest.mark.parametrize("name", CASES)
def test_an_epoch_in_pieces_gives_the_bits_of_one_piece(name, monkeypatch):
    in_pieces = whole(name)
    monkeypatch.undo()
    assert bits(fit(name)) == in_pieces


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
@pytest.mark.parametrize("name", CASES)
def test_a_training_stopped_at_any_safe_point_continues_with_the_same_bits(
    name, seconds, tmp_path, asked
):
    expected, stops = whole(name), 0
    # The first few safe points one by one, the later ones at growing distances.
    for k in itertools.chain(range(1, 12), (int(12 * 1.3**n) for n in itertools.count())):
        asked(k)
        try:
            assert bits(fit(name, tmp_path / f"{k}", seconds)) == expected
            break
        except StoppedError:
            stops += 1
        asked(1 << 60)
        assert bits(fit(name, tmp_path / f"{k}", seconds)) == expected, f"stopped at question {k}"
    assert stops > 12


@pytest.mark.parametrize("name", CASES)
def test_a_training_stopped_again_and_again_gives_the_same_bits(name, tmp_path, asked):
    asked(1 << 60)
    expected, sessions = whole(name), 1
    asked(1)
    epoch = _questions_of_an_epoch(name, asked)
    for k in itertools.cycle((epoch + 5, 2 * epoch + 3, epoch + 8)):
        asked(k)
        try:
            assert bits(fit(name, tmp_path)) == expected
            break
        except StoppedError:
            sessions += 1
    assert sessions > 2


def _questions_of_an_epoch(name, asked):
    """The most questions between two epochs' ends of a training."""
    request, ends = asked(1 << 60), [0]
    model, over, _ = CASES[name]
    save = LoopCheckpoints.save

    def counting(self, state, last=False):
        save(self, state, last)
        ends.append(request.questions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoopCheckpoints, "save", counting)
        new(model, over).fit(TRAIN, seed=0, side=SIDE)
    return max(np.diff(ends))


@pytest.mark.parametrize("name", CASES)
def test_a_finished_training_is_loaded_and_not_repeated(name, tmp_path, monkeypatch):
    expected = bits(fit(name, tmp_path, seconds=3600.0))
    assert expected == whole(name)  # before anything is replaced: it may train
    for method in (
        *("bias_mf.SGD.run_epoch", "bias_mf.ALS.run_epoch", "svd_pp._Solver.run_epoch"),
        *("alternating.Solver.start", "alternating.Solver.iterate", "gibbs.GibbsSampler.draw"),
    ):
        path = f"glocalk.completers.factorization.{method}"
        monkeypatch.setattr(path, lambda _: pytest.fail("trained again"))
    for path in ("llorma.solver.Solver.run_epoch", "bayesian_fm.sampler.Sampler.draw"):
        name_of = f"glocalk.completers.{path}"
        monkeypatch.setattr(name_of, lambda _: pytest.fail("trained again"))
    assert bits(fit(name, tmp_path)) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"train": TRAIN.select(np.arange(len(TRAIN)) > 0)},
        {"epochs": 9},
        {"rank": 2},
    ],
    ids=["seed", "ratings", "epochs", "rank"],
)
def test_a_checkpoint_of_another_training_is_refused_and_renamed(other, tmp_path):
    fit("bias_mf", tmp_path)
    with pytest.raises(UnloadableCheckpointError, match=r"sgd\.ckpt' is that of another training"):
        fit("bias_mf", tmp_path, **other)
    assert [path.name for path in tmp_path.iterdir()] == ["sgd.ckpt.damaged"]
    assert bits(fit("bias_mf", tmp_path, **other)) == bits(fit("bias_mf", **other))


def test_a_checkpoint_under_other_side_information_is_refused_and_renamed(tmp_path):
    fit("graem", tmp_path)
    with pytest.raises(UnloadableCheckpointError, match=r"sgd\.ckpt' is that of another training"):
        fit("graem", tmp_path, side=side_of(TRAIN.shape, seed=1))


@pytest.mark.parametrize("name", CASES)
def test_a_checkpoint_with_an_array_of_another_form_is_refused_and_renamed(
    name, tmp_path, monkeypatch
):
    saves = LoopCheckpoints.save

    def damaging(self, state, last=False):
        content = dict(state())
        array = next(key for key, value in content.items() if isinstance(value, np.ndarray))
        content[array] = content[array][:-1]
        saves(self, lambda: content, last)

    with monkeypatch.context() as patch:
        patch.setattr(LoopCheckpoints, "save", damaging)
        fit(name, tmp_path)
    for _ in range(2 if name.startswith("llorma") else 1):  # LLORMA has two stages
        with pytest.raises(UnloadableCheckpointError, match="is damaged: it was renamed"):
            fit(name, tmp_path)
    assert bits(fit(name, tmp_path)) == whole(name)
    assert (tmp_path / f"{CASES[name][2]}.ckpt.damaged").exists()


@pytest.mark.parametrize("name", CASES)
def test_a_checkpoint_holds_tensors_and_plain_values_only(name, tmp_path):
    fit(name, tmp_path)
    content = torch.load(tmp_path / f"{CASES[name][2]}.ckpt", weights_only=True)
    assert content["values"]["epochs"] >= 4
    dtypes = {tensor.dtype for tensor in content["arrays"].values()}
    assert dtypes <= {torch.float32, torch.float64, torch.int64}


@pytest.mark.parametrize("name", ["user_knn", "item_knn"])
def test_a_prediction_from_neighbors_stops_between_blocks(name, asked, monkeypatch):
    monkeypatch.setattr("glocalk.completers.neighbors.knn._CELLS", 100)
    completer = new(name).fit(TRAIN)
    rows = TEST.users if name == "user_knn" else TEST.items
    request = asked(1 << 60)
    completer.predict_pairs(TEST.users, TEST.items)
    height = 100 // TRAIN.shape[name == "item_knn"]
    assert request.questions == -(-len(np.unique(rows)) // height)
    asked(3)
    with pytest.raises(StoppedError):
        completer.predict_pairs(TEST.users, TEST.items)


def test_the_singular_value_decomposition_of_soft_impute_stops_at_any_product(asked):
    request = asked(1 << 60)
    options = {"rank": 10, "iterations": 1}
    new("soft_impute", options).fit(TRAIN)
    assert request.questions > 20
    asked(10)
    with pytest.raises(StoppedError):
        new("soft_impute", options).fit(TRAIN)


def test_safe_points_are_a_fixed_number_of_operations_apart(asked, monkeypatch):
    monkeypatch.undo()
    request = asked(1 << 60)
    # As many ratings as ML-1M has, at the rank that biased MF has there.
    parts = list(rating_arrays.pieces(900_000, 200))
    assert parts == [slice(0, 900_000)]
    assert request.questions == 1
    parts = list(rating_arrays.pieces(20_000_000, 200))
    assert len(parts) == request.questions - 1 == 8
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert parts[-1].stop == 20_000_000


@pytest.mark.parametrize("name", ["bias_mf", "llorma", "soft_impute", "bayesian_mf"])
def test_a_run_stopped_in_either_training_gives_the_record_of_an_uninterrupted_one(
    name, tmp_path, asked
):
    options = {
        "bias_mf": ["model.rank=3", "model.epochs=6"],
        "llorma": ["model.anchors=5", "model.base.epochs=4", "model.local.epochs=4"],
        "bayesian_mf": ["model.rank=2", "model.samples=8", "model.kept_rank=3"],
        "soft_impute": ["model.rank=6", "model.iterations=12", "model.nuclear_penalty=1"],
    }[name]
    data = ["data=synthetic", "data.users=40", "data.items=30", "data.ratings=300"]

    def run(folder):
        rest = ["logger=none", "progress=false", "checkpoint_seconds=0"]
        return execute(
            compose_run([f"model={name}", *options, *data, *rest, f"runs_dir={tmp_path / folder}"])
        )

    count = asked(1 << 60)
    expected = comparable(run("whole"))
    stopped_in = set()
    for share in (0.2, 0.45, 0.6, 0.95):
        asked(int(share * count.questions))
        with pytest.raises(StoppedError):
            run(f"{share}")
        stopped_in |= {path.parent.name for path in (tmp_path / f"{share}").glob("*/*/*.ckpt")}
        asked(1 << 60)
        assert comparable(run(f"{share}")) == expected
    in_both = {"selection", "final"}
    assert stopped_in == (in_both if name in ("bias_mf", "llorma") else {"final"})


def test_checkpoints_take_a_small_share_of_the_time(tmp_path, monkeypatch):
    clock, saved = [0.0], []
    monkeypatch.setattr("glocalk.training.loop.time.monotonic", lambda: clock[0])

    def slow(_, content, path):
        del content, path
        saved.append(clock[0])
        clock[0] += 2.0  # a large checkpoint

    monkeypatch.setattr("glocalk.training.loop.AtomicCheckpoints.save_checkpoint", slow)
    checkpoints = LoopCheckpoints(FitContext(folder=tmp_path, checkpoint_seconds=5), "train")
    for _ in range(1000):
        clock[0] += 1.0
        checkpoints.save(dict)
    assert saved[0] == 5
    assert np.diff(saved) == pytest.approx(2 / 0.03 + 2, abs=1.0)
