"""How loops over arrays are compiled, and what such loops share.

Arrays are NumPy's; torch tensors on the CPU share their memory with them. Loops use torch's number
of threads, and give the same bits for the same input and number of threads.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numba
import torch
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

# Ranges of rows that a loop is divided into; fixed, so that sums do not depend on threads.
PARTS = 32
CACHE = 3 << 18  # bytes of a 1 MiB second-level cache that a dense part may fill

# The compiler may make two versions of a loop that stores, and choose by where the arrays lie in
# memory: it must not reorder sums there, or the last bits would be left to chance. Sums stand in
# functions of their own, which store nothing and may be reordered.
_KEEP_ORDER = {"contract", "nnan", "ninf", "nsz"}
compile_ = numba.njit(fastmath=_KEEP_ORDER, cache=True, nogil=True, error_model="numpy")
parallel = numba.njit(
    parallel=True, fastmath=_KEEP_ORDER, cache=True, nogil=True, error_model="numpy"
)
summing = numba.njit(fastmath=True, cache=True, nogil=True, error_model="numpy")


def use_threads() -> int:
    """As many threads as torch uses, from now on numba's number too."""
    most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    wanted = torch.get_num_threads()
    threads = min(wanted, most)
    numba.set_num_threads(threads)
    # Where numba starts its threads it sets OpenMP's number to `most`, which is torch's too.
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    return threads


@summing
def dot(left: Array, right: Array) -> Any:
    """Σ left right, of two rows."""
    total = left.dtype.type(0)
    for j in range(len(left)):
        total += left[j] * right[j]
    return total
