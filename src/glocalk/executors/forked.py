"""Runs forked from a process that has imported the libraries.

Importing them takes longer than a short run does: six seconds against less than one for a baseline
on ML-100K. The process that is forked, Python's fork server, starts no thread and computes nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any

from glocalk.executors import child

AVAILABLE = sys.platform == "linux"
"""Elsewhere a process that has loaded the system's libraries may not be forked, or none may."""

_IMPORTED = [
    "glocalk.cli.train",
    "glocalk.run.execute",
    "glocalk.sparse.loops",
    "h5py",
    "pooch",
]
_SERVER_GONE = 255  # multiprocessing's exit code of a process whose fork server was ended
_THREADS = "OMP_NUM_THREADS"

_starting = threading.Lock()
_loaded_with: list[str | None] = []  # the number of threads of the fork server, once it runs


def can_fork(environment: Mapping[str, str]) -> bool:
    """Whether a run with this environment may be forked; starts the fork server.

    Args:
        environment: that of the run. Its number of threads must be that of the first run, which
            the libraries of the fork server were loaded with.
    """
    if not AVAILABLE:
        return False
    threads = environment.get(_THREADS)
    with _starting:
        if not _loaded_with:
            _start_server(threads)
            _loaded_with.append(threads)
    return _loaded_with == [threads]


def _start_server(threads: str | None) -> None:
    """Start it with this process's environment, but for the number of threads."""
    _context().set_forkserver_preload(_IMPORTED)
    before = os.environ.get(_THREADS)
    try:
        _set_threads(threads)
        forkserver.ensure_running()
    finally:
        _set_threads(before)


def _set_threads(threads: str | None) -> None:
    if threads is None:
        os.environ.pop(_THREADS, None)
    else:
        os.environ[_THREADS] = threads


def _context() -> ForkServerContext:
    return multiprocessing.get_context("forkserver")


class ForkedRun:
    """A run that was started; what `make_run` uses of `subprocess.Popen`.

    Args:
        arguments: the command of glocalk and what follows it.
        folder: its working directory.
        environment: its environment.
        shown: whether it prints to this process's output.

    Attributes:
        returncode: its exit code once it has ended; negative if a signal killed it.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        shown: bool,
    ) -> None:
        self.returncode: int | None = None
        # Files, not pipes: nobody needs to read while the run prints.
        self._said: list[IO[bytes]] = [] if shown else [_unnamed_file(), _unnamed_file()]
        printed_to = [file.fileno() for file in self._said] or [1, 2]
        self._process = _context().Process(
            target=_run,
            args=(list(arguments), str(folder), dict(environment), *map(_Passed, printed_to)),
        )
        self._process.start()

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None and self._process.exitcode is not None:
            code = self._process.exitcode
            self.returncode = -signal.SIGKILL if code == _SERVER_GONE else code
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """What it has printed, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended within so many seconds.
        """
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired("glocalk", timeout)
        self._process.join()
        out, err = map(_text, self._said) if self._said else ("", "")
        return out, err


class _Passed:
    """A file descriptor that is sent to another process with the arguments of a call."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, tuple[Any]]:
        return _received, (DupFd(self.number),)


def _received(sent: Any) -> int:
    number: int = sent.detach()
    return number


def _unnamed_file() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode(errors="replace")


def _run(
    arguments: list[str], folder: str, environment: dict[str, str], out: int, err: int
) -> None:
    for number, stream in ((out, 1), (err, 2)):
        os.dup2(number, stream)
        os.close(number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["glocalk", *arguments]
    server, command = os.getppid(), multiprocessing.parent_process()
    assert command is not None
    # The fork server does not end with the command while a run is under way.
    child.run_while(lambda: command.is_alive() and os.getppid() == server)
