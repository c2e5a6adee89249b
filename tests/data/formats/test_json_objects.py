"""Ratings in JSON; expected values are written out by hand."""

import gzip
import json
from pathlib import Path

import pytest

from data.tables import by_ids, everything, refusal, split
from glocalk.data.formats import compression

INPUTS = Path(__file__).parents[2] / "inputs"
AMAZON = [
    {"reviewerID": "A2", "asin": "0001", "helpful": [0, 3], "overall": 5.0, "unixReviewTime": 30},
    {"reviewerID": "A1", "asin": "0001", "helpful": [], "overall": 3, "unixReviewTime": 10},
    {"reviewerID": "A1", "asin": "B00", "style": {"Size:": " L"}, "overall": 1, "x": None},
]
READ = {("A2", "0001"): 5, ("A1", "0001"): 3, ("A1", "B00"): 1}


def json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_reviews_of_yelp_are_read():
    made = split(INPUTS / "yelp.json")
    assert everything(made) == {("u1", "b1"): 4, ("u2", "b1"): 2}


@pytest.mark.parametrize("block", [7, 64, 1 << 20])
@pytest.mark.parametrize(
    "form",
    [
        json_lines,
        lambda rows: json_lines(rows).replace("\n", "\r\n\r\n"),
        lambda rows: "\ufeff" + json_lines(rows).rstrip(),
        json.dumps,
        lambda rows: json.dumps(rows, indent=2) + "\n",
        lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows),
        lambda rows: gzip.compress(json_lines(rows).encode()),
    ],
    ids=["lines", "blank lines", "mark", "array", "indented array", "indented objects", "gzip"],
)
def test_objects_one_after_the_other_or_in_an_array(form, block, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_BLOCK", block)
    assert everything(split(tmp_path / "r.json", form(AMAZON))) == READ


def test_reviews_as_they_are_published(tmp_path):
    goodreads = {"user_id": "8842", "book_id": "24375664", "review_id": "5cd4", "rating": 4}
    rows = json_lines([goodreads, {**goodreads, "user_id": "9", "rating": 2}])
    assert everything(split(tmp_path / "r", rows)) == {(8842, 24375664): 4, (9, 24375664): 2}
    yelp = [
        {"stars": 4, "business_id": "b", "text": "é\ud83d\ude00", "user_id": user} for user in "ab"
    ]
    assert everything(split(tmp_path / "r", json_lines(yelp))) == {("a", "b"): 4, ("b", "b"): 4}


def test_by_time_and_by_chosen_columns(tmp_path):
    rows = [
        {"who": 1, "what": 7, "how": 2, "when": 30},
        {"who": 2, "what": 7, "how": 3, "when": 10},
        {"when": 20, "who": 3, "what": 7, "how": 4, "user": 9},
    ]
    chosen = {"user": "who", "item": "what", "rating": "how", "timestamp": "when"}
    made = split(tmp_path / "r", json_lines(rows), split="time", **chosen)
    assert by_ids(made.test, made.ids) == {(1, 7): 2}
    assert by_ids(made.train, made.ids) == {(2, 7): 3, (3, 7): 4}


def test_numbers_are_taken_as_written(tmp_path):
    rows = '{"user": 9007199254740993, "item": "007", "rating": 0.1}\n'
    rows += '{"user": 9007199254740992, "item": "7", "rating": 1e0}\n'
    assert everything(split(tmp_path / "r", rows)) == {
        (9007199254740993, "007"): 0.1,
        (9007199254740992, "7"): 1,
    }


def row(**changed):
    return json.dumps({"user": "a", "item": "x", "rating": 3} | changed) + "\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[]", "'r' holds no ratings"),
        ("[[1, 10, 4], [2, 11, 5]]", "Row 1 of 'r' is JSON, but not an object: give one like"),
        (row() + "[1]", "Row 2 of 'r' is JSON, but not an object"),
        (row() + row(user={"id": 1}), "The user column of 'r' contains an object in row 2: give"),
        (row() + row(item=["x"]), "The item column of 'r' contains a list in row 2: give one"),
        (
            json.dumps({"user": {"0": 1}, "item": {"0": 1}, "rating": {"0": 1}}),
            "an object in row 1",
        ),
        (json.dumps({"columns": ["user"], "data": [[1]]}), "'r' has no user column"),
        (row() + row(rating=None), "Row 2 of 'r' has no rating ('')"),
        (row() + '{"user": 1, "item": 1}', "Row 2 of 'r' has no rating ('')"),
        (row() + '{"item": 1, "rating": 1}', "Row 2 of 'r' has no user"),
        (row() + row(rating="good"), "The rating 'good' in row 2 of 'r' is not a finite number"),
        (row() + row(rating=float("nan")), "Row 2 of 'r' has no rating ('NaN')"),
        (row() + row(rating=float("inf")), "The rating 'Infinity' in row 2"),
        (row() + row(rating=True), "The rating 'true' in row 2"),
        (row() + '{"user": 1, "user": 2}', "Row 2 of 'r' cannot be read as JSON (a name occurs tw"),
        (
            "{'user': 1, u'item': 2}",
            "Row 1 of 'r' is a dict of Python, not JSON: write each row as",
        ),
        (row() + '{"user": 1 "item": 2}', "Row 2 of 'r' cannot be read as JSON (Expecting ',' del"),
        (row() + row()[:-9], "Row 2 of 'r' cannot be read as JSON ("),
        (row() + "1,2,3\n", "Row 2 of 'r' is JSON, but not an object"),
        (row() + '{"a":' * 90_000, "Row 2 of 'r' cannot be read as JSON ("),
        ("[" + row() + "," + row(user="b"), "'r' ends before its JSON array does: download"),
        ("[" + row() + "]" + row(user="b"), "'r' continues after its JSON array: fix its end."),
        (row(userId=4), "has more than one user column (user, userId)"),
    ],
)
def test_what_is_wrong_with_json(content, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r", content)


def test_a_matrix_is_not_read_from_json(tmp_path):
    sentence = refusal(tmp_path / "r", row(), layout="matrix")
    assert sentence == "'r' is JSON, but data.layout=matrix reads text: save it as csv."


def test_a_large_object_ends_the_reading(tmp_path):
    content = row() + '{"text": "' + "x" * (20 << 20)
    assert "Row 2 of 'r' cannot be read as JSON (Unterm" in refusal(tmp_path / "r", content)
