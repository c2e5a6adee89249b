"""Tables of pairs and of predictions, in CSV and in Parquet."""

import csv
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glocalk.inference.predictor
import glocalk.inference.tables
from glocalk.data.ids import Ids
from glocalk.errors import GlocalkError
from glocalk.inference.tables import check_suffix, predict_file, read_users, write_table
from inference.fitted import EXPECTED, NUM_ITEMS, NUM_USERS, NUMBER_IDS, ODD, TEXT_IDS, fitted


def write_csv(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("ids", [TEXT_IDS, NUMBER_IDS, None], ids=["text", "numbers", "none"])
@pytest.mark.parametrize("rows_at_a_time", [7, 1 << 16])
def test_pairs_are_predicted_in_the_order_of_their_file(ids, rows_at_a_time, tmp_path, monkeypatch):
    monkeypatch.setattr(glocalk.inference.tables, "_ROWS", rows_at_a_time)
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


def test_users_are_read_as_text_and_each_once(tmp_path, monkeypatch):
    monkeypatch.setattr(glocalk.inference.tables, "_ROWS", 2)
    path = write_csv(tmp_path / "users.csv", ["user"], [[name] for name in [*ODD, "u4", *ODD]])
    assert read_users(path).tolist() == [*ODD, "u4"]


def test_a_file_without_rows_gives_a_table_without_rows(tmp_path):
    model, out = fitted(), tmp_path / "out.csv"
    pairs = write_csv(tmp_path / "pairs.csv", ["user", "item"], [])
    assert write_table(predict_file(model, pairs), out) == 0
    assert out.read_text() == "user,item,rating\n"
    users = read_users(write_csv(tmp_path / "users.csv", ["user"], []))
    assert write_table(model.top_blocks(users, 3), out) == 0
    assert out.read_text() == "user,item,rank,rating\n"


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
        (None, r"cannot be read: No such file"),
        (b"user\nu1\n", r"has no column 'item': its first line must be user,item\."),
        (b"", r"is empty: its first line must be user,item\."),
        (b"user,item\nu1,item 1\nu1,item 1,5\n", r"is not a CSV file \(.*line 3"),
        (b"user,item\n\xff\xfe,\xff\n", r"is not a CSV file"),
        (b"user,item\nu1,item 1\neve,item 1\n", r"The user id 'eve' is not in tiny\."),
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
