"""Command lines for tests: a small run, and what it prints."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from unittest import mock

from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

from glocalk.records.run import Record

# GLocal-K of a size that trains in a second.
SMALL = [
    "data=synthetic",
    "data.users=40",
    "data.items=30",
    "data.ratings=300",
    "model.hidden_size=8",
    "model.pretrain.epochs=3",
    "model.finetune.epochs=3",
    "checkpoint_seconds=0",
]
VARIANT = ",".join(sorted(SMALL[1:-1]))


def command(*arguments):
    return [sys.executable, "-m", "glocalk", *arguments]


def call(*arguments, cwd, **environment):
    """`glocalk` with these arguments, run in this process; its result is like that of `run`.

    A process of its own takes seconds to import the libraries.
    """
    from glocalk.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    handlers = {number: signal.getsignal(number) for number in numbers}
    environment = {"HYDRA_FULL_ERROR": "0", **environment}
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ, environment),
        mock.patch.object(sys, "argv", ["glocalk", *arguments]),
        mock.patch.object(sys, "path", list(sys.path)),
    ):
        # A command may be called by another, which runs in Hydra already.
        outer = Singleton._instances.pop(GlobalHydra, None)
        try:
            code = main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            Singleton._instances[GlobalHydra] = outer or GlobalHydra()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def run(*arguments, cwd, **environment):
    """`glocalk` with these arguments as a process; finished, its output as text."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def only_record(runs):
    """The record of the one run in a runs folder."""
    (path,) = runs.glob("*/record.json")
    return Record.read(path)


def comparable(record):
    """The record without what depends on time and memory."""
    return record.model_dump(exclude={"seconds", "peak_rss_mb"})
