"""Runs that take their pre-training from one another have the records of runs that made it."""

import logging
import os
import signal
from pathlib import Path

import pytest
from small_run import MODEL, config, run_in, wait_for

from command import comparable
from glocalk.run import provenance
from glocalk.run.execute import execute, train_once
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
    from glocalk.completers.autoencoders.glocal_k import PreTraining

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
    sharing(tmp_path, epochs=3)
    assert len(list(tmp_path.glob(".shared/*/epoch_0003.ckpt"))) == 2


def test_a_run_that_is_not_asked_to_share_leaves_nothing(tmp_path):
    execute(config(tmp_path, model=model()))
    assert not (tmp_path / ".shared").exists()


def test_sharing_is_no_part_of_what_identifies_a_run(tmp_path):
    assert config(tmp_path, share_stages=True).identity == config(tmp_path).identity


OTHERS = {
    "the same epochs": (20, {}, []),
    "fewer epochs": (10, {}, []),
    "a number between two files": (13, {}, [11, 12, 13]),
    "more epochs": (23, {}, [21, 22, 23]),
    "no file of so few epochs": (4, {}, [1, 2, 3, 4]),
    "a larger kernel": (20, {"kernel_size": 5}, []),
    "more convolutions": (20, {"convolution_layers": 2}, []),
    "the average, on another scale": (20, {"aggregation": "average", "dot_scale": 2.0}, []),
    "another fine-tuning": (20, {"finetune": {"epochs": 2, "iterations": 3}}, []),
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
    assert len(shared.curves["selection"].epoch) == len(shared.curves["final"].epoch)


def test_the_seconds_are_those_of_the_run_that_made_the_epochs(stored, tmp_path):
    (path,) = stored.glob("synthetic-*/record.json")
    first = execute(config(stored, model=model(), share_stages=True, variant="first"))
    assert path.exists()
    shared = sharing(copied(stored, tmp_path))
    for part in ("selection", "final"):
        assert shared.seconds[f"{part}/pretrain"] == first.seconds[f"{part}/pretrain"]


def test_the_final_run_alone_shares_too(stored, tmp_path, trained):
    runs = copied(stored, tmp_path)
    shared = sharing(runs, 20, protocol={"selection": "never"})
    assert trained == []
    alone = config(tmp_path / "alone", model=model(), protocol={"selection": "never"})
    assert comparable(shared) == comparable(execute(alone))


def test_the_log_of_a_run_that_shares_has_the_other_epochs(stored, tmp_path):
    runs = copied(stored, tmp_path)
    sharing(runs, 23, logger=CSV)
    (log,) = runs.glob("*/final/pretrain/*/metrics.csv")
    epochs = [line.split(",")[0] for line in log.read_text().splitlines()[1:]]
    assert epochs == ["20", "21", "22"]


PARTS_OF_THE_KEY = {
    "data": {"data": {"seed": 1}},
    "share of the training ratings": {"train_share": 0.9},
    "held-out share": {"protocol": {"valid_share": 0.1}},
    "seed": {"seed": 1},
    "clipping": {"protocol": {"clip": False}},
    "trainer": {"trainer": {"deterministic": True}},
    "threads": {"trainer": {"threads": 2}},
    "hidden units": {"options": {"hidden_size": 5}},
    "hidden layers": {"options": {"hidden_layers": 1}},
    "kernel dimension": {"options": {"kernel_dimension": 4}},
    "penalty on weights": {"options": {"lambda_2": 21.0}},
    "penalty on kernels": {"options": {"lambda_s": 0.007}},
    "optimizer": {"options": {"lbfgs": {**MODEL["lbfgs"], "memory": 3}}},
    "formulation": {"options": {"formulation": "dense"}},
    "iterations": {"options": {"pretrain": {"epochs": 20, "iterations": 4, "trainer": {}}}},
    "trainer of the stage": {
        "options": {"pretrain": {**MODEL["pretrain"], "epochs": 20, "trainer": {"max_epochs": 20}}}
    },
}


@pytest.mark.parametrize("change", PARTS_OF_THE_KEY.values(), ids=PARTS_OF_THE_KEY.keys())
def test_the_pretraining_of_another_training_is_not_taken(change, stored, tmp_path, trained):
    runs = copied(stored, tmp_path)
    sharing(runs, 20, **change)
    # The final run of a run that holds out another share has the same ratings.
    only = ["selection"] if change.get("protocol", {}).get("valid_share") else None
    expected = [(part, epoch) for part, epoch in both(range(1, 21)) if not only or part in only]
    assert trained == expected


@pytest.mark.parametrize("what", ["version", "processor", "libraries"])
def test_the_pretraining_of_other_code_or_another_machine_is_not_taken(
    what, stored, tmp_path, trained, monkeypatch
):
    from glocalk.completers.autoencoders.glocal_k import GLocalK

    if what == "version":
        monkeypatch.setattr(GLocalK, "model_version", GLocalK.model_version + 1)
    elif what == "processor":
        monkeypatch.setattr(provenance, "cpu", lambda: "another")
    else:
        monkeypatch.setattr(provenance, "versions", lambda: {"torch": "1.0"})
    sharing(copied(stored, tmp_path))
    assert trained == both(range(1, 21))


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


DAMAGES = {
    "a flipped bit": _flip_a_bit,
    "cut off": lambda path: os.truncate(path, 1000),
    "empty": lambda path: path.write_bytes(b""),
    "of another key": _change(_of_another_key),
    "without a part": _change(lambda saved: saved.pop("loops")),
    "without a weight": _change(lambda saved: saved["state_dict"].popitem()),
    "without an observer": _change(lambda saved: saved["callbacks"].clear()),
    "without anything": _change(lambda saved: saved.clear()),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_removed_with_a_warning_and_its_epochs_are_trained(
    damage, stored, tmp_path, trained, caplog
):
    runs = copied(stored, tmp_path)
    files = list(runs.glob(".shared/*/epoch_0020.ckpt"))
    for path in files:
        damage(path)
    shared = sharing(runs, variant="first")
    assert trained == both(range(11, 21))
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == len(files) == 2
    assert all("epoch_0020.ckpt' is damaged, so it was removed" in said for said in warnings)
    (path,) = stored.glob("synthetic-*/record.json")
    whole = execute(config(stored, model=model(), variant="first"))
    assert comparable(shared) == comparable(whole)
    assert all(path.exists() for path in files)  # made again


def test_a_state_that_the_observer_refuses_is_removed_and_trained(
    stored, tmp_path, trained, caplog
):
    def change(saved):
        (state,) = (state for state in saved["callbacks"].values() if "user_errors" in state)
        state["columns"]["test_rmse"].pop()

    runs = copied(stored, tmp_path)
    for path in runs.glob(".shared/*/epoch_*.ckpt"):
        _change(change)(path)
    shared = sharing(runs, 20)
    assert trained == both(range(1, 21))
    assert comparable(shared) == comparable(execute(config(tmp_path / "alone", model=model())))
    assert "pretrain.ckpt' is damaged" in caplog.text


def test_files_may_be_removed_at_any_time(stored, tmp_path, trained):
    runs = copied(stored, tmp_path)
    for path in runs.glob(".shared/*/epoch_0010.ckpt"):
        path.unlink()
    sharing(runs, 12)
    assert trained == both(range(1, 13))


def test_a_folder_that_cannot_be_written_to_costs_a_warning(tmp_path, caplog):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / ".shared").write_text("")
    made = config(tmp_path / "runs", model=model(3), share_stages=True)
    record = execute(made)
    assert record.status == "done"
    assert caplog.text.count("epoch_0003.ckpt' cannot be written (Not a directory)") == 2


@pytest.mark.parametrize("killed_in", ["selection", "final"])
def test_a_run_that_is_killed_goes_on_and_has_the_same_record(killed_in, stored, tmp_path, trained):
    runs = copied(stored, tmp_path)
    options = {"model": model(40, kernel_size=5), "share_stages": True}
    process = run_in(tmp_path, **options)
    wait_for(process, tmp_path, f"runs/synthetic-*/{killed_in}/pretrain.ckpt")
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it ended before it could be killed"
    shared = execute(config(runs, **options))
    assert all(epoch > 20 for _, epoch in trained)
    alone = execute(config(tmp_path / "alone", model=model(40, kernel_size=5)))
    assert comparable(shared) == comparable(alone)
    names = {path.name for path in runs.glob(".shared/*/*")} - {".lock"}
    assert names == {f"epoch_00{epoch}.ckpt" for epoch in (10, 20, 30, 40)}


def test_what_a_killed_process_was_writing_is_removed(stored, tmp_path):
    runs = copied(stored, tmp_path)
    for folder in runs.glob(".shared/*"):
        (folder / ".epoch_0021.ckpt.77").write_text("")
    sharing(runs, 21)
    assert not list(runs.glob(".shared/*/.epoch*"))


def test_two_processes_that_make_the_same_epochs_at_once_share_one_set_of_files(tmp_path):
    models = [model(20, kernel_size=size) for size in (3, 5)]
    processes = [run_in(tmp_path, model=one, share_stages=True) for one in models]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    names = sorted(path.name for path in tmp_path.glob("runs/.shared/*/*.ckpt"))
    assert names == ["epoch_0010.ckpt"] * 2 + ["epoch_0020.ckpt"] * 2
    for one in models:
        alone = execute(config(tmp_path / "alone", model=one))
        assert comparable(execute(config(tmp_path / "runs", model=one))) == comparable(alone)


def test_a_training_outside_a_run_neither_takes_nor_leaves_anything(tmp_path):
    from glocalk.data.sources import build_source

    made = config(tmp_path / "runs", model=model(3))
    train_once(made, build_source(made.data).split(Path("data")), tmp_path / "folder")
    assert not (tmp_path / "runs").exists()
