"""Parquet files of ratings."""

import sys

import numpy as np
import pandas as pd
import pytest

from data.tables import EXPECTED, ROWS, by_ids, everything, refusal, split


def write_parquet(path, **columns):
    pytest.importorskip("pyarrow")
    pd.DataFrame(columns).to_parquet(path)
    return path


def test_parquet(tmp_path):
    users, items, ratings = zip(*ROWS, strict=True)
    path = write_parquet(tmp_path / "r", item=items, stars=ratings, user=users)
    assert everything(split(path)) == EXPECTED
    path = write_parquet(tmp_path / "r", user=[1.0, 20.0, 3.0], item=[7, 7, 8], rating=[1, 2, 0.5])
    made = split(path)
    assert made.ids.users.tolist() == [1, 3, 20]
    assert everything(made) == {(1, 7): 1, (20, 7): 2, (3, 8): 0.5}


def test_parquet_by_time(tmp_path):
    start = pd.Timestamp("2021-11-01").value
    stamps = pd.to_datetime(np.array([2, 1, 3]) + start)  # nanoseconds apart
    path = write_parquet(tmp_path / "r", user=[1, 2, 3], item=[7] * 3, rating=[1] * 3, time=stamps)
    made = split(path, split="time")
    assert by_ids(made.test, made.ids) == {(3, 7): 1}


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"rating": [3, None]}, "Row 2 of 'r' has no rating ('')"),
        ({"user": ["a", None]}, "Row 2 of 'r' has no user"),
        ({"user": []}, "'r' holds no ratings"),
        (
            {"user": [[1], [2]]},
            "The user column of 'r' holds lists: it must hold one value per row.",
        ),
    ],
)
def test_what_is_wrong_in_parquet(columns, sentence, tmp_path):
    full = {"user": [1, 2], "item": [1, 2], "rating": [3, 4], **columns}
    full = {name: values[: len(full["user"])] for name, values in full.items()}
    assert sentence in refusal(write_parquet(tmp_path / "r", **full))


def test_damaged_parquet(tmp_path):
    path = write_parquet(tmp_path / "r", user=[1], item=[1], rating=[1])
    assert "'r' is parquet but damaged" in refusal(path, path.read_bytes()[:-3])


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert refusal(tmp_path / "r.parquet", b"PAR1") == (
        "Reading 'r.parquet' needs pyarrow: pip install 'glocalk[parquet]'."
    )
