import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_run import config, forked, run_in, train_command, wait_for

from command import SMALL, comparable, only_record
from glocalk.errors import GlocalkError
from glocalk.records.run import Record
from glocalk.run.execute import execute


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


def _with_small_files_only(made):
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
    try:
        execute(made)
    except GlocalkError as error:
        sys.exit(str(error))


def test_a_full_disk_ends_in_one_sentence(whole, tmp_path):
    process = forked(_with_small_files_only, config(tmp_path / "runs"), log=tmp_path / "log")
    process.join()
    assert process.exitcode == 1
    line = (tmp_path / "log").read_text().strip().splitlines()[-1]
    assert line.startswith("synthetic glocal_k seed 0 stopped, because it cannot write (")
    assert "start it again" in line
    assert resumed(tmp_path) == whole


@pytest.mark.slow
def test_fifty_kills_at_random_moments(tmp_path, capsys):
    script = Path(__file__).parents[1] / "campaign.py"
    process = subprocess.run(
        [sys.executable, script, "--kills", "50", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    with capsys.disabled():
        print("\n" + process.stdout)
    assert process.stdout.startswith("50 kills, every record the same:")
    for stage in ("selection pretrain", "selection finetune", "final finetune"):
        assert stage in process.stdout


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
