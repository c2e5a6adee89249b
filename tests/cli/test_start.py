"""Commands start quickly: they import what they need, and no more."""

import os
import statistics
import subprocess
import sys

import pytest

from command import command

HEAVY = (
    "torch",
    "lightning",
    "torchmetrics",
    "numba",
    "matplotlib",
    "optuna",
    "scipy.optimize",
    "scipy.signal",
    "scipy.spatial",
    "scipy.stats",
)
LIGHT = (
    "--help",
    "--version",
    "stats --help",
    "stats data=synthetic",
    "data status",
    "data --help",
    "report --help",
    "report migrate none",
    "predict --help",
    "serve --help",
    "bench --help",
)


def test_commands_on_data_and_records_import_nothing_heavy(tmp_path):
    program = (
        "import sys, contextlib, io\n"
        "from glocalk.cli.main import main\n"
        "for line in sys.argv[1:]:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main(line.split())\n"
        f"    found = [name for name in {HEAVY} if name in sys.modules]\n"
        "    assert not found, (line, found)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, *LIGHT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr


def test_a_training_imports_neither_plots_nor_signal_processing(tmp_path):
    program = (
        "import sys\n"
        "from glocalk.cli.main import main\n"
        "main(['train', '--cfg', 'job', 'data=synthetic'])\n"
        "import lightning\n"
        "print([name for name in ('matplotlib', 'scipy.signal') if name in sys.modules])\n"
        "import scipy.signal\n"
        "print(callable(scipy.signal.convolve))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines()[-2:] == ["[]", "True"]


def cpu_seconds(arguments, cwd):
    """User and system time of a process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    before = os.times()
    subprocess.run(arguments, cwd=cwd, env=environment, capture_output=True, check=True)
    after = os.times()
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


def ratio(line, program, cwd):
    """How many times the CPU time of a program a command takes: the median of five pairs.

    The two are measured in turn, because a busy machine is slower for minutes at a time.
    """
    ours, unit = command(*line.split()), [sys.executable, "-c", program]
    return statistics.median(cpu_seconds(ours, cwd) / cpu_seconds(unit, cwd) for _ in range(5))


@pytest.mark.slow
def test_the_time_that_commands_take_to_start(tmp_path):
    # Where these take .5 s and the libraries of a training 3.6 s, the limits are 1.5 s and 4.7 s.
    for line in ("--help", "stats data=synthetic", "stats --help", "data --help", "predict --help"):
        assert ratio(line, "import pandas, hydra", tmp_path) < 3, line
    libraries = "import torch, lightning.pytorch"
    assert ratio("train --cfg job data=synthetic", libraries, tmp_path) < 1.3
