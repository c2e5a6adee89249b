import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_run import config, forked, run_in, train_command, wait_for

import glocalk.run.trainings
from command import SMALL, comparable, only_record
from glocalk.cli.signals import until_stopped
from glocalk.errors import GlocalkError
from glocalk.records.run import Record
from glocalk.run.execute import execute
from glocalk.run.trainings import train_once
from glocalk.training.checkpoints import AtomicCheckpoints


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The record of an uninterrupted run."""
    return comparable(execute(config(tmp_path_factory.mktemp("whole"))))


@pytest.fixture(scope="module")
def by_command(tmp_path_factory):
    """The record of an uninterrupted `glocalk train`."""
    folder = tmp_path_factory.mktemp("by_command")
    train_command(folder, *SMALL).join()
    return comparable(only_record(folder / "runs"))


def resumed(folder):
    return comparable(execute(config(folder / "runs")))


@pytest.mark.parametrize("killed_in", ["pretrain", "finetune"])
@pytest.mark.parametrize("training", ["selection", "final"])
def test_a_killed_run_continues_and_gives_the_same_record(whole, tmp_path, training, killed_in):
    process = run_in(tmp_path)
    wait_for(process, tmp_path, f"runs/synthetic-*/{training}/{killed_in}.ckpt")
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it ended before it could be killed"
    assert not list(tmp_path.glob("runs/*/record.json"))
    assert resumed(tmp_path) == whole


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_ends_in_one_sentence_and_loses_nothing(by_command, tmp_path, number):
    process = train_command(tmp_path, *SMALL, "progress=false")
    wait_for(process, tmp_path, "runs/synthetic-*/selection/pretrain.ckpt")
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == 128 + number
    (said,) = (tmp_path / "log").read_text().splitlines()
    assert said.startswith("Stopped: ")
    assert not list(tmp_path.glob("runs/*/record.json"))
    train_command(tmp_path, *SMALL).join()
    assert comparable(only_record(tmp_path / "runs")) == by_command


def test_a_damaged_checkpoint_is_set_aside_and_its_stage_starts_again(whole, tmp_path, caplog):
    process = run_in(tmp_path)
    wait_for(process, tmp_path, "runs/synthetic-*/final/pretrain.ckpt")
    process.kill()
    process.join()
    (path,) = tmp_path.glob("runs/synthetic-*/final/pretrain.ckpt")
    content = bytearray(path.read_bytes())
    content[content.index(b"global_step")] ^= 4
    path.write_bytes(content)
    assert resumed(tmp_path) == whole
    assert re.search(r"final/pretrain\.ckpt' is damaged: .*\.damaged'", caplog.text)


def test_a_complete_checkpoint_of_another_stage_is_set_aside(whole, tmp_path, caplog):
    process = run_in(tmp_path)
    wait_for(process, tmp_path, "runs/synthetic-*/final/finetune.ckpt")
    process.kill()
    process.join()
    (path,) = tmp_path.glob("runs/synthetic-*/final/finetune.ckpt")
    (path.parent / "pretrain.ckpt").unlink()
    path.rename(path.parent / "pretrain.ckpt")
    assert resumed(tmp_path) == whole
    assert re.search(r"final/pretrain\.ckpt' is damaged: .*\.damaged'", caplog.text)
    assert not list(tmp_path.rglob("*.ckpt*"))


def _selection_finished(folder, training="final"):
    """A run that is killed in its final run."""
    process = run_in(folder)
    wait_for(process, folder, f"runs/synthetic-*/{training}/pretrain.ckpt")
    process.kill()
    process.join()
    (kept,) = folder.glob("runs/synthetic-*/selection.ckpt")
    return kept


def test_a_finished_selection_run_is_not_repeated(whole, tmp_path, monkeypatch):
    kept = _selection_finished(tmp_path)
    assert not list(kept.parent.glob("selection/*.ckpt"))
    made = []

    def once(config, split, folder, *others, **options):
        made.append(folder.name)
        return train_once(config, split, folder, *others, **options)

    monkeypatch.setattr(glocalk.run.trainings, "train_once", once)
    assert resumed(tmp_path) == whole
    assert made == ["final"]
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize(
    "change",
    [
        lambda saved: saved.clear(),
        lambda saved: saved["monitor"]["columns"]["test_rmse"].pop(),
        lambda saved: saved["monitor"].update(user_errors=torch.zeros(6, 3)),
        lambda saved: saved.update(parameters="many"),
    ],
)
def test_a_finished_training_that_cannot_be_read_is_made_again(whole, tmp_path, caplog, change):
    kept = _selection_finished(tmp_path)
    saved = AtomicCheckpoints().load_checkpoint(kept)
    change(saved)
    AtomicCheckpoints().save_checkpoint(saved, kept)
    assert resumed(tmp_path) == whole
    assert "selection.ckpt' is damaged" in caplog.text


@pytest.mark.parametrize("part", ["selection.ckpt", "final/pretrain.ckpt"])
def test_nothing_is_taken_over_from_a_run_of_another_seed(whole, tmp_path, caplog, part):
    """As after copying a run's folder to the name of another one."""
    kept = _selection_finished(tmp_path)
    name = kept.parent.name
    kept.parent.rename(tmp_path / "other")
    own = tmp_path / "runs" / name.replace("seed0", "seed1") / part
    own.parent.mkdir(parents=True)
    (tmp_path / "other" / part).rename(own)
    expected = comparable(execute(config(tmp_path / "whole", seed=1)))
    assert comparable(execute(config(tmp_path / "runs", seed=1))) == expected != whole
    assert f"{part}' is that of another training" in caplog.text


def test_what_a_kill_after_the_record_left_is_removed(whole, tmp_path):
    made = config(tmp_path / "runs")
    execute(made)
    (record,) = tmp_path.glob("runs/*/record.json")
    left = ["final/finetune.ckpt", "selection.ckpt", ".model.pt.1a2b", "final/.finetune.ckpt.77"]
    for name in left:
        (record.parent / name).write_text("")
    assert resumed(tmp_path) == whole
    assert not [name for name in left if (record.parent / name).exists()]


def _with_small_files_only(made, size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    sys.exit(until_stopped(lambda: _executed(made)))


def _executed(made):
    try:
        execute(made)
    except GlocalkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


# metrics.csv has 500 bytes, a checkpoint 10 to 30 kB, the model 15 kB, the record 17 kB.
@pytest.mark.parametrize("size", [300, 4000, 11_000, 14_000, 16_000])
def test_a_full_disk_ends_in_one_sentence(whole, tmp_path, size):
    logger = {"csv": {"_target_": "glocalk.run.loggers.MetricsLogger"}}
    made = config(tmp_path / "runs", logger=logger)
    process = forked(_with_small_files_only, made, size, log=tmp_path / "log")
    process.join()
    assert process.exitcode == 1
    line = (tmp_path / "log").read_text().strip().splitlines()[-1]
    assert re.match(
        r"synthetic glocal_k seed 0 stopped, because it cannot write \(|'.*' cannot", line
    )
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert resumed(tmp_path) == whole
    assert not list(tmp_path.rglob("*.ckpt*"))


@pytest.mark.slow
def test_interruptions_at_random_moments(tmp_path, capsys):
    script = Path(__file__).parents[1] / "campaign.py"
    models = "glocal_k,graphrec,llorma"
    process = subprocess.run(
        [sys.executable, script, "--models", models, "--stops", "3", "--kills", "2", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    with capsys.disabled():
        print("\n" + process.stdout)
    assert process.stdout.splitlines()[-1].startswith("9 stops and 6 kills: every result is")


@pytest.mark.slow
def test_eight_processes_at_once_write_eight_complete_records(tmp_path, capsys):
    processes = [run_in(tmp_path, seed=seed) for seed in range(8)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    records = [Record.read(path) for path in tmp_path.glob("runs/*/record.json")]
    with capsys.disabled():
        print(f"\n{len(records)} complete records of 8 processes")
    assert sorted(record.seed for record in records) == list(range(8))
    assert {record.status for record in records} == {"done"}
    assert len({record.config_hash for record in records}) == 1
