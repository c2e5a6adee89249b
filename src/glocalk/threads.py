"""Threads in forked processes.

GNU OpenMP cannot start threads in a forked child of a process that has used them: torch would wait
forever, and numba would end the child. A forked child therefore computes on one thread. Processes
that are started in another way (spawn, forkserver, subprocess) use threads as usual.
"""

from __future__ import annotations

import os

import torch

_forked = False


def is_forked() -> bool:
    """Whether this process was forked after glocalk was imported, and so must use one thread."""
    return _forked


def _use_one_thread() -> None:
    global _forked
    _forked = True
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_use_one_thread)
