"""Conversion to row-major memory, on all threads; torch transposes on one."""

from __future__ import annotations

import torch
from numba import prange
from torch import Tensor

from glocalk.sparse.compiled import Array, parallel, use_threads

_TILE = 32  # rows and columns copied at a time; a tile fits into the first-level cache


def row_major(tensor: Tensor) -> Tensor:
    """Like `tensor.contiguous()`, but without gradient, and faster for a transposed matrix."""
    tensor = tensor.detach()
    transposed = tensor.dim() == 2 and tensor.T.is_contiguous() and not tensor.is_contiguous()
    if not transposed or tensor.device.type != "cpu":
        return tensor.contiguous()
    if tensor.dtype not in (torch.float32, torch.float64):
        return tensor.contiguous()
    result = torch.empty(tensor.shape, dtype=tensor.dtype)
    use_threads()
    _transpose(tensor.T.numpy(), result.numpy())
    return result


def as_array(tensor: Tensor) -> Array:
    """A tensor on the CPU as a row-major array, for compiled loops."""
    return row_major(tensor).numpy()


@parallel
def _transpose(source: Array, target: Array) -> None:
    rows, columns = target.shape
    for block in prange((rows + _TILE - 1) // _TILE):
        first, last = block * _TILE, min((block + 1) * _TILE, rows)
        for start in range(0, columns, _TILE):
            stop = min(start + _TILE, columns)
            for i in range(first, last):
                for j in range(start, stop):
                    target[i, j] = source[j, i]
