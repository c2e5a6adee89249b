"""Which ids are the same; each expected value is written by hand from the rule."""

import datetime as dt
import doctest
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

import glocalk.data.labels
from glocalk.data.labels import as_labels
from glocalk.errors import GlocalkError

EXACT = 2**53


def refusal(values):
    with pytest.raises(GlocalkError) as error:
        as_labels(values, "user")
    sentence = str(error.value)
    assert len(sentence.splitlines()) == 1
    return sentence


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([7, 7.0], [7, 7]),
        ([7, "7"], ["7", "7"]),
        ([7.0, "7.0"], ["7", "7"]),
        (["7", "7.0"], ["7", "7"]),
        (["007", "+7", "7e0", "7.00", "7,0", "7."], ["007", "+7", "7e0", "7.00", "7,0", "7."]),
        (["-7", -7, "-7.0", "-0", "-0.0"], ["-7", "-7", "-7", "-0", "-0.0"]),
        ([-0.0, 3], [0, 3]),
        ([7, "7.5"], ["7", "7.5"]),
        (["7.50", "7.5"], ["7.50", "7.5"]),
        ([EXACT + 1, 2.0], [EXACT + 1, 2]),
        ([EXACT + 1, f"{EXACT}"], [f"{EXACT + 1}", f"{EXACT}"]),
        ([f"{EXACT - 1}.0", f"{EXACT}.0"], [f"{EXACT - 1}", f"{EXACT}.0"]),
        ([10**30, f"{10**30}"], [f"{10**30}", f"{10**30}"]),
        ([10**30, 7], [f"{10**30}", "7"]),
        (np.array([2**64 - 1, 7], dtype=np.uint64), [f"{2**64 - 1}", "7"]),
        ([Decimal("7"), Decimal("8.00"), 9], [7, 8, 9]),
        ([" ann", "ann ", "\tann\u00a0"], ["ann", "ann", "ann"]),
        (["new  york", "new york"], ["new  york", "new york"]),
        (["Ann", "ann"], ["Ann", "ann"]),
        (["\u00e9", "e\u0301"], ["\u00e9", "e\u0301"]),
        (["\uff17", "7"], ["\uff17", "7"]),  # a full-width digit
        (["nan", "None", "NA", "True"], ["nan", "None", "NA", "True"]),
        (np.array(["7.0 ", "b"]), ["7", "b"]),
        (pd.Series(["7.0", 8], dtype="category"), ["7", "8"]),
        (pd.Series(["a", "b"], dtype="string"), ["a", "b"]),
        ([np.float32(7), np.int8(8)], [7, 8]),
        ([torch.tensor(7), torch.tensor(8)], [7, 8]),
        (np.array([7, 2**24 - 1], dtype=np.float32), [7, 2**24 - 1]),
        (np.ma.array([7, 8], mask=[False, False]), [7, 8]),
        ([], []),
    ],
)
def test_the_same_id_has_the_same_label(values, labels):
    made = as_labels(values, "user")
    assert made.tolist() == labels
    assert made.dtype == (object if isinstance((labels or [0])[0], str) else np.int64)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([True, 2], "True"),
        ([True, "a"], "True"),
        (np.array([True, False]), "True"),
        ([7, 7.5], "7.5"),
        ([EXACT + 1, 1.5], "1.5"),
        (["a", 1.5], "1.5"),
        (np.array([1, np.inf]), "inf"),
        ([b"a", "b"], "b'a'"),
        (np.array([b"a", b"b"]), "b'a'"),
        ([1 + 0j], "(1+0j)"),
        ([Decimal("1.5")], "1.5"),
        ([Decimal("Infinity")], "Infinity"),
        ([dt.date(2020, 1, 1), "a"], "2020-01-01"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "2020-01-01"),
        (pd.Series(["2020-01-01"], dtype="datetime64[s]"), "2020-01-01T00:00:00"),
        ([uuid.UUID(int=1), "a"], "00000000-0000-0000-0000-000000000001"),
        ([(1, 2), "a"], "(1, 2)"),
        ([{"a": 1}], "{'a': 1}"),
        (np.array([(1, 2)], dtype="i4,i4"), "(1, 2)"),
    ],
)
def test_anything_but_whole_numbers_and_text_is_refused(values, shown):
    if isinstance(values, list) and any(isinstance(value, tuple) for value in values):
        values = pd.Series(values, dtype=object)
    assert refusal(values) == (
        f"The user id {shown} is neither a whole number nor text: convert the ids to one of them."
    )


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([float(EXACT), 1.0], "9007199254740992.0"),
        ([float(EXACT), "a"], "9007199254740992.0"),
        (np.array([2**24], dtype=np.float32), "16777216.0"),
        (torch.tensor([2.0**24]), "16777216.0"),
        (np.array([2**11], dtype=np.float16), "2048.0"),
    ],
)
def test_a_float_that_may_stand_for_its_neighbor_is_refused(values, shown):
    assert refusal(values) == (
        f"The user id {shown} is a float too large to be exact: read the ids as whole numbers or "
        "as text."
    )


@pytest.mark.parametrize(
    "values",
    [
        [1, None],
        [1, float("nan")],
        ["a", None],
        ["a", ""],
        [1, " "],
        np.array(["a", ""]),
        [1, pd.NaT],
        [1, Decimal("NaN")],
        np.ma.array([1, 2], mask=[False, True]),
        np.ma.array(["a", "b"], mask=[False, True]),
        pd.Series([1, None], dtype="Int64"),
        pd.Series(["a", None], dtype="category"),
    ],
)
def test_a_missing_id_is_refused(values):
    assert refusal(values) == (
        "The user id at position 1 is missing: remove its row, or give it an id."
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (7, "The user ids must be a list, an array or a Series, not int."),
        ("abc", "The user ids must be a list, an array or a Series, not str."),
        ({1, 2}, "The user ids must be a list, an array or a Series, not set."),
        ({1: 2}, "The user ids must be a list, an array or a Series, not dict."),
        ((x for x in "ab"), "The user ids must be a list, an array or a Series, not generator."),
        (None, "The user ids must be a list, an array or a Series, not NoneType."),
        ([[1, 2], [3, 4]], "The user ids must be one-dimensional, not of shape (2, 2)."),
        (
            pd.DataFrame({"user": [1, 2]}),
            "The user ids must be one-dimensional, not of shape (2, 1): pass one column, as in "
            "df['user'].",
        ),
    ],
)
def test_ids_are_a_list(values, sentence):
    assert refusal(values) == sentence


def test_the_examples_of_the_documentation():
    failed, tried = doctest.testmod(glocalk.data.labels)
    assert tried
    assert not failed
