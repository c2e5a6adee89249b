import random
import re
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from command import SMALL, command, comparable, only_record, run
from glocalk.records.run import Record
from glocalk.training.checkpoints import AtomicCheckpoints, DamagedCheckpointError


def record_in(folder):
    return comparable(only_record(folder / "runs"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The record of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    process = run("train", *SMALL, cwd=folder)
    assert process.returncode == 0, process.stderr
    return record_in(folder)


def started(folder, checkpoint, **options):
    """A run that has reached `checkpoint`."""
    process = subprocess.Popen(
        command("train", *SMALL), cwd=folder, stderr=subprocess.PIPE, text=True, **options
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob(f"runs/synthetic-*/{checkpoint}")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_ends_in_one_sentence_and_loses_nothing(whole, tmp_path, number):
    process = started(tmp_path, "selection/pretrain.ckpt")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said == "Stopped: the same command goes on from the last checkpoint.\n"
    assert not list(tmp_path.glob("runs/*/record.json"))
    assert run("train", *SMALL, cwd=tmp_path).returncode == 0
    assert record_in(tmp_path) == whole


def test_a_damaged_checkpoint_is_set_aside_and_its_stage_starts_again(whole, tmp_path):
    process = started(tmp_path, "final/pretrain.ckpt")
    process.kill()
    process.wait()
    (path,) = tmp_path.glob("runs/synthetic-*/final/pretrain.ckpt")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    resumed = run("train", *SMALL, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    said = resumed.stdout + resumed.stderr
    assert re.search(r"final/pretrain\.ckpt' is damaged: set aside as '.*\.damaged'", said)
    assert record_in(tmp_path) == whole


def test_every_damage_of_a_checkpoint_is_noticed(tmp_path):
    path, io = tmp_path / "a.ckpt", AtomicCheckpoints()
    saved = {"state_dict": {"weight": torch.randn(50, 20)}, "epoch": 3}
    io.save_checkpoint(saved, path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]
    loaded = io.load_checkpoint(path)
    assert torch.equal(loaded["state_dict"]["weight"], saved["state_dict"]["weight"])
    whole, rng = path.read_bytes(), random.Random(0)
    for _ in range(200):
        content = bytearray(whole)
        if rng.random() < 0.5:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        else:
            del content[rng.randrange(len(content)) :]
        path.write_bytes(content)
        with pytest.raises(DamagedCheckpointError):
            io.load_checkpoint(path)


def test_no_room_on_the_disk_ends_in_one_sentence(whole, tmp_path):
    def small_files_only():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))

    process = subprocess.run(
        command("train", *SMALL),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small_files_only,
    )
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()[-1:]
    assert line.startswith("synthetic glocal_k seed 0 stopped, for it cannot write (")
    assert "start it again" in line
    assert run("train", *SMALL, cwd=tmp_path).returncode == 0
    assert record_in(tmp_path) == whole


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
    for stage in ("training 1 pretrain", "training 1 finetune", "training 2 finetune"):
        assert stage in process.stdout


@pytest.mark.slow
def test_eight_processes_at_once_write_eight_whole_records(tmp_path, capsys):
    def one(seed):
        return run("train", *SMALL, f"seed={seed}", cwd=tmp_path)

    with ThreadPoolExecutor(8) as pool:
        processes = list(pool.map(one, range(8)))
    assert [process.returncode for process in processes] == [0] * 8
    records = [Record.read(path) for path in tmp_path.glob("runs/*/record.json")]
    with capsys.disabled():
        print(f"\n{len(records)} whole records of 8 processes")
    assert sorted(record.seed for record in records) == list(range(8))
    assert {record.status for record in records} == {"done"}
    assert len({record.config_hash for record in records}) == 1
