"""Predictions made elsewhere, checked against the test pairs and put in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glocalk.data.formats.cells import is_decimal_comma, is_missing
from glocalk.data.ids import nearest, refuse_other_writing
from glocalk.data.labels import Kind, Labels
from glocalk.data.rating_matrix import LARGEST_RATING, Indices, Values
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError, shown
from glocalk.scoring.predictions import Predictions


def in_test_order(table: Predictions, split: Split, data: str) -> Values:
    """[test ratings] The predictions in the order of `split.test`.

    Args:
        table: one prediction for each test rating, in any order.
        split: the split.
        data: what sentences call it: the name of the data set.

    Raises:
        GlocalkError: a prediction is missing, given twice, not a finite number, beyond ±10¹² or of
            a pair that is not a test pair; the sentence says how many are, and which is the first.
    """
    _refuse_numbers(table)
    assert split.ids is not None  # a split without ids takes the indices
    test = split.test
    users, items = split.ids.find_users(table.users), split.ids.find_items(table.items)
    cells, known = test.users * test.num_items + test.items, (users >= 0) & (items >= 0)
    at = _positions(cells, np.where(known, users * test.num_items + items, -1))
    if (at < 0).any():
        _refuse_pairs(table, split, data, {"user": users, "item": items}, at < 0)
    counts = np.bincount(at, minlength=len(test))
    if (counts > 1).any():
        _refuse_repeated(table, at)
    if (counts == 0).any():
        first = int(np.argmin(counts))
        user, item = split.ids.users[test.users[first]], split.ids.items[test.items[first]]
        raise GlocalkError(
            f"{_of(np.count_nonzero(counts == 0), len(test), 'test pair')} of {data} "
            f"{_has(np.count_nonzero(counts == 0))} no prediction in {table.title}, the first user "
            f"'{shown(user)}', item '{shown(item)}': predict every test pair, as glocalk split "
            "writes them."
        )
    ordered: Values = np.empty(len(test))
    ordered[at] = table.predicted
    return ordered


def suspicions(predicted: Values, split: Split) -> tuple[str, ...]:
    """Warnings about predictions that are likely to be on another scale, or no predictions.

    Args:
        predicted: [test ratings] predictions before they are clipped.
        split: the split.
    """
    lowest, highest = split.test.scale
    scale = f"the scale {lowest:g} … {highest:g}"
    span = f"the predictions are {predicted.min():g} … {predicted.max():g}"
    outside = np.mean((predicted < lowest) | (predicted > highest))
    mean, spread = split.train.ratings.mean(), split.train.ratings.std()
    if np.array_equal(predicted, split.test.ratings):
        return ("Warning: the predictions equal the test ratings.",)
    if outside > 0.5:
        return (
            f"Warning: {span}, and {outside:.0%} of them are not on {scale}: "
            "check that they are ratings on this scale.",
        )
    if len(predicted) > 1 and (predicted.max() < mean - spread or predicted.min() > mean + spread):
        return (
            f"Warning: {span}, all far from {mean:.2f}, the mean of the training ratings on "
            f"{scale}: check that they are ratings on this scale.",
        )
    return ()


def _refuse_numbers(table: Predictions) -> None:
    wrong = np.isnan(table.predicted)
    if wrong.any():
        row = int(np.argmax(wrong))
        place, text = table.look(row)
        held = "empty" if not text else f"'{shown(text)}'"
        comma = is_decimal_comma(text)
        advice = "read decimal commas with 'decimal=\",\"'" if comma else "predict a finite number"
        kind = "missing or no" if is_missing(text) else "not a"
        raise GlocalkError(
            f"{_of(np.count_nonzero(wrong), len(wrong), 'prediction')} in {table.title} "
            f"{_is(np.count_nonzero(wrong))} {kind} finite number, the first ({held}) "
            f"{place} for {_pair(table, row)}: {advice}."
        )
    wrong = np.abs(table.predicted) > LARGEST_RATING
    if wrong.any():
        row = int(np.argmax(wrong))
        raise GlocalkError(
            f"{_of(np.count_nonzero(wrong), len(wrong), 'prediction')} in {table.title} "
            f"{_is(np.count_nonzero(wrong))} beyond ±{LARGEST_RATING:.0e}, the first "
            f"({table.predicted[row]:g}) {table.look(row)[0]} for {_pair(table, row)}: "
            "check how it was made."
        )


def _positions(ascending: Indices, cells: Indices) -> Indices:
    """[n] The position of each cell among those that ascend, −1 where it is not one of them."""
    at = np.minimum(np.searchsorted(ascending, cells), len(ascending) - 1)
    return np.where(ascending[at] == cells, at, -1)


def _refuse_pairs(
    table: Predictions,
    split: Split,
    data: str,
    found: Mapping[Kind, Indices],
    wrong: NDArray[np.bool_],
) -> NoReturn:
    """Say why rows are of no test pair.

    Args:
        table: the predictions.
        split: the split.
        data: what sentences call it.
        found: [rows] index of the user and of the item of each row, −1 for unknown ones.
        wrong: [rows] whether the row is of no test pair.
    """
    assert split.ids is not None
    _refuse_exchanged(table, split)
    ids: dict[Kind, tuple[Labels, Labels]] = {
        "user": (table.users, split.ids.users),
        "item": (table.items, split.ids.items),
    }
    for kind, (asked, known) in ids.items():
        refuse_other_writing(known, np.asarray(pd.unique(asked)), kind, data, f" in {table.title}")
        unknown = found[kind] < 0
        if unknown.any():
            row, count = int(np.argmax(unknown)), np.count_nonzero(unknown)
            meant = nearest(known, asked[row])
            hint = "" if meant is None else f" (did you mean '{shown(meant)}'?)"
            raise GlocalkError(
                f"{_of(count, len(unknown), 'row')} of {table.title} {_has(count)} {_a(kind)} that "
                f"{data} does not have, the first '{shown(asked[row])}' {table.look(row)[0]}{hint}:"
                " write the ids as the data set does, and predict its test pairs only."
            )
    row, count = int(np.argmax(wrong)), np.count_nonzero(wrong)
    width = split.test.num_items
    cell = found["user"][row] * width + found["item"][row]
    train = split.train.users * width + split.train.items
    trained = cell in train
    raise GlocalkError(
        f"{_of(count, len(wrong), 'row')} of {table.title} {_is(count)} not of a test pair of "
        f"{data}, the first {table.look(row)[0]} for {_pair(table, row)}, "
        f"{'which is a training pair' if trained else 'which has no rating'}: predict its test "
        "pairs only, and check data= and its options."
    )


def _refuse_exchanged(table: Predictions, split: Split) -> None:
    assert split.ids is not None
    try:
        users, items = split.ids.find_users(table.items), split.ids.find_items(table.users)
    except GlocalkError:
        return
    test = split.test
    cells = np.where((users >= 0) & (items >= 0), users * test.num_items + items, -1)
    if (_positions(test.users * test.num_items + test.items, cells) >= 0).all():
        raise GlocalkError(
            f"The user and the item column of {table.title} are exchanged: its pairs are test "
            "pairs the other way round, so name the columns with user=… and item=…."
        )


def _refuse_repeated(table: Predictions, at: Sequence[int] | Indices) -> NoReturn:
    repeated = pd.Index(at).duplicated()
    row, count = int(np.argmax(repeated)), np.count_nonzero(repeated)
    before = int(np.argmax(np.asarray(at) == at[row]))
    raise GlocalkError(
        f"{_of(count, len(repeated), 'row')} of {table.title} {_has(count)} the pair of an earlier "
        f"row, the first {table.look(row)[0]} that {table.look(before)[0]}, {_pair(table, row)}: "
        "keep one prediction for each pair."
    )


def _pair(table: Predictions, row: int) -> str:
    return f"user '{shown(table.users[row])}', item '{shown(table.items[row])}'"


def _of(count: int | np.intp, total: int, what: str) -> str:
    return f"{count:,} of {total:,} {what}{'' if total == 1 else 's'}"


def _is(count: int | np.intp) -> str:
    return "is" if count == 1 else "are"


def _has(count: int | np.intp) -> str:
    return "has" if count == 1 else "have"


def _a(kind: Kind) -> str:
    return f"{'an' if kind == 'item' else 'a'} {kind}"
