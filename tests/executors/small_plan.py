"""A plan of two small runs, the executors that make it, and what they are making."""

import contextlib
import time
from pathlib import Path

import psutil

from command import SMALL, comparable
from glocalk.executors.jobs import Job
from glocalk.records.run import Record

EXECUTORS = {
    "local": {"_target_": "glocalk.executors.local.LocalExecutor", "jobs": 2, "threads": 1},
    "submitit": {
        "_target_": "glocalk.executors.submitit.SubmititExecutor",
        "cluster": "local",
        "jobs": 2,
    },
    "ray": {"_target_": "glocalk.executors.ray.RayExecutor", "jobs": 2},
}
DATA = [line for line in SMALL if not line.startswith("model.")]
# Long enough to be killed in the middle.
LONG = [*SMALL, "model.finetune.epochs=150"]
PLAN = {"glocal_k": LONG, "bias_mf": ["model=bias_mf", "model.epochs=5", *DATA]}


def by_model(runs):
    records = [Record.read(path) for path in runs.glob("*/record.json")]
    return {record.model: comparable(record) for record in records}


def run_process(runs):
    """The process of GLocal-K's run in this runs folder, once it has a checkpoint."""
    deadline = time.monotonic() + 240
    while not list(runs.glob("*-glocal_k-*/*/*.ckpt")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            lines = " ".join(process.cmdline())
            if "glocalk.executors.child" in lines or "multiprocessing.forkserver" in lines:
                held = [Path(file.path) for file in process.open_files()]
                locks = [path for path in held if path.parent == runs / ".locks"]
                if any("-glocal_k-" in path.name for path in locks):
                    return process
    raise AssertionError("the run has ended")


def jobs_of(runs, plan):
    return [Job(name, (*lines, f"runs_dir={runs}")) for name, lines in plan.items()]
