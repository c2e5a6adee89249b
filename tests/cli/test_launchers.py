"""Sweeps whose runs Hydra's launchers make in processes of their own."""

import psutil
import pytest

from command import SMALL, comparable, run
from glocalk.cli import sweep
from glocalk.records.run import Record
from glocalk.run.composed import compose_run
from glocalk.run.execute import execute
from run.small_run import forked

LAUNCHERS = {"joblib": ["hydra.launcher.n_jobs=2"], "submitit_local": []}


def _execute(folder, threads):
    execute(compose_run([*SMALL, f"runs_dir={folder / 'alone'}", f"trainer.threads={threads}"]))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_s_worker_makes_the_record_of_a_run_alone(launcher, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    arguments = [f"hydra/launcher={launcher}", *LAUNCHERS[launcher], *SMALL, "seed=-1,0,-3"]
    process = run("train", "-m", *arguments, cwd=tmp_path)
    assert process.returncode == 1
    for seed in (-1, -3):
        assert process.stderr.count(f"Option 'seed' cannot be {seed}: ") == 1
    (path,) = tmp_path.glob("runs/*/record.json")
    record = Record.read(path)
    assert record.threads * 2 <= max(2, psutil.cpu_count())
    alone = forked(_execute, tmp_path, record.threads, log=tmp_path / "log_alone")
    alone.join()
    (other,) = tmp_path.glob("alone/*/record.json")
    assert comparable(record) == comparable(Record.read(other))
    assert record.folder == other.parent.name


def test_the_further_failures_of_a_sweep_are_those_after_the_first(tmp_path, monkeypatch):
    for number in (10, 2, 3):
        (tmp_path / f"{number:06d}.failed").write_text(f"seed={number}: No data.\n")
    monkeypatch.setattr(sweep._Sweep, "folder", tmp_path)
    assert sweep.further_failures() == ["seed=3: No data.", "seed=10: No data."]
    monkeypatch.setattr(sweep._Sweep, "folder", None)
    assert sweep.further_failures() == []
