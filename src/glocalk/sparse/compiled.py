"""How loops over arrays are compiled, and what the loops share.

Loops take NumPy arrays, which share memory with torch tensors on the CPU. They use as many threads
as torch does, and give the same bits for the same input and number of threads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeAlias

import numba
import torch
from numpy.typing import NDArray

from glocalk.threads import is_forked

Array: TypeAlias = NDArray[Any]

# Number of row ranges that a loop is divided into. It is fixed, so that sums do not depend on the
# number of threads.
PARTS = 32
CACHE = 3 << 18  # bytes that a dense block may fill of a second-level cache of 1 MiB

# The compiler may make two versions of a loop that stores, and choose between them by the addresses
# of the arrays. It must not reorder sums in such a loop, or the last bits would depend on the
# addresses. Sums that may be reordered are therefore in separate functions, which store nothing.
_KEEP_ORDER = {"contract", "nnan", "ninf", "nsz"}
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
compile_ = numba.njit(fastmath=_KEEP_ORDER, **_OPTIONS)
summing = numba.njit(fastmath=True, **_OPTIONS)
# Every operation as it is written, neither reordered nor fused.
exact = numba.njit(cache=True, nogil=True, error_model="numpy")


def parallel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a function whose `prange` loops run on threads, or on one in a forked process."""
    on_threads = numba.njit(parallel=True, fastmath=_KEEP_ORDER, **_OPTIONS)(function)
    # numba's cache of compiled code distinguishes functions by name, not by options.
    name = f"{function.__name__}_serial"
    serial = FunctionType(function.__code__, function.__globals__, name)
    serial.__qualname__ = name
    on_one_thread = numba.njit(fastmath=_KEEP_ORDER, **_OPTIONS)(serial)

    @functools.wraps(function)
    def run(*arrays: Any) -> None:
        (on_one_thread if is_forked() else on_threads)(*arrays)

    return run


def use_threads() -> int:
    """Set numba's number of threads to torch's, up to numba's maximum; return it."""
    most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    wanted = torch.get_num_threads()
    threads = min(wanted, most)
    if is_forked():
        return threads
    numba.set_num_threads(threads)
    # When numba starts its threads, it sets OpenMP's number to `most`, and thereby torch's.
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    return threads


@summing
def dot(left: Array, right: Array) -> Any:
    """Dot product of two rows."""
    total = left.dtype.type(0)
    for j in range(len(left)):
        total += left[j] * right[j]
    return total
