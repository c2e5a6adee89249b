"""Runs that take their pre-training from one another have the records of runs that made it."""

import logging
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_run import MODEL, config, run_in, wait_for

import glocalk.run.shared
from command import comparable
from glocalk.completers.autoencoders.glocal_k import GLocalK, PreTraining
from glocalk.run import provenance
from glocalk.run.composed import compose_run
from glocalk.run.execute import execute
from glocalk.training.checkpoints import AtomicCheckpoints

CSV = {"csv": {"_target_": "glocalk.run.loggers.MetricsLogger"}}


def model(epochs=20, **options):
    pretrain = {**MODEL["pretrain"], "epochs": epochs}
    return {**MODEL, "hidden_size": 4, "pretrain": pretrain, **options}


def sharing(runs, epochs=20, options=None, **changes):
    made = {"share_stages": True, **changes}
    return execute(config(runs, model=model(epochs, **(options or {})), **made))


@pytest.fixture
def trained(monkeypatch):
    """The pre-training epochs that are made, as (selection or final, epoch)."""
    made = []
    step = PreTraining.training_step

    def counted(self, batch, batch_idx):
        folder = Path(self.trainer.checkpoint_callback.dirpath)
        made.append((folder.name, self.current_epoch + 1))
        return step(self, batch, batch_idx)

    monkeypatch.setattr(PreTraining, "training_step", counted)
    return made


def both(epochs):
    return [(part, epoch) for part in ("selection", "final") for epoch in epochs]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A folder of runs with the pre-training of one that made 20 epochs of it."""
    runs = tmp_path_factory.mktemp("stored") / "runs"
    sharing(runs, variant="first")
    return runs


def copied(stored, tmp_path):
    """A folder of runs with a copy of what is shared there."""
    for path in stored.glob(".shared/*/*.ckpt"):
        copy = tmp_path / "runs" / path.relative_to(stored)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path / "runs"


def test_a_run_leaves_its_pretraining_after_every_ten_epochs_and_at_the_end(stored, tmp_path):
    selection, final = stored.glob(".shared/*")
    for folder in (selection, final):
        names = {path.name for path in folder.iterdir()} - {".lock"}
        assert names == {"epoch_0010.ckpt", "epoch_0020.ckpt"}
    sharing(tmp_path, epochs=3, protocol={"selection": "never"})
    assert len(list(tmp_path.glob(".shared/*/epoch_0003.ckpt"))) == 1


def test_a_run_that_is_not_asked_to_share_leaves_nothing(tmp_path):
    execute(config(tmp_path, model=model(1), protocol={"selection": "never"}))
    assert not (tmp_path / ".shared").exists()


def test_sharing_is_no_part_of_what_identifies_a_run():
    alone, shared = (compose_run(["data=synthetic", *more]) for more in ([], ["share_stages=true"]))
    assert (alone.share_stages, shared.share_stages) == (False, True)
    assert shared.identity == alone.identity


OTHER = {"finetune": {"epochs": 2, "iterations": 3, "trainer": {}}}
OTHERS = {
    "a number between two files": (13, {}, [11, 12, 13]),
    "more epochs": (21, {}, [21]),
    "no file of so few epochs": (2, {}, [1, 2]),
    "fewer epochs, a larger kernel, more convolutions": (
        10,
        {"kernel_size": 5, "convolution_layers": 2},
        [],
    ),
    "the average, on another scale, and another fine-tuning": (
        *(10, {"aggregation": "average", "dot_scale": 2.0, "redraw_kernels": False, **OTHER}, []),
    ),
}


@pytest.mark.parametrize(("epochs", "options", "left"), OTHERS.values(), ids=OTHERS.keys())
def test_a_run_that_shares_has_the_record_of_one_that_does_not(
    epochs, options, left, stored, tmp_path, trained
):
    runs = copied(stored, tmp_path)
    shared = sharing(runs, epochs, options)
    assert trained == both(left)
    alone = execute(config(tmp_path / "alone", model=model(epochs, **options)))
    assert comparable(shared) == comparable(alone)
    models = [next(folder.glob("*/model.pt")) for folder in (runs, tmp_path / "alone")]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_the_seconds_are_those_of_the_run_that_made_the_epochs(stored, tmp_path):
    first = sharing(stored, variant="first")
    shared = sharing(copied(stored, tmp_path))
    for part in ("selection", "final"):
        assert shared.seconds[f"{part}/pretrain"] == first.seconds[f"{part}/pretrain"]


def test_the_log_of_a_run_that_shares_has_the_other_epochs(stored, tmp_path):
    runs = copied(stored, tmp_path)
    sharing(runs, 12, logger=CSV, protocol={"selection": "never"})
    (log,) = runs.glob("*/final/pretrain/*/metrics.csv")
    epochs = {line.split(",")[0] for line in log.read_text().splitlines()[1:]}
    assert epochs == {"10", "11"}


PARTS_OF_THE_KEY = {
    "data": {"data": {"seed": 1}},
    "share of the training ratings": {"train_share": 0.9},
    "held-out share": {"protocol": {"valid_share": 0.1}},
    "seed": {"seed": 1},
    "clipping": {"protocol": {"clip": False, "selection": "never"}},
    "trainer": {"trainer": {"deterministic": True}},
    "hidden units": {"options": {"hidden_size": 5}},
    "hidden layers": {"options": {"hidden_layers": 1}},
    "kernel dimension": {"options": {"kernel_dimension": 4}},
    "penalty on weights": {"options": {"lambda_2": 21.0}},
    "penalty on kernels": {"options": {"lambda_s": 0.007}},
    "optimizer": {"options": {"lbfgs": {**MODEL["lbfgs"], "memory": 3}}},
    "formulation": {"options": {"formulation": "dense"}},
    "iterations": {"options": {"pretrain": {"epochs": 1, "iterations": 4, "trainer": {}}}},
    "trainer of the stage": {
        "options": {"pretrain": {"epochs": 1, "iterations": 5, "trainer": {"max_epochs": 1}}}
    },
}
SHORT = {"finetune": {"epochs": 1, "iterations": 1, "trainer": {}}}


def short(runs, options=None, **changes):
    """A run of one epoch of pre-training."""
    changes = {"save_model": False, "protocol": {"selection": "never"}, **changes}
    return sharing(runs, 1, {**SHORT, **(options or {})}, **changes)


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory):
    """A folder of runs with the first epoch of pre-training, in both trainings."""
    runs = tmp_path_factory.mktemp("one_epoch") / "runs"
    short(runs, variant="first", protocol={})
    return runs


def test_the_pretraining_of_the_same_training_is_taken(one_epoch, tmp_path, trained):
    short(copied(one_epoch, tmp_path))
    assert trained == []


@pytest.mark.parametrize("change", PARTS_OF_THE_KEY.values(), ids=PARTS_OF_THE_KEY.keys())
def test_the_pretraining_of_another_training_is_not_taken(change, one_epoch, tmp_path, trained):
    short(copied(one_epoch, tmp_path), **change)
    # The final run of a run that holds out another share has the same ratings.
    part = "selection" if "valid_share" in change.get("protocol", {}) else "final"
    assert trained == [(part, 1)]


@pytest.mark.parametrize("what", ["version", "processor", "libraries", "threads"])
def test_the_pretraining_of_other_code_or_another_machine_is_not_taken(
    what, one_epoch, tmp_path, trained, monkeypatch
):
    if what == "version":
        monkeypatch.setattr(GLocalK, "model_version", GLocalK.model_version + 1)
    elif what == "processor":
        monkeypatch.setattr(provenance, "cpu", lambda: "another")
    elif what == "libraries":
        monkeypatch.setattr(provenance, "versions", lambda: {"torch": "1.0"})
    else:
        monkeypatch.setattr(glocalk.run.shared, "torch", SimpleNamespace(get_num_threads=lambda: 2))
    short(copied(one_epoch, tmp_path))
    assert trained == [("final", 1)]


def _flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"global_step")] ^= 4
    path.write_bytes(content)


def _change(change):
    def changed(path):
        saved = AtomicCheckpoints().load_checkpoint(path)
        change(saved)
        AtomicCheckpoints().save_checkpoint(saved, path)

    return changed


def _of_another_key(saved):
    saved["shared"] = "0" * 64


def _without_a_weight(saved):
    del saved["state_dict"]["network.autoencoder.layers.0.bias"]


DAMAGES = {
    "a flipped bit": _flip_a_bit,
    "cut off": lambda path: os.truncate(path, 1000),
    "empty": lambda path: path.write_bytes(b""),
    "of another key": _change(_of_another_key),
    "without a part": _change(lambda saved: saved.pop("loops")),
    "without a weight": _change(_without_a_weight),
    "without an observer": _change(lambda saved: saved["callbacks"].clear()),
    "without anything": _change(lambda saved: saved.clear()),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_removed_with_a_warning_and_its_epochs_are_trained(
    damage, one_epoch, tmp_path, trained, caplog
):
    runs = copied(one_epoch, tmp_path)
    files = list(runs.glob(".shared/*/epoch_0001.ckpt"))
    for path in files:
        damage(path)
    shared = short(runs, variant="first", protocol={})
    assert trained == both([1])
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == len(files) == 2
    assert all("epoch_0001.ckpt' is damaged, so it was removed" in said for said in warnings)
    whole = short(one_epoch, variant="first", protocol={})
    assert comparable(shared) == comparable(whole)
    assert all(path.exists() for path in files)  # made again


def test_the_file_with_fewer_epochs_stands_in_for_a_damaged_one(stored, tmp_path, trained):
    runs = copied(stored, tmp_path)
    for path in runs.glob(".shared/*/epoch_0020.ckpt"):
        _flip_a_bit(path)
    shared = sharing(runs, variant="first")
    assert trained == both(range(11, 21))
    assert comparable(shared) == comparable(sharing(stored, variant="first"))


def test_a_state_that_the_observer_refuses_is_removed_and_trained(
    one_epoch, tmp_path, trained, caplog
):
    def change(saved):
        (state,) = (state for state in saved["callbacks"].values() if "user_errors" in state)
        state["columns"]["test_rmse"].pop()

    runs = copied(one_epoch, tmp_path)
    for path in runs.glob(".shared/*/epoch_*.ckpt"):
        _change(change)(path)
    shared = short(runs)
    assert trained == [("final", 1)]
    assert comparable(shared) == comparable(short(tmp_path / "alone"))
    assert "pretrain.ckpt' is damaged" in caplog.text


def test_a_folder_that_cannot_be_written_to_costs_a_warning(tmp_path, caplog):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / ".shared").write_text("")
    assert short(tmp_path / "runs").status == "done"
    assert caplog.text.count("epoch_0001.ckpt' cannot be written (Not a directory)") == 1


@pytest.mark.parametrize("killed_in", [pytest.param("selection", marks=pytest.mark.slow), "final"])
def test_a_run_that_is_killed_goes_on_and_has_the_same_record(
    killed_in, one_epoch, tmp_path, trained
):
    runs = copied(one_epoch, tmp_path)
    options = {"model": model(5, kernel_size=5, **SHORT), "share_stages": True}
    process = run_in(tmp_path, **options)
    wait_for(process, tmp_path, f"runs/synthetic-*/{killed_in}/pretrain.ckpt")
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it ended before it could be killed"
    shared = execute(config(runs, **options))
    assert not {("selection", 1), ("final", 1)} & set(trained)
    alone = execute(config(tmp_path / "alone", model=options["model"]))
    assert comparable(shared) == comparable(alone)
    names = {path.name for path in runs.glob(".shared/*/*")} - {".lock"}
    assert names == {"epoch_0001.ckpt", "epoch_0005.ckpt"}


def test_what_a_killed_process_was_writing_is_removed(one_epoch, tmp_path):
    runs = copied(one_epoch, tmp_path)
    for path in list(runs.glob(".shared/*/*.ckpt")):
        path.with_name(".epoch_0001.ckpt.77").write_text("")
        path.unlink()
    short(runs, protocol={})
    assert {path.name for path in runs.glob(".shared/*/*")} == {".lock", "epoch_0001.ckpt"}


def test_two_processes_that_make_the_same_epochs_at_once_share_one_set_of_files(tmp_path):
    models = [model(3, kernel_size=size, **SHORT) for size in (3, 5)]
    processes = [run_in(tmp_path, model=one, share_stages=True) for one in models]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    names = sorted(path.name for path in tmp_path.glob("runs/.shared/*/*.ckpt"))
    assert names == ["epoch_0003.ckpt"] * 2
    for one in models:
        alone = execute(config(tmp_path / "alone", model=one))
        assert comparable(execute(config(tmp_path / "runs", model=one))) == comparable(alone)
