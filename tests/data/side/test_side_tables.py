import logging

import numpy as np
import pandas as pd
import pytest

from glocalk.data.ids import Ids
from glocalk.data.side.information import SideInformation
from glocalk.data.side.tables import read_attributes, read_edges
from glocalk.errors import GlocalkError, MissingDataError

IDS = Ids(np.array([1, 2, 10]), np.array(["a", "b"], dtype=object))

USERS = """id,age,zip,gender,genres
10,31,01234,F,War|Drama
2,,94043, M ,
99,7,1,F,Comedy
"""


@pytest.mark.parametrize("separator", [",", "\t", ";", "::"])
def test_a_table_of_attributes(separator, tmp_path, caplog):
    path = tmp_path / "users.csv"
    path.write_text(USERS.replace(",", separator))
    with caplog.at_level(logging.INFO):
        made = read_attributes(path, "user", IDS)
    np.testing.assert_array_equal(made.column("age"), [np.nan, np.nan, 31.0])
    assert made.column("zip").tolist() == [None, "94043", "01234"]  # a code, as 01234 shows
    assert made.column("gender").tolist() == [None, "M", "F"]
    assert made.column("genres").tolist() == [(), (), ("Drama", "War")]
    assert caplog.messages == [
        "users.csv: id ← id; age (number), zip (text), gender (text), genres (texts separated by "
        "|); 2 of 3 users have a row."
    ]


def test_cells_without_a_value(tmp_path, caplog):
    path = tmp_path / "users.csv"
    path.write_text("id,age,country,none,rank\n1,NA,NA,,first\n2,31,,,2\n10,n/a,NO,,3\n")
    with caplog.at_level(logging.INFO):
        made = read_attributes(path, "user", IDS)
    np.testing.assert_array_equal(made.column("age"), [np.nan, 31, np.nan])
    assert made.column("country").tolist() == ["NA", None, "NO"]  # Namibia
    assert made.column("rank").tolist() == ["first", "2", "3"]
    assert caplog.messages == [
        "users.csv: id ← id; age (number), country (text), rank (text); without a value, left out: "
        "none; 3 of 3 users have a row."
    ]


def test_a_parquet_table(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "items.parquet"
    pd.DataFrame({"item": ["b", "a"], "year": [1995, 2001], "tags": [["x"], []]}).to_parquet(path)
    made = read_attributes(path, "item", IDS)
    assert made.column("year").tolist() == [2001, 1995]
    assert made.column("tags").tolist() == [(), ("x",)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("id\n1\n", "has one column: it needs ids"),
        ("id,age\n", "has no rows"),
        ("id,age,age\n1,2,3\n1,2\n1,2,3,4\n", "cannot be read as a table"),
        ("id,age,age\n1,2,3\n", "two columns with the same name"),
        ("id,age\n1,\n2,\n", "has ids, but no attribute with a value"),
        ("id,age\n1,3\n1,4\n", "users.csv' cannot be taken: .* two rows with the same id, '1'"),
        ("id,age\n1,3\n1 ,4\n", "two rows with the same id"),
        ("id,age\n7,3\n", "No user of the ratings is in .* \\('7', not '1'\\)"),
        ("id,age\nu1,3\n", "write them as they are there, '1' and not 'u1'"),
        (b"id,age\n1,\xff\n", "is not UTF-8"),
        ("1,31,F\n2,24,M\n", "has no header, because '1' is one of the users"),
        ("id,age\n10,1,F\n10,2,M\n", "Expected 2 fields in line 2, saw 3"),  # ages that are ids
        ("id::age\n1::31::F\n2::24::M\n", "Expected 2 fields in line 2, saw 3"),
    ],
)
def test_a_wrong_table_is_refused(content, sentence, tmp_path):
    path = tmp_path / "users.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(GlocalkError, match=sentence):
        read_attributes(path, "user", IDS)


def test_a_frame_has_each_column_once():
    frame = pd.DataFrame([[1, 31, 24]], columns=["user", "age", "age"])
    with pytest.raises(GlocalkError, match="two columns with the same name"):
        SideInformation.from_frames(IDS, users=frame)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"no file '.*none\.csv'"):
        read_edges(tmp_path / "none.csv", "user", IDS)


def test_a_list_of_edges(tmp_path, caplog):
    path = tmp_path / "edges.csv"
    path.write_text("source,target,weight\n1,10,2.5\n10,1,1\n2,2,1\n1,99,4\n")
    with caplog.at_level(logging.INFO):
        graph = read_edges(path, "user", IDS)
    assert graph.toarray().tolist() == [[0, 0, 2.5], [0, 1, 0], [2.5, 0, 0]]
    assert caplog.messages == [
        "edges.csv: 4 rows, 2 edges between users of the ratings (from source and target)."
    ]
    path.write_text("from\tto\nb\ta\n")
    assert read_edges(path, "item", IDS).toarray().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("source\n1\n", "An edge needs the ids of both users"),
        ("source,target,weight\n1,2,heavy\n", "weight 'heavy' in row 1"),
        ("source,target,weight\n1,2,1\n1,2,-1\n", "weight '-1' in row 2"),
        ("source,target\n1,99\n", "No edge connects two users"),
        ("1\t2\n2\t10\n", "has no header, because '1' is one of the users"),
        ("source,target\n1,2,3\n", "Expected 2 fields in line 2, saw 3"),
    ],
)
def test_wrong_edges_are_refused(content, sentence, tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text(content)
    with pytest.raises(GlocalkError, match=sentence):
        read_edges(path, "user", IDS)
