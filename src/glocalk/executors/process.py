"""One run in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glocalk.executors.forked import ForkedRun, can_fork

_EVERY = 0.2  # seconds between two looks at the process
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        code: exit code of its process; negative if a signal killed it, None if it was not started.
        said: its results, which are the last line that it printed, or why it failed. Empty if its
            output was shown.
    """

    code: int | None
    said: str = ""

    @property
    def done(self) -> bool:
        """Whether the run has its record."""
        return self.code == 0

    @property
    def lost(self) -> bool:
        """Whether the process was killed or told to stop, which says nothing about the run."""
        return self.code is not None and (self.code < 0 or _number_in(self.code) is not None)


def lost(why: str) -> Outcome:
    """The outcome of a run whose worker was lost.

    Args:
        why: what happened, as a clause.
    """
    return Outcome(-signal.SIGKILL, f"its worker was lost ({why})")


def _number_in(code: int) -> signal.Signals | None:
    """The signal that asked a command with this exit code to stop."""
    known = {128 + number: number for number in signal.Signals}
    return known.get(code)


_Started = subprocess.Popen[str] | ForkedRun

_running: set[_Started] = set()
"""The processes of this one's runs that have not been told to stop."""


def stop_runs(number: int, seconds: float = 0.0) -> None:
    """Send a signal, once, to the processes of all runs that this process waits for.

    Args:
        number: the signal.
        seconds: how long to wait for their end.
    """
    told = list(_running)
    for process in told:
        _running.discard(process)
        process.send_signal(number)
    ends = time.monotonic() + seconds
    while any(process.poll() is None for process in told) and time.monotonic() < ends:
        time.sleep(0.05)


def call(function: Callable[[], Outcome]) -> Outcome:
    """Call a function; what a worker of a cluster is given."""
    return function()


def make_run(
    arguments: Sequence[str],
    folder: Path,
    threads: int | None = None,
    shown: bool = False,
    command: str = "train",
    forked: bool = False,
) -> Outcome:
    """Make a run in a process of its own and wait for it.

    In the main thread of a process, signals to stop are passed on to the run.

    Args:
        arguments: of the command.
        folder: its working directory.
        threads: the number of threads that its libraries begin with.
        shown: whether the run prints to this process's output, with its progress bar.
        command: the command of glocalk: `train`, or `tune` for a search.
        forked: whether the process is forked, where it can be, from one that has imported the
            libraries.
    """
    environment = dict(os.environ)
    if threads is not None:
        # Not only torch's threads: BLAS starts one for each core otherwise.
        environment["OMP_NUM_THREADS"] = str(threads)
    try:
        process = _start(command, arguments, folder, environment, shown, forked)
    except OSError as error:
        where = f" '{error.filename}'" if error.filename else ""
        return Outcome(1, f"It cannot be started ({error.strerror}{where}).")
    _running.add(process)
    try:
        with _signals_passed_on():
            out, err = _wait(process)
    finally:
        _running.discard(process)
    code = process.returncode
    assert code is not None
    if code < 0:
        return lost(f"its process was ended by {signal.Signals(-code).name}")
    if number := _number_in(code):
        return Outcome(code, f"{number.name} asked its process to stop")
    return Outcome(code, _last_line(out) if code == 0 else _reason(err) or _last_line(out))


def _start(
    command: str,
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    shown: bool,
    forked: bool,
) -> _Started:
    if forked and can_fork(environment):
        return ForkedRun([command, *arguments], folder, environment, shown)
    output = None if shown else subprocess.PIPE
    return subprocess.Popen(
        [*_command(command), *arguments],
        cwd=folder,
        env=environment,
        stdin=None if shown else subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        text=True,
        errors="replace",
    )


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", "glocalk.executors.child", str(os.getpid()), name]


def _wait(process: _Started) -> tuple[str, str]:
    """What the process prints until it ends; looks up now and then, so that signals are handled."""
    while True:
        try:
            out, err = process.communicate(timeout=_EVERY)
        except subprocess.TimeoutExpired:
            continue
        return out or "", err or ""


def _reason(text: str) -> str:
    """Why a run failed: its sentence, or what its last traceback raises, without further lines.

    The message of an error may have several lines: those of CUDA end in advice on debugging.
    """
    _, found, traceback = text.rpartition("Traceback (most recent call last):\n")
    raised = [line for line in traceback.splitlines() if line.strip() and line[0] != " "]
    return raised[0].strip() if found and raised else _last_line(text)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


@contextmanager
def _signals_passed_on() -> Iterator[None]:
    """Pass signals to stop on to the run, where this thread may handle them.

    That is so in the worker processes of a cluster. In the command that has the plan a thread
    waits for the run, and the plan passes the signal on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda received, _: stop_runs(received)) for number in _STOPS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
