"""A sum of matrix rows in vector registers, for numba's loops.

numba vectorises loops over one row by itself, but must assume there that writing to the sum
changes the rows, and so loads and stores it for each of them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 32  # numbers a row: 32 float32 are two registers of AVX-512, four of AVX2


def _add_rows(_context, values, columns, k, stop, first, limit, panel, total):
    """Add to `total` Σ values[k] · panel[columns[k] − first], from k while columns[k] < limit.

    Args:
        values: [room].
        columns: [room] ascending up to `stop`.
        k: position to begin at.
        stop: position to end before.
        first: the column that `panel`'s first row stands for.
        limit: the column to end before.
        panel: [·, LANES] aligned to 64 bytes.
        total: [LANES].

    Returns:
        The position after the last one added.
    """

    def generate(context, builder, signature, arguments):
        def data(position):
            make = cgutils.create_struct_proxy(signature.args[position])
            return make(context, builder, value=arguments[position]).data

        values, columns, panel, total = data(0), data(1), data(6), data(7)
        first_k, stop, first, limit = arguments[2:6]
        number = context.get_value_type(signature.args[0].dtype)
        vector, int32, int64 = ir.VectorType(number, LANES), ir.IntType(32), ir.IntType(64)
        undefined = ir.Constant(vector, ir.Undefined)
        to_all = ir.Constant(ir.VectorType(int32, LANES), [0] * LANES)

        def lanes_at(pointer, row):
            offset = builder.mul(row, ir.Constant(int64, LANES))
            return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())

        before = builder.block
        blocks = (builder.append_basic_block(name) for name in ("head", "look", "add", "end"))
        head, look, add, end = blocks
        total = lanes_at(total, ir.Constant(int64, 0))
        initial = builder.load(total, align=4)
        builder.branch(head)

        builder.position_at_end(head)
        k, partial = builder.phi(int64), builder.phi(vector)
        builder.cbranch(builder.icmp_signed("<", k, stop), look, end)

        builder.position_at_end(look)
        column = builder.sext(builder.load(builder.gep(columns, [k])), int64)
        builder.cbranch(builder.icmp_signed("<", column, limit), add, end)

        builder.position_at_end(add)
        value = builder.load(builder.gep(values, [k]))
        value = builder.insert_element(undefined, value, ir.Constant(int32, 0))
        value = builder.shuffle_vector(value, undefined, to_all)
        row = builder.load(lanes_at(panel, builder.sub(column, first)), align=64)
        summed = builder.fadd(partial, builder.fmul(value, row, ("contract",)), ("contract",))
        next_k = builder.add(k, ir.Constant(int64, 1))
        builder.branch(head)

        for phi, at_first, later in ((k, first_k, next_k), (partial, initial, summed)):
            phi.add_incoming(at_first, before)
            phi.add_incoming(later, add)
        builder.position_at_end(end)
        builder.store(partial, total, align=4)
        return k

    return types.int64(values, columns, k, stop, first, limit, panel, total), generate


add_rows: Any = intrinsic(_add_rows)
