"""How many threads to compute on: beside other programs, and in forked processes.

The threads of a parallel loop wait for the slowest one, and spin meanwhile. If another program
keeps a core busy, a training on all cores takes several times as long as on the free ones.

GNU OpenMP cannot start threads in a forked child of a process that has used them: torch would wait
forever, and numba would end the child. A forked child therefore computes on one thread. Processes
that are started in another way (spawn, forkserver, subprocess) use threads as usual.
"""

from __future__ import annotations

import os

import psutil
import torch

ALL_THREADS = torch.get_num_threads()
"""What torch begins with: one per core, unless OMP_NUM_THREADS or the like says otherwise."""

_forked = False


def free_threads(seconds: float = 0.3) -> int:
    """Number of free cores, between 1 and `ALL_THREADS`.

    Args:
        seconds: how long to watch what other programs do. Call it while this one does nothing.
    """
    if ALL_THREADS == 1 or _forked:
        return 1
    cores = psutil.cpu_count() or ALL_THREADS
    busy = round(cores * psutil.cpu_percent(seconds) / 100)
    return max(1, min(ALL_THREADS, cores - busy))


def is_forked() -> bool:
    """Whether this process was forked after glocalk was imported, and so must use one thread."""
    return _forked


def _use_one_thread() -> None:
    global _forked
    _forked = True
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_use_one_thread)
