"""What signals do while a command runs.

The first SIGINT, SIGTERM or SIGHUP asks it to stop, see `glocalk.stopping`. If it has not ended
some seconds later, or if another signal arrives, the process ends at once, wherever it is: files
are complete or absent, as after a kill. A thread does that, because Python runs the handlers of
signals between two of its instructions, and a compiled loop may take minutes.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from glocalk import stopping
from glocalk.stopping import StoppedError

GRACE = 6.0
"""Seconds that a command has to reach a safe point; `stopping.longer` adds to them."""

_ONE_REQUEST = 1.0  # seconds; `timeout` and terminals send the same request twice
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def until_stopped(work: Callable[[], int]) -> int:
    """Do `work`; returns its exit code, or 128 plus the number of the signal that stopped it."""
    try:
        with _handled():
            return work()
    except StoppedError as stopped:
        print(f"Stopped{stopped.continues and ': ' + stopped.continues}.", file=sys.stderr)
        return 128 + stopped.number
    except KeyboardInterrupt:  # before the handlers of signals are in place
        print("Stopped.", file=sys.stderr)
        return 128 + signal.SIGINT


@contextmanager
def _handled() -> Iterator[None]:
    """Handle signals to stop while the body runs; only the main thread of a process can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopping.forget()
    wakes, woken = os.pipe()
    os.set_blocking(woken, False)
    before = {number: signal.getsignal(number) for number in _handled_signals()}
    outer = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    _fork.watched = True
    watch = threading.Thread(target=_watch, args=(wakes,), daemon=True)
    watch.start()
    for number in before:
        signal.signal(number, _request)
    try:
        yield
    finally:
        for number, handler in before.items():
            # The command has ended: from here on Ctrl-C needs no traceback.
            ended = signal.SIG_DFL if handler is signal.default_int_handler else handler
            signal.signal(number, ended)
        signal.set_wakeup_fd(outer)
        _fork.watched = False
        os.close(woken)  # ends the thread
        watch.join()
        os.close(wakes)
        stopping.forget()


def _handled_signals() -> list[signal.Signals]:
    # `nohup` ignores SIGHUP so that the command survives the end of its terminal.
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [number for number in _SIGNALS if not (ignored and number == signal.SIGHUP)]


def _request(number: int, _: FrameType | None) -> None:
    stopping.request(number)


def _watch(wakes: int) -> None:
    """End the process if it takes too long to stop, or if it is asked twice."""
    number = _next_signal(wakes, None)
    if number is None:
        return
    first = time.monotonic()
    ends = first + GRACE + stopping.extra_seconds()
    while (left := ends - time.monotonic()) > 0:
        another = _next_signal(wakes, left)
        if another is None:
            return
        if another and time.monotonic() - first >= _ONE_REQUEST:
            number = another
            break
    print("Stopped at once.", file=sys.stderr, flush=True)
    os._exit(128 + number)


def _next_signal(wakes: int, seconds: float | None) -> int | None:
    """The number of the next signal to stop; 0 after `seconds`, None once the pipe is closed."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([wakes], [], [], left)[0]:
            return 0
        read = os.read(wakes, 1)
        if not read:
            return None
        if read[0] in _SIGNALS:  # other handlers wake the pipe too
            return read[0]


class _Fork:
    """Lets a child die of signals, and not report them to its parent's pipe."""

    watched = False  # whether this process has a pipe that reports its signals

    def before(self) -> None:
        """Hold signals back while parent and child share handlers and pipe."""
        if self.watched:
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def in_parent(self) -> None:
        if self.watched:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def in_child(self) -> None:
        if self.watched:
            self.watched = False
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                if signal.getsignal(number) is _request:
                    signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


_fork = _Fork()
os.register_at_fork(
    before=_fork.before, after_in_parent=_fork.in_parent, after_in_child=_fork.in_child
)
