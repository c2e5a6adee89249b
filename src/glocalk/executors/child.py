"""The process of one run: `python -m glocalk.executors.child PARENT train model=…`.

It is `glocalk` with the arguments that follow, and asks itself to stop when the process that
started it is gone: a worker that is killed leaves no training behind, and the run continues from
its checkpoint when it is repeated.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable

_EVERY = 0.5  # seconds


def _follow(lives: Callable[[], bool]) -> None:
    while lives():
        time.sleep(_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the command line of `glocalk`."""
    parent = int(sys.argv.pop(1))
    run_while(lambda: os.getppid() == parent)


def run_while(lives: Callable[[], bool]) -> None:
    """Run the command line of `glocalk`.

    Args:
        lives: whether what started this process is still there.
    """
    # Ray's workers hold SIGINT back, and a child inherits that.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    # SLURM sends it to all processes of a job before the time limit; the worker obeys it.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(lives,), daemon=True).start()
    runpy.run_module("glocalk", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
