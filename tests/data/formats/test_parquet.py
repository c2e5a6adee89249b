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


FRAME = pd.DataFrame({"user": [1, 1, 2], "item": [7, 8, 7], "rating": [5, 3, 4], "x": [0, 0, 0]})
READ = {(1, 7): 5, (1, 8): 3, (2, 7): 4}


@pytest.mark.parametrize("index", [["user"], ["item", "user"], ["user", "item", "rating"], ["x"]])
def test_an_index_of_pandas_is_read_as_columns(index, tmp_path):
    pytest.importorskip("pyarrow")
    FRAME.set_index(index).to_parquet(tmp_path / "r")
    assert everything(split(tmp_path / "r")) == READ


def test_an_index_without_a_name_is_not_a_column(tmp_path):
    pytest.importorskip("pyarrow")
    FRAME.sort_values("x").iloc[::-1].to_parquet(tmp_path / "r")  # stored, __index_level_0__
    assert everything(split(tmp_path / "r")) == READ
    frame = pd.DataFrame({"item": [7, 8], "rating": [1, 2]}, index=[5, 9])
    frame.to_parquet(tmp_path / "r")
    assert "'r' has no user column: choose data.user=… from its columns item, rating." in refusal(
        tmp_path / "r"
    )


def test_types_of_parquet_change_no_id(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    large = [2**53 + 1, 2**53, 2**53 + 3]
    for users, expected in (
        (pa.array(large), large),
        (pa.array(["007", "7", "é"]).dictionary_encode(), ["007", "7", "é"]),
        (pa.array([b"a", "é".encode(), b"c"]), ["a", "é", "c"]),
        (pa.array(["a", "b", "c"], pa.large_string()), ["a", "b", "c"]),
    ):
        table = pa.table({"user": users, "item": ["x"] * 3, "rating": [1, 2, 3]})
        pyarrow.parquet.write_table(table, tmp_path / "r", row_group_size=1)
        read = {user: rating for (user, _), rating in everything(split(tmp_path / "r")).items()}
        assert read == dict(zip(expected, [1, 2, 3], strict=True))
    table = pa.table({"user": [*large, None], "item": ["x"] * 4, "rating": [1, 2, 3, 4]})
    pyarrow.parquet.write_table(table, tmp_path / "r")
    assert "Row 4 of 'r' has no user" in refusal(tmp_path / "r")
    table = pa.table({"user": [b"\xff", b"a"], "item": ["x"] * 2, "rating": [1, 2]})
    pyarrow.parquet.write_table(table, tmp_path / "r")
    assert "The user column of 'r' contains bytes that are not UTF-8 text" in refusal(
        tmp_path / "r"
    )


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
