"""What the C library does with freed memory. Without glibc, these functions do nothing."""

from __future__ import annotations

import ctypes
import platform

_MEGABYTE = 2**20
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def return_free_memory() -> None:
    """Return to the system what earlier work has freed.

    glibc keeps it, in pieces too small for the vectors of a stage. On MovieLens 1M that is up to
    600 MB, the L-BFGS memory of the previous stage.
    """
    if _is_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def keep_what_is_freed() -> None:
    """From here on, keep freed blocks for reuse instead of returning them at once.

    An evaluation of the loss allocates and frees a dozen matrices of some megabytes. A returned
    matrix costs a page fault for every 4 KB when it is allocated again: a tenth of a fine-tuning
    evaluation on Douban. Blocks above 128 MB are still returned, so that they never leave holes.
    """
    if _is_glibc():
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 128 * _MEGABYTE)
        library.mallopt(_TRIM_THRESHOLD, 256 * _MEGABYTE)


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
