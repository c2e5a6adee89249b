"""A sum of matrix rows in vector registers, for numba's loops.

numba vectorizes loops over one row by itself, but must assume there that writing to the sum
changes the rows, and so loads and stores it for each of them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

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
