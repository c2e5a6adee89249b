"""Runs that are forked from a process that has imported the libraries."""

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from command import SMALL, comparable, only_record
from glocalk.executors import forked
from glocalk.executors.process import make_run, stop_runs
from run.small_run import wait_for

pytestmark = pytest.mark.skipif(not forked.AVAILABLE, reason="runs are forked on Linux only")

PLAN = [*SMALL, "trainer.threads=1"]


@pytest.fixture(scope="module")
def spawned(tmp_path_factory):
    """The record of the run in a process that was not forked."""
    folder = tmp_path_factory.mktemp("spawned")
    assert make_run(PLAN, folder, threads=1).done
    return comparable(only_record(folder / "runs"))


def test_a_forked_run_gives_the_record_of_any_other(spawned, tmp_path):
    outcome = make_run(PLAN, tmp_path, threads=1, forked=True)
    assert outcome.code == 0
    assert outcome.said.startswith("synthetic glocal_k seed 0")
    assert comparable(only_record(tmp_path / "runs")) == spawned


def test_a_forked_run_says_why_it_fails(tmp_path):
    outcome = make_run(["model=bais"], tmp_path, threads=1, forked=True)
    assert outcome.code == 1
    assert "'bais'" in outcome.said


def test_a_forked_run_whose_output_is_shown_prints_it(tmp_path, capfd):
    outcome = make_run(["model=bais"], tmp_path, threads=1, shown=True, forked=True)
    assert (outcome.code, outcome.said) == (1, "")
    assert "'bais'" in capfd.readouterr().err


def test_a_forked_run_is_told_to_stop_and_continues(spawned, tmp_path):
    def stop():
        while not list(tmp_path.glob("runs/*/selection/pretrain.ckpt")):
            time.sleep(0.0005)
        stop_runs(signal.SIGTERM)

    thread = threading.Thread(target=stop, daemon=True)
    thread.start()
    outcome = make_run(PLAN, tmp_path, threads=1, forked=True)
    assert outcome.lost
    assert outcome.said == "SIGTERM asked its process to stop"
    assert make_run(PLAN, tmp_path, threads=1, forked=True).done
    assert comparable(only_record(tmp_path / "runs")) == spawned


STARTS = """
import sys
from pathlib import Path
from glocalk.executors.process import make_run
make_run(sys.argv[1:], Path.cwd(), threads=1, forked=True)
"""


@pytest.mark.parametrize("victim", ["the command", "the fork server"])
def test_a_forked_run_stops_if_what_started_it_is_killed(victim, tmp_path):
    endless = [*PLAN, "model.finetune.epochs=1000000"]
    with subprocess.Popen([sys.executable, "-c", STARTS, *endless], cwd=tmp_path) as process:
        started = _Started(process)
        wait_for(started, tmp_path, "runs/*/selection/finetune.ckpt")
        command = psutil.Process(process.pid)
        below = command.children(recursive=True)
        (run,) = (one for one in below if one.parent().pid != command.pid)
        server = run.parent()
        (command if victim == "the command" else server).kill()
        run.wait(30)
    assert process.returncode == (-signal.SIGKILL if victim == "the command" else 0)
    psutil.wait_procs(below, timeout=10)
    assert not any(one.is_running() for one in below)
    assert not list(tmp_path.glob("runs/*/record.json"))


class _Started:
    def __init__(self, process):
        self.process = process

    def is_alive(self):
        return self.process.poll() is None


def test_a_run_with_another_number_of_threads_is_not_forked():
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    assert forked.can_fork(environment)
    assert not forked.can_fork({**environment, "OMP_NUM_THREADS": "3"})
