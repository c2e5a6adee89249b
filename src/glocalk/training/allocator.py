"""What the C library does with memory that is freed; nothing where it is not glibc."""

from __future__ import annotations

import ctypes
import platform

_MEGABYTE = 2**20
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def return_free_memory() -> None:
    """Give back what earlier work freed: glibc keeps it, in pieces too small for a stage's vectors.

    On MovieLens 1M that is up to 600 MB, the L-BFGS memory of the stage before.
    """
    if _is_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def keep_what_is_freed() -> None:
    """From here on, keep freed blocks for the next evaluation rather than give them back at once.

    An evaluation makes and frees a dozen matrices of some megabytes. Given back, each costs a
    page fault for every 4 KB when it is made again: a tenth of a fine-tuning evaluation on
    Douban. Blocks above 128 MB go on being given back, so that they never leave holes.
    """
    if _is_glibc():
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 128 * _MEGABYTE)
        library.mallopt(_TRIM_THRESHOLD, 256 * _MEGABYTE)


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
