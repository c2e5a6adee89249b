"""Products by LLVM vector code written by hand, to be measured against `sparse/csr.py`.

A sum of 32 numbers a row stays in vector registers, where numba's loops load and store it.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"
from __future__ import annotations

from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import prange
from numba.core import cgutils, types
from numba.extending import intrinsic

from glocalk.sparse.compiled import CACHE, Array, compile_, parallel, use_threads
from glocalk.sparse.csr import CSR

LANES = 32  # numbers a row: 32 float32 are two registers of AVX-512, four of AVX2


def _add_rows(_context, values, columns, begin, end, panel, first, total, at):
    """Sum of values[k] · panel[columns[k] − first] over begin ≤ k < end.

    It is added to total[at : at + LANES], or replaces what is there if `first` is 0.

    Args:
        values: [room].
        columns: [room].
        begin: first position.
        end: position after the last.
        panel: [·, LANES] aligned to 64 bytes.
        first: the column that `panel` begins with.
        total: [·] any number of numbers.
        at: position in `total`.
    """

    def generate(context, builder, signature, arguments):
        begin, end, first, at = (arguments[n] for n in (2, 3, 5, 7))
        values, columns, panel, total = (
            cgutils.create_struct_proxy(signature.args[n])(context, builder, arguments[n]).data
            for n in (0, 1, 4, 6)
        )
        number = context.get_value_type(signature.args[0].dtype)
        vector, int32, int64 = ir.VectorType(number, LANES), ir.IntType(32), ir.IntType(64)
        zeros, undefined = ir.Constant(vector, None), ir.Constant(vector, ir.Undefined)
        to_all = ir.Constant(ir.VectorType(int32, LANES), [0] * LANES)
        lanes = ir.Constant(int64, LANES)

        def lanes_at(pointer, position):
            return builder.bitcast(builder.gep(pointer, [position]), vector.as_pointer())

        total = lanes_at(total, at)
        is_first = builder.icmp_signed("==", first, ir.Constant(int64, 0))
        initial = builder.select(is_first, zeros, builder.load(total, align=4))
        panel = builder.gep(panel, [builder.neg(builder.mul(first, lanes))])
        before = builder.block
        head, add, after = (builder.append_basic_block(name) for name in ("head", "add", "after"))
        builder.branch(head)

        builder.position_at_end(head)
        k, partial = builder.phi(int64), builder.phi(vector)
        builder.cbranch(builder.icmp_signed("<", k, end), add, after)

        builder.position_at_end(add)
        column = builder.sext(builder.load(builder.gep(columns, [k])), int64)
        row = builder.load(lanes_at(panel, builder.mul(column, lanes)), align=64)
        value = builder.load(builder.gep(values, [k]))
        value = builder.insert_element(undefined, value, ir.Constant(int32, 0))
        value = builder.shuffle_vector(value, undefined, to_all)
        summed = builder.fadd(partial, builder.fmul(value, row, ("contract",)), ("contract",))
        following = builder.add(k, ir.Constant(int64, 1))
        builder.branch(head)

        for phi, at_first, later in ((k, begin, following), (partial, initial, summed)):
            phi.add_incoming(at_first, before)
            phi.add_incoming(later, add)
        builder.position_at_end(after)
        builder.store(partial, total, align=4)
        return context.get_dummy_value()

    return types.void(values, columns, begin, end, panel, first, total, at), generate


add_rows: Any = intrinsic(_add_rows)


def matmul(matrix: CSR, dense: Array) -> Array:
    """S D: [rows, columns] × [columns, width] → [rows, width]."""
    threads = use_threads()
    (rows, columns), width = matrix.shape, dense.shape[1]
    slabs = -(-width // LANES)
    height = min(columns, CACHE // (LANES * dense.itemsize))
    # torch aligns its memory to cache lines, NumPy does not.
    dtype = torch.from_numpy(dense[:0]).dtype
    panels = torch.empty((threads, max(height, 1), LANES), dtype=dtype).numpy()
    product = torch.empty((rows, width), dtype=dtype).numpy()
    _matmul(
        matrix.starts,
        matrix.stops,
        matrix.columns,
        matrix.values,
        matrix.parts(-(-threads // max(slabs, 1))),
        dense,
        panels,
        np.empty((threads, rows), np.int64),
        product,
    )
    return product


@parallel
def sum_segments(
    starts: Array, stops: Array, ends: Array, weights: Array, weighted: bool, x: Array, own: Array,
    heard: Array,
) -> None:  # fmt: skip
    relations = heard.shape[1] // LANES - 1
    flat = heard.reshape(-1)
    for n in prange(len(heard)):
        for r in range(relations):
            start, stop = starts[n * relations + r], stops[n * relations + r]
            at = n * heard.shape[1] + r * LANES
            # Ones for all edges would be as long as `ends`; every list takes the same few.
            first = start if weighted else 0
            add_rows(weights[first:], ends[start:], 0, stop - start, x, 0, flat, at)
        for j in range(LANES):
            heard[n, relations * LANES + j] = own[n, j]


@parallel
def _matmul(
    starts: Array, stops: Array, columns: Array, values: Array, parts: Array, dense: Array,
    panels: Array, cursors: Array, product: Array,
) -> None:  # fmt: skip
    """A task is a range of rows times LANES columns of `dense`, copied to a panel.

    Where `dense` has more rows than a panel, it is taken in several and `cursors` remember how
    far each row of the matrix has come.
    """
    threads, height = panels.shape[0], panels.shape[1]
    rows, width = dense.shape
    ranges = len(parts) - 1
    flat = product.reshape(-1)
    for thread in prange(threads):
        panel, cursor = panels[thread], cursors[thread]
        total = np.empty(LANES, dense.dtype)
        for task in range(thread, -(-width // LANES) * ranges, threads):
            left, part = task // ranges * LANES, task % ranges
            lanes = min(LANES, width - left)
            for row in range(parts[part], parts[part + 1]):
                cursor[row] = starts[row]
            for first in range(0, rows, height):
                limit = min(first + height, rows)
                _copy_lanes(dense, first, limit, left, lanes, panel)
                for row in range(parts[part], parts[part + 1]):
                    k, stop = cursor[row], stops[row]
                    if limit < rows:
                        stop = _below(columns, k, stop, limit)
                        cursor[row] = stop
                    if lanes == LANES:
                        at = row * width + left
                        add_rows(values, columns, k, stop, panel, first, flat, at)
                    else:
                        for j in range(lanes):
                            total[j] = product[row, left + j]
                        add_rows(values, columns, k, stop, panel, first, total, 0)
                        for j in range(lanes):
                            product[row, left + j] = total[j]


@compile_
def _copy_lanes(dense: Array, first: int, limit: int, left: int, lanes: int, panel: Array) -> None:
    """Copy dense[first:limit, left : left + lanes] to the panel."""
    for row in range(first, limit):
        source, target = dense[row, left : left + lanes], panel[row - first]
        if lanes == LANES:  # a length known to the compiler
            for j in range(LANES):
                target[j] = source[j]
        else:
            for j in range(lanes):
                target[j] = source[j]


@compile_
def _below(columns: Array, begin: int, end: int, limit: int) -> int:
    """Position of the first of the ascending columns[begin:end] that is not below `limit`."""
    while begin < end:
        middle = (begin + end) // 2
        if columns[middle] < limit:
            begin = middle + 1
        else:
            end = middle
    return begin
