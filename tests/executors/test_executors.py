"""The same plan under every executor: records, lost workers, failures, signals."""

import contextlib
import os
import signal
import sys
import threading
import time

import psutil
import pytest

from command import SMALL
from executors.small_plan import DATA, EXECUTORS, PLAN, by_model, jobs_of, run_process
from glocalk.cli.signals import until_stopped
from glocalk.executors.base import build_executor
from glocalk.executors.jobs import Job, run_jobs
from glocalk.executors.process import Outcome
from glocalk.run.composed import compose_run
from glocalk.run.execute import execute
from run.small_run import forked


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request, tmp_path_factory):
    """The options of an executor."""
    options = dict(EXECUTORS[request.param])
    if request.param == "submitit":
        options["folder"] = tmp_path_factory.mktemp("submitit")
    return options


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The records of the plan, made in a process of one thread that has imported everything."""
    folder = tmp_path_factory.mktemp("undisturbed")
    process = forked(_execute_plan, folder, log=folder / "log")
    process.join()
    assert process.exitcode == 0, (folder / "log").read_text()
    return by_model(folder / "runs")


def _execute_plan(folder):
    for lines in PLAN.values():
        execute(compose_run([*lines, f"runs_dir={folder / 'runs'}", "trainer.threads=1"]))


def kill_when_it_runs(runs, of_cluster, killed):
    """Kill the run, or the cluster's process that waits for it."""
    run = run_process(runs)
    victim = run.parent() if of_cluster else run
    killed.append(victim.pid)
    victim.kill()


@pytest.mark.slow
def test_a_plan_gives_the_same_records_although_a_worker_is_killed(
    executor, undisturbed, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    monkeypatch.chdir(tmp_path)
    runs, killed, ended = tmp_path / "runs", [], []
    is_local = "local.Local" in executor["_target_"]
    killer = threading.Thread(target=kill_when_it_runs, args=(runs, not is_local, killed))
    killer.start()
    jobs = jobs_of(runs, PLAN)
    with build_executor(executor) as started:
        failed = run_jobs(jobs, started, 2, lambda job, outcome: ended.append((job, outcome)))
    killer.join()
    assert failed == []
    assert len(killed) == 1
    assert sum("started again" in message for message in caplog.messages) == 1
    assert {job.title for job, outcome in ended if "test RMSE" in outcome.said} == set(PLAN)
    assert by_model(runs) == undisturbed
    assert list(runs.glob("*/*.ckpt")) == []


@pytest.mark.slow
def test_a_run_that_fails_is_named_and_the_others_are_made(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    plan = {"wrong": ["model=bias", "model.item_dmping=1", *DATA], "bias": ["model=bias", *DATA]}
    with build_executor(EXECUTORS["local"]) as started:
        ((job, outcome),) = run_jobs(jobs_of(runs, plan), started, 2, lambda *_: None)
    assert job.title == "wrong"
    assert outcome == Outcome(1, "Unknown option 'model.item_dmping': did you mean 'item_damping'?")
    assert f"[1/2] failed: wrong: {outcome.said}" in caplog.messages
    assert set(by_model(runs)) == {"bias"}


MARK = "GLOCALK_EXECUTOR_TEST"


def marked(value):
    """The processes, other than this one's forks, that began with this mark."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == value:
                found.append(process.cmdline())
    return found


def _make_endless(folder, options):
    os.chdir(folder)
    os.environ[MARK] = str(folder)
    endless = [*SMALL, "model.finetune.epochs=1000000", f"runs_dir={folder / 'runs'}"]
    jobs = [Job(f"seed {seed}", (*endless, f"seed={seed}")) for seed in (0, 1, 2)]

    def work():
        with build_executor(options) as executor:
            run_jobs(jobs, executor, 1, lambda *_: None)
        return 0

    sys.exit(until_stopped(work))


STOPS = {"local": signal.SIGINT, "submitit": signal.SIGTERM, "ray": signal.SIGHUP}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXECUTORS)
def test_a_signal_leaves_nothing_running(name, tmp_path):
    options = dict(EXECUTORS[name])
    if name == "submitit":
        options["folder"] = tmp_path / "submitit"
    process = forked(_make_endless, tmp_path, options, log=tmp_path / "log")
    run_process(tmp_path / "runs")
    assert marked(str(tmp_path))
    sent = time.monotonic()
    os.kill(process.pid, STOPS[name])
    process.join()
    took = time.monotonic() - sent
    # What runs are forked from takes a moment to end after the command.
    while marked(str(tmp_path)) and time.monotonic() < sent + took + 10:
        time.sleep(0.05)
    assert marked(str(tmp_path)) == []
    said = (tmp_path / "log").read_text()
    assert process.exitcode == 128 + STOPS[name], said
    assert "Stopped: the same command continues every run from its last checkpoint." in said
    assert "Stopped at once" not in said
    assert "failed" not in said
    assert took < 30
    checkpoints = list(tmp_path.glob("runs/*seed0/*/*.ckpt"))  # one for each stage begun
    assert checkpoints
    assert all(checkpoint.stat().st_size > 0 for checkpoint in checkpoints)
