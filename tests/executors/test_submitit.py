"""What SLURM is asked for, by a SLURM of three shell scripts, and what happens at a time limit."""

import signal
import threading

import psutil
import pytest

from executors.small_plan import EXECUTORS, LONG, by_model, jobs_of, run_process
from glocalk.executors.base import build_executor
from glocalk.executors.jobs import run_jobs

SUBMITIT = EXECUTORS["submitit"]
PROGRAMS = {
    "srun": "exit 1",
    "sbatch": 'cp "$1" "$FOLDER/script"; echo Submitted batch job 7',
    "scancel": 'echo "$@" > "$FOLDER/canceled"',
    "sacct": 'printf "JobID|State|NodeList\\n7|"\n'
    'test -e "$FOLDER/canceled" && echo "CANCELLED|" || echo "RUNNING|"',
}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A cluster that takes jobs and never ends them; the folder of what it was asked for."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in PROGRAMS.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    monkeypatch.setenv("FOLDER", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def wait_for(path):
    waiting = threading.Event()
    for _ in range(3000):
        if path.exists():
            return
        waiting.wait(0.01)
    raise AssertionError(path)


def test_slurm_is_asked_for_what_the_options_say_and_jobs_are_canceled(slurm, tmp_path):
    options = {
        **SUBMITIT,
        "cluster": "slurm",
        "folder": tmp_path / "logs",
        "threads": 3,
        "minutes": 240,
        "memory_gb": 6,
        "partition": "cpu",
        "options": {"account": "mine"},
    }
    with build_executor(options) as executor:
        future = executor.submit_run(["model=bias"])
        wait_for(slurm / "script")
        executor.stop(signal.SIGINT)
        assert future.result().lost
    assert (slurm / "canceled").read_text() == "7\n"
    asked = set((slurm / "script").read_text().splitlines())
    assert asked >= {
        "#SBATCH --account=mine",
        "#SBATCH --cpus-per-task=3",
        "#SBATCH --mem=6GB",
        "#SBATCH --partition=cpu",
        "#SBATCH --time=240",
        "#SBATCH --signal=USR2@90",
    }
    assert not any("gpu" in line for line in asked)


def test_a_job_that_slurm_does_not_accept_is_a_failure(slurm, tmp_path):
    (slurm / "sbatch").write_text("#!/bin/sh\necho Invalid account >&2; exit 1\n")
    options = {**SUBMITIT, "cluster": "slurm", "folder": tmp_path / "logs"}
    with build_executor(options) as executor:
        outcome = executor.submit_run(["model=bias"]).result()
    assert outcome.code == 1
    assert "SLURM does not accept its job" in outcome.said
    assert "Invalid account" in outcome.said


@pytest.mark.slow
def test_a_run_continues_after_its_time_limit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs, limited = tmp_path / "runs", []

    def limit():
        worker = psutil.Process(run_process(runs).ppid())
        limited.append(worker.pid)
        worker.send_signal(signal.SIGUSR2)  # as submitit does before the limit

    thread = threading.Thread(target=limit)
    thread.start()
    options = {**SUBMITIT, "folder": tmp_path / "logs", "retries": 0}
    with build_executor(options) as executor:
        failed = run_jobs(jobs_of(runs, {"glocal_k": LONG}), executor, 1, lambda *_: None)
    thread.join()
    assert failed == []
    assert len(limited) == 1
    logs = [path.read_text() for path in (tmp_path / "logs").glob("*_log.out")]
    assert "Requeued job" in "".join(logs)
    assert set(by_model(runs)) == {"glocal_k"}
