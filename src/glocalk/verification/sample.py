"""Which records are verified: all of them, or a sample within a given time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from glocalk.records.run import Record

START_SECONDS = 6.0
"""Time that a process takes to start and to read the data, which no record tells."""

_LARGEST_SHARE = 0.2  # of the time, for one record


def expected_seconds(record: Record, first: Record | None) -> float:
    """The time to make a record again, on a machine like the one that made it.

    Args:
        record: the record.
        first: that of the seed whose epoch it takes, which is made before; None if it takes none.
    """
    needed = [record] if first is None else [record, first]
    return sum(START_SECONDS + each.seconds["total"] for each in needed)


def draw_sample(
    records: Sequence[Record], cost: Callable[[Record], float], seconds: float, seed: int
) -> list[Record]:
    """A sample whose expected time is at most `seconds`.

    The records are shuffled, then taken in that order as long as they fit: at first one of each
    model, then any. One that takes more than a fifth of the time is left out, unless all do.
    The same records, time and seed give the same sample.

    Args:
        records: in an order that does not depend on the machine.
        cost: the expected time of a record.
        seconds: time of the whole sample.
        seed: seed of the order.
    """
    shuffled = list(records)
    random.Random(seed).shuffle(shuffled)
    small = [record for record in shuffled if cost(record) <= _LARGEST_SHARE * seconds]
    chosen: dict[int, Record] = {}
    models: set[str] = set()
    left = seconds
    for once in (True, False):
        for number, record in enumerate(small or shuffled):
            is_new = number not in chosen and not (once and record.model in models)
            if is_new and cost(record) <= left:
                chosen[number] = record
                models.add(record.model)
                left -= cost(record)
    return [chosen[number] for number in sorted(chosen)]
