"""Tables of pairs and of predictions, in CSV and in Parquet."""

import csv
import gzip
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glocalk.inference.predictor
from glocalk.data.ids import Ids
from glocalk.errors import GlocalkError
from glocalk.inference.tables import check_suffix, predict_pairs, read_asked, write_table
from inference.fitted import (
    EXPECTED,
    NUM_ITEMS,
    NUM_USERS,
    NUMBER_IDS,
    ODD,
    TEXT_IDS,
    TRAIN,
    fitted,
)


def write_csv(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


PAIRS = {"user": None, "item": None}


def predict_file(model, path, unknown="refuse", choices=PAIRS):
    """The blocks of predictions of the pairs in a file."""
    return predict_pairs(model, read_asked(path, choices), unknown)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("ids", [TEXT_IDS, NUMBER_IDS, None], ids=["text", "numbers", "none"])
@pytest.mark.parametrize("rows_at_a_time", [7, 1 << 16])
def test_pairs_are_predicted_in_the_order_of_their_file(ids, rows_at_a_time, tmp_path, monkeypatch):
    monkeypatch.setattr(glocalk.inference.predictor, "_PAIRS", rows_at_a_time)
    labels = ids or Ids(np.arange(NUM_USERS), np.arange(NUM_ITEMS))
    cells = np.random.default_rng(0).permutation(NUM_USERS * NUM_ITEMS)[:500]
    users, items = np.divmod(cells, NUM_ITEMS)
    asked = [
        [str(labels.users[u]), str(labels.items[i])] for u, i in zip(users, items, strict=True)
    ]
    path = write_csv(
        tmp_path / "pairs.csv",
        ["note", "item", "user"],
        [["x", item, user] for user, item in asked],
    )
    out = tmp_path / "new" / "out.csv"
    assert write_table(predict_file(fitted(ids=ids), path), out) == 500
    header, *rows = rows_of(out)
    assert header == ["user", "item", "rating"]
    assert [row[:2] for row in rows] == asked
    ratings = [float(row[2]) for row in rows]
    assert ratings == pytest.approx(np.clip(EXPECTED[users, items], 1, 5).tolist(), abs=1e-6)


def test_users_are_read_as_text_and_each_once(tmp_path):
    path = write_csv(tmp_path / "users.csv", ["user"], [[name] for name in [*ODD, "u4", *ODD]])
    asked = read_asked(path, {"user": None})
    assert asked.ids["user"].tolist() == [*ODD, "u4", *ODD]
    assert asked.distinct("user").tolist() == [*ODD, "u4"]
    assert asked.description == "user ← user"


def test_a_question_without_pairs_or_users_gives_a_table_without_rows(tmp_path):
    model, out = fitted(), tmp_path / "out.csv"
    assert write_table(model.predict_blocks([], []), out) == 0
    assert out.read_text() == "user,item,rating\n"
    assert write_table(model.top_blocks([], 3), out) == 0
    assert out.read_text() == "user,item,rank,rating\n"


# A model of numbers 0, 1, … and one of text; the pairs (3, 5), (17, 29), (3, 5) in many forms.
ASKED = [(3, 5), (17, 29), (3, 5)]
FORMS = {
    "csv": "user,item\n3,5\n17,29\n3,5\n",
    "floats": "user,item\n3.0,5.0\n17.0,29.0\n3.0,5.0\n",
    "quotes": '"item","user"\n"5","3"\n"29","17"\n"5","3"\n',
    "other names": "movieId,userId\n5,3\n29,17\n5,3\n",
    "more columns": "user,item,rating,time\n3,5,,x\n17,29,4,\n3,5,1,y\n",
    "tabs": "3\t5\n17\t29\n3\t5\n",
    "colons": "3::5\n17::29\n3::5\n",
    "semicolons": "user;item\n3;5\n17;29\n3;5\n",
    "spaces": "user   item\n3 5\n 17  29\n3  5 \n",
    "no header": "3,5\n17,29\n3,5\n",
    "blank lines": "user,item\n\n3,5\n17,29\n\n3,5",
    "carriage returns": "user,item\r\n3,5\r\n17,29\r\n3,5\r\n",
    "json lines": '{"user": 3, "item": 5}\n{"user": 17, "item": 29}\n{"user": 3, "item": 5.0}\n',
    "byte order mark": "\ufeffuser,item\n3,5\n17,29\n3,5\n",
}


@pytest.mark.parametrize("form", [*FORMS, "gzip", "parquet", "parquet of floats", "parquet index"])
def test_pairs_have_the_forms_that_ratings_have(form, tmp_path):
    path = tmp_path / "pairs"
    frame = pd.DataFrame(ASKED, columns=["user", "item"])
    if form in FORMS:
        path.write_bytes(FORMS[form].encode())
    elif form == "gzip":
        path.write_bytes(gzip.compress(FORMS["csv"].encode()))
    else:
        pytest.importorskip("pyarrow")
        if form == "parquet of floats":
            frame = frame.astype(float)
        (frame.set_index("user") if form == "parquet index" else frame).to_parquet(path)
    (block,) = predict_file(fitted(ids=None), path)
    assert list(zip(block["user"], block["item"], strict=True)) == ASKED
    expected = [min(max(EXPECTED[user, item], 1), 5) for user, item in ASKED]
    assert block["rating"].tolist() == pytest.approx(expected)


def test_columns_of_pairs_may_be_chosen(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("who,what\n3,5\n17,29\n3,5\n")
    for choices in ({"user": "who", "item": "what"}, {"user": 0, "item": 1}):
        asked = read_asked(path, choices)
        assert asked.description == "user ← who, item ← what"
        assert list(zip(asked.ids["user"], asked.ids["item"], strict=True)) == ASKED
    with pytest.raises(GlocalkError, match=r"choose user=… item=… from its columns who, what\.$"):
        read_asked(path, PAIRS)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ('"new  york",x\n', ["new  york"]),
        (' ann ,x\n" ann ",x\n', ["ann", "ann"]),
        ("007,x\n7,x\n7.0,x\n", ["007", "7", "7"]),
        ("a::b,x\n", ["a::b"]),
        ("NA,x\nnan,x\nnull,x\n", ["NA", "nan", "null"]),
        (f"{2**53 + 1},x\n5.0,x\n", [2**53 + 1, 5]),
        (f"{2**53 + 1},x\neve,x\n", [f"{2**53 + 1}", "eve"]),
        (f"{10**30},x\n7,x\n", [f"{10**30}", "7"]),
    ],
)
def test_ids_of_pairs_are_what_the_file_holds(rows, expected, tmp_path):
    (tmp_path / "pairs.csv").write_text("user,item\n" + rows)
    assert read_asked(tmp_path / "pairs.csv", PAIRS).ids["user"].tolist() == expected


def test_large_ids_in_a_file_get_their_own_prediction(tmp_path):
    model = fitted(ids=Ids(np.arange(NUM_USERS) + 2**53, np.arange(NUM_ITEMS)))
    for other in ("5.0", "eve", ""):
        last = f"{other},4\n" if other else ""
        (tmp_path / "pairs.csv").write_text(f"user,item\n{2**53 + 1},4\n{2**53 + 2},4\n{last}")
        (block,) = predict_file(model, tmp_path / "pairs.csv", "mean")
        expected = np.clip(EXPECTED[[1, 2], 4], 1, 5)
        assert block["rating"][:2].tolist() == pytest.approx(expected.tolist())
        assert block["user"].astype(str).tolist()[:2] == [f"{2**53 + 1}", f"{2**53 + 2}"]


def test_pairs_of_new_users_get_the_mean_and_those_of_nobody_known_are_refused(tmp_path):
    path, mean = tmp_path / "pairs.csv", sum(TRAIN.ratings.tolist()) / len(TRAIN)
    path.write_text("user,item\n901,5\n902,6\n")
    (block,) = predict_file(fitted(ids=None), path, "mean")
    assert block["rating"].tolist() == pytest.approx([mean, mean])
    for rows, part in (
        ("901,801\n902,802\n", "No user and no item in 'PATH' is in tiny (user '901', not '0'; "),
        ("u1,5\nu2,6\n", "None of the user ids in 'PATH' is in tiny: write them as they are there"),
        ("03,5\n017,6\n", "'0' and not '03'."),
    ):
        path.write_text("user,item\n" + rows)
        with pytest.raises(GlocalkError) as error:
            predict_file(fitted(ids=None), path, "mean")
        assert part in str(error.value).replace(str(path), "PATH")


@pytest.mark.parametrize("ids", [TEXT_IDS, NUMBER_IDS], ids=["text", "numbers"])
def test_parquet_holds_what_csv_holds(ids, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(glocalk.inference.predictor, "_CELLS", 200)
    for suffix in ("csv", "parquet"):
        write_table(fitted(ids=ids).top_blocks(n=3), tmp_path / f"a.{suffix}")
    kinds = {"user": object, "item": object} if ids is TEXT_IDS else {}
    text = pd.read_csv(tmp_path / "a.csv", dtype=kinds, keep_default_na=False)
    table = pd.read_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(table, text, check_dtype=False, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"pairs\.csv' cannot be read: there is no such file\."),
        (b"user\nu1\n", r"has no item column: choose item=… from its columns user\."),
        (b"", r"holds no ratings: give a file with rows\."),
        (b"user,item\n", r"holds no ratings: give a file with rows\."),
        (
            b"user,item\nu1,item 1\nu1,item 1,5\n",
            r"^Row 3 of .* has 3 columns where the first has 2",
        ),
        (b"user,item\nu1,item 1,5\n", r"^Row 2 of .* has 3 columns where the"),
        (
            b"user,item" + b",x" * 9999,
            r"^'.*' has 10,001 columns, too many for a table of users and",
        ),
        (b"user,item\nu1\n", r"^Row 2 of .* has 1 columns where the"),
        (b"user,item\nu1,item 1\nu1,\n", r"^Row 3 of .* has no item: fill it in"),
        (b"user,item\n\xff\xfe,\xff\n", r"is not UTF-8 text .*encoding=cp1252\.$"),
        (b"user,item\nu1,item 1\neve,item 1\n", r"The user id 'eve' is not in tiny: correct it"),
    ],
)
def test_what_is_wrong_with_a_file_of_pairs_is_one_sentence(content, sentence, tmp_path):
    path = tmp_path / "pairs.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GlocalkError, match=sentence) as error:
        list(predict_file(fitted(), path))
    assert "\n" not in str(error.value)


def test_other_suffixes_and_parquet_without_pyarrow_are_refused(tmp_path, monkeypatch):
    with pytest.raises(GlocalkError, match=r"'out\.txt' must end in \.csv or \.parquet\."):
        check_suffix(Path("out.txt"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    out = tmp_path / "out.parquet"
    with pytest.raises(GlocalkError, match="Parquet needs pyarrow"):
        write_table([pd.DataFrame({"user": [1]})], out)
    assert not out.exists()


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("before\n")

    def blocks():
        yield pd.DataFrame({"user": [1]})
        raise GlocalkError("Enough.")

    with pytest.raises(GlocalkError, match="Enough"):
        write_table(blocks(), out)
    assert list(tmp_path.iterdir()) == [out]
    assert out.read_text() == "before\n"


def test_a_killed_process_leaves_the_old_file(tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("before\n")
    code = """
import os, signal, sys, pathlib
import pandas as pd
from glocalk.inference.tables import write_table

def blocks():
    yield pd.DataFrame({"user": range(100_000)})
    os.kill(os.getpid(), signal.SIGKILL)

write_table(blocks(), pathlib.Path(sys.argv[1]))
"""
    process = subprocess.run([sys.executable, "-c", code, out], check=False)
    assert process.returncode == -signal.SIGKILL
    assert out.read_text() == "before\n"
