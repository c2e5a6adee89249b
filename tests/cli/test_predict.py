"""`glocalk predict`; the predictions themselves are tested in `tests/inference`."""

import csv
import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import glocalk
import glocalk.cli.predict
from command import SMALL, call
from glocalk.data.datasets.synthetic import Synthetic
from glocalk.errors import GlocalkError
from glocalk.records.run import Record
from inference.fitted import EXPECTED, MEAN, ODD, TEXT_IDS, TRAIN, expected_top, keep


def predict(*arguments):
    """Exit code of the command line in this process."""
    return glocalk.cli.predict.main([str(argument) for argument in arguments])


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def write_csv(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


# A run of GLocal-K, end to end


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder of a small run, its split, its record)."""
    folder = tmp_path_factory.mktemp("trained")
    process = call("train", *SMALL, cwd=folder)
    assert process.returncode == 0, process.stderr
    (path,) = folder.glob("runs/*/record.json")
    options = dict(option.removeprefix("data.").split("=") for option in SMALL[1:4])
    split = Synthetic(Synthetic.Config.check(options, "data")).split(Path())
    return path.parent, split, Record.read(path)


def test_the_predictions_of_a_run_have_the_error_of_its_record(trained, tmp_path):
    folder, split, made = trained
    test = split.test
    pairs = write_csv(
        tmp_path / "pairs.csv",
        ["user", "item"],
        zip(test.users.tolist(), test.items.tolist(), strict=True),
    )
    out = tmp_path / "new" / "out.csv"
    process = call("predict", f"run={folder}", f"pairs={pairs}", f"out={out}", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert f"{len(test)} predictions" in process.stdout
    header, *rows = rows_of(out)
    assert header == ["user", "item", "rating"]
    assert [(int(u), int(i)) for u, i, _ in rows] == list(
        zip(test.users.tolist(), test.items.tolist(), strict=True)
    )
    error = np.array([float(rating) for *_, rating in rows]) - test.ratings
    rmse = np.sqrt(np.mean(error**2))
    assert rmse == pytest.approx(made.curves["final"].test_rmse[-1], abs=1e-5)


def test_the_five_lines_of_the_readme(trained):
    folder, split, _ = trained
    model = glocalk.load(str(folder))
    assert model.predict([3, 17], [5, 29]).shape == (2,)
    best = model.top([3, 17], 4)
    assert best["user"].tolist() == [3] * 4 + [17] * 4
    assert best["rank"].tolist() == [1, 2, 3, 4] * 2
    seen = set(zip(split.train.users.tolist(), split.train.items.tolist(), strict=True))
    for user in (3, 17):
        unseen = [item for item in range(30) if (user, item) not in seen]
        rating = dict(zip(unseen, model.predict([user] * len(unseen), unseen), strict=True))
        mine = best[best["user"] == user]
        assert set(mine["item"]) <= set(unseen)
        assert mine["rating"].to_numpy() == pytest.approx(sorted(rating.values())[:-5:-1], abs=1e-5)
        assert [rating[item] for item in mine["item"]] == pytest.approx(mine["rating"], abs=1e-5)


def test_the_model_file_is_small_and_needs_no_code(trained):
    folder, *_ = trained
    content = torch.load(folder / "model.pt", weights_only=True)
    assert content["format"] == 2
    assert content["options"]["hidden_size"] == 8
    numbers = (40 + 30) * 8 + 40
    numbers += 40 * 8 + 8 + 8 * 8 + 8 + 9  # what encodes a new item
    assert (folder / "model.pt").stat().st_size < 4 * numbers + 8 * 300 + 8000


def test_whether_the_model_is_kept_does_not_identify_a_run(tmp_path):
    options = ["data=synthetic", "model=bias"]
    process = call("train", *options, "save_model=false", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    (path,) = tmp_path.glob("runs/*/record.json")
    assert Record.read(path).variant == "default"
    assert not (path.parent / "model.pt").exists()
    assert "already" in call("train", *options, cwd=tmp_path).stdout
    with pytest.raises(GlocalkError, match="run it again with force=true") as error:
        glocalk.load(path.parent)
    assert "\n" not in str(error.value)
    assert call("train", *options, "force=true", cwd=tmp_path).returncode == 0
    assert glocalk.load(path.parent).trained_on.title == "synthetic"


def test_the_best_unrated_items_of_some_users(tmp_path):
    keep(tmp_path / "run")
    write_csv(tmp_path / "users.csv", ["user"], [["u4"], ["007"], ["NA"], ["u4"]])
    out = tmp_path / "out.csv"
    users = f"users={tmp_path / 'users.csv'}"
    assert predict(f"run={tmp_path / 'run'}", "top=2", users, f"out={out}") == 0
    order = [len(ODD) + 4, 0, 2]  # as asked for, each once
    assert [row[:2] for row in rows_of(out)[1:]] == [
        [TEXT_IDS.users[user], TEXT_IDS.items[item]] for user, item, *_ in expected_top(2, order)
    ]


def test_unknown_ids_get_the_mean_on_request(tmp_path):
    keep(tmp_path / "run")
    pairs = [["u1", "item 4"], ["eve", "item 4"], ["u1", "nothing"], ["eve", "nothing"]]
    write_csv(tmp_path / "pairs.csv", ["user", "item"], pairs)
    out = tmp_path / "out.csv"
    options = [f"run={tmp_path / 'run'}", f"pairs={tmp_path / 'pairs.csv'}", f"out={out}"]
    assert predict(*options) == 1
    assert not out.exists()
    assert predict(*options, "unknown=mean") == 0
    rows = rows_of(out)[1:]
    assert [row[:2] for row in rows] == pairs
    known = min(max(EXPECTED[len(ODD) + 1, 4], 1), 5)
    mean = sum(TRAIN.ratings.tolist()) / len(TRAIN)
    assert [float(row[2]) for row in rows] == pytest.approx([known, mean, mean, mean], abs=1e-6)


def test_standard_deviations_are_a_column(tmp_path, capsys):
    keep(tmp_path / "mean", MEAN)
    keep(tmp_path / "run")
    pairs = write_csv(tmp_path / "pairs.csv", ["user", "item"], [["u1", "item 4"]] * 2)
    out = tmp_path / "out.csv"
    options = [f"pairs={pairs}", f"out={out}", "return_std=true"]
    assert predict(f"run={tmp_path / 'mean'}", *options) == 0
    header, *rows = rows_of(out)
    assert header == ["user", "item", "rating", "std"]
    assert [float(row[3]) for row in rows] == pytest.approx([TRAIN.ratings.std()] * 2, abs=1e-6)
    out.unlink()
    assert predict(f"run={tmp_path / 'run'}", *options) == 1
    assert "Bias predicts a mean and no distribution" in capsys.readouterr().err
    assert predict(f"run={tmp_path / 'mean'}", f"out={out}", "top=2", "return_std=true") == 1
    assert "goes with pairs=FILE" in capsys.readouterr().err
    assert not out.exists()


def test_it_says_what_it_takes_from_a_file_in_a_form_of_ratings(tmp_path, capsys):
    keep(tmp_path / "run")
    pairs, out = tmp_path / "pairs.tsv.gz", tmp_path / "out.csv"
    # Windows-1252 has `é` as one byte, which is not UTF-8.
    text = "what\twho\titem_id\né\tu1\titem 1\né\tu2\titem 2\né\tu1\titem 1\n"
    pairs.write_bytes(gzip.compress(text.encode("cp1252")))
    options = [f"run={tmp_path / 'run'}", f"pairs={pairs}", f"out={out}", "encoding=cp1252"]
    assert predict(*options, "user=who") == 0
    assert capsys.readouterr().out == (
        f"Read '{pairs}': user ← who, item ← item_id.\nMade '{out}': 3 predictions.\n"
    )
    assert [row[:2] for row in rows_of(out)[1:]] == [
        ["u1", "item 1"],
        ["u2", "item 2"],
        ["u1", "item 1"],
    ]
    assert predict(*options, "user=1", "header=true") == 0
    assert "user ← who, item ← item_id" in capsys.readouterr().out


# New users and items


def new_file(folder, rows, name="new.csv"):
    return write_csv(folder / name, ["user", "item", "rating"], rows)


def test_new_users_get_their_best_items(tmp_path, capsys):
    model_folder, out = keep(tmp_path / "run"), tmp_path / "out.csv"
    rows = [["eve", "item 3", 5], ["eve", "item 4", 4], ["zoe", "item 3", 1]]
    new = new_file(tmp_path, rows)
    options = [f"run={model_folder}", f"new_ratings={new}", f"out={out}"]
    assert predict(*options, "top=3") == 0
    assert f"Read '{new}': user ← user, item ← item, rating ← rating.\n" in capsys.readouterr().out
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    expected = glocalk.load(model_folder).fold_in(frame).top(["eve", "zoe"], 3)
    assert [row[:2] for row in rows_of(out)[1:]] == expected[["user", "item"]].to_numpy().tolist()
    assert not {"item 3", "item 4"} & set(expected[expected.user == "eve"].item)
    users = write_csv(tmp_path / "users.csv", ["user"], [["zoe"], ["u1"]])
    assert predict(*options, "top=1", f"users={users}") == 0
    assert [row[0] for row in rows_of(out)[1:]] == ["zoe", "u1"]


def test_pairs_of_new_users_and_items_are_rated(tmp_path):
    model_folder, out = keep(tmp_path / "run"), tmp_path / "out.csv"
    rows = [["eve", "item 3", 5], ["u1", "it", 2], ["u2", "it", 3]]
    new = new_file(tmp_path, rows)
    pairs = write_csv(tmp_path / "pairs.csv", ["user", "item"], [["eve", "it"], ["u4", "item 4"]])
    options = [f"run={model_folder}", f"new_ratings={new}", f"pairs={pairs}", f"out={out}"]
    assert predict(*options) == 0
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    expected = glocalk.load(model_folder).fold_in(frame).predict(["eve", "u4"], ["it", "item 4"])
    assert [float(row[2]) for row in rows_of(out)[1:]] == pytest.approx(expected, abs=1e-6)
    named = write_csv(tmp_path / "named.csv", ["user", "item", "stars", "x"], [["eve", "it", 1, 2]])
    options[1] = f"new_ratings={named}"
    assert predict(*options, "rating=stars") == 1  # a new user of a new item
    assert not list(tmp_path.glob("*.tmp"))


# What a user does wrong ends in one sentence

RUN, OUT, PAIRS = "run=runs/good", "out=out.csv", "pairs=pairs.csv"
INPUTS = {
    "misspelled option": ([RUN, OUT, "pair=x.csv"], ["Unknown option 'pair'", "'pairs'?"]),
    "no name": (["runs/good", OUT, PAIRS], ["'runs/good' is not name=value."]),
    "no value": ([RUN, OUT, "pairs="], ["'pairs=' is not name=value."]),
    "twice": ([RUN, RUN, OUT, PAIRS], ["'run' is given twice"]),
    "no run": ([OUT, PAIRS], ["'run' is missing"]),
    "no out": ([RUN, PAIRS], ["'out' is missing"]),
    "neither": ([RUN, OUT], ["one of pairs=FILE", "top=N"]),
    "both": ([RUN, OUT, PAIRS, "top=3"], ["one of pairs=FILE", "top=N"]),
    "users of pairs": ([RUN, OUT, PAIRS, "users=u.csv"], ["'users' goes with top=N"]),
    "mean of top": ([RUN, OUT, "top=3", "unknown=mean"], ["'unknown=mean' goes with pairs=FILE"]),
    "top 0": ([RUN, OUT, "top=0"], ["'top' cannot be '0'"]),
    "top text": ([RUN, OUT, "top=ten"], ["'top' cannot be 'ten'"]),
    "unknown text": ([RUN, OUT, PAIRS, "unknown=zero"], ["'unknown' cannot be 'zero'", "'mean'"]),
    "suffix": ([RUN, "out=out.txt", PAIRS], ["'out.txt' must end in .csv or .parquet"]),
    "unknown run": (["run=runs/god", OUT, PAIRS], ["Unknown run 'runs/god'", "'runs/good'?"]),
    "no run near": (["run=zzz", OUT, PAIRS], ["Unknown run 'zzz'", "'runs/good'"]),
    "folder of runs": (["run=runs", OUT, PAIRS], ["Unknown run 'runs'", "'runs/good'"]),
    "no pairs file": (
        [RUN, OUT, "pairs=no.csv"],
        ["'no.csv' cannot be read: there is no such file"],
    ),
    "folder of pairs": ([RUN, OUT, "pairs=runs"], ["'runs' cannot be read: it is a folder"]),
    "no module": (
        [RUN, OUT, PAIRS, "module=no_such"],
        ["'module' names 'no_such'", "cannot be imported"],
    ),
    "no users file": ([RUN, OUT, "top=1", "users=no.csv"], ["'no.csv' cannot be read"]),
    "no column": (
        [RUN, OUT, "pairs=users.csv"],
        ["'users.csv' has no item column: choose item=… from its columns user"],
    ),
    "empty file": ([RUN, OUT, "pairs=empty.csv"], ["'empty.csv' holds no ratings"]),
    "wide row": ([RUN, OUT, "pairs=ragged.csv"], ["Row 3 of 'ragged.csv' has 3 columns where"]),
    "wide first row": ([RUN, OUT, "pairs=wide.csv"], ["Row 2 of 'wide.csv' has 3 columns where"]),
    "binary file": ([RUN, OUT, "pairs=binary.csv"], ["'binary.csv' is not UTF-8", " encoding="]),
    "no encoding": (
        [RUN, OUT, PAIRS, "encoding=x"],
        ["'encoding' cannot be 'x': give an encoding"],
    ),
    "too large": (
        [RUN, OUT, "pairs=large.csv.gz", "max_bytes=9"],
        ["'large.csv.gz' ", "raise max_bytes"],
    ),
    "user of nothing": ([RUN, OUT, "top=1", "user=0"], ["'user' goes with pairs=FILE or users="]),
    "rating of pairs": ([RUN, OUT, PAIRS, "rating=0"], ["'rating' goes with new_ratings=FILE"]),
    "no new ratings": (
        [RUN, OUT, "top=1", "new_ratings=no.csv"],
        ["'no.csv' cannot be read: there is no such file"],
    ),
    "new ratings without ratings": (
        [RUN, OUT, "top=1", "new_ratings=pairs.csv"],
        ["'pairs.csv' has no rating column: choose rating=…"],
    ),
    "new text": (
        [RUN, OUT, "top=1", "new_ratings=text.csv"],
        ["The rating 'five' in row 2 of 'text.csv' is not a finite number"],
    ),
    "new off the scale": (
        [RUN, OUT, "top=1", "new_ratings=six.csv"],
        ["The rating 6 of user eve, item item 1 is not on the scale 1 … 5"],
    ),
    "new of known ones": (
        [RUN, OUT, "top=1", "new_ratings=known.csv"],
        ["The user 'u1' and the item 'item 1' both have training ratings"],
    ),
    "out is new ratings": (
        [RUN, "out=known.csv", "top=1", "new_ratings=known.csv"],
        ["'out' names the file of 'new_ratings', which"],
    ),
    "item of users": (
        [RUN, OUT, "top=1", "users=users.csv", "item=0"],
        ["'item' goes with pairs="],
    ),
    "drop": (
        [RUN, OUT, PAIRS, "unknown=drop"],
        ["'unknown' cannot be 'drop'", "'refuse' or 'mean'"],
    ),
    "other ids": (
        [RUN, OUT, "pairs=upper.csv"],
        ["write them as they are there, 'u1' and not 'U1'"],
    ),
    "unknown user": ([RUN, OUT, "top=1", "users=eve.csv"], ["user id 'eve' is not in tiny"]),
    "pairs are a folder": (
        [RUN, OUT, "pairs=folder.csv"],
        ["'folder.csv' cannot be read: it is a"],
    ),
    "out is pairs": ([RUN, "out=./pairs.csv", PAIRS], ["'out' names the file of 'pairs', which"]),
    "out is users": (
        [RUN, "out=users.csv", "top=1", "users=users.csv"],
        ["'out' names the file of 'users', which"],
    ),
    "out in no folder": ([RUN, "out=pairs.csv/out.csv", PAIRS], ["'pairs.csv/out.csv' cannot be"]),
    "out is a folder": ([RUN, "out=folder.csv", PAIRS], ["'folder.csv' cannot be written: it is"]),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a good run in `runs/good`."""
    keep(tmp_path / "runs" / "good")
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "pairs.csv").write_text("user,item\nu1,item 1\n")
    (tmp_path / "users.csv").write_text("user\nu1\n")
    (tmp_path / "eve.csv").write_text("user\neve\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "ragged.csv").write_text("user,item\nu1,item 1\nu1,item 1,5\n")
    (tmp_path / "wide.csv").write_text("user,item\nu1,item 1,5\n")
    (tmp_path / "upper.csv").write_text("user,item\nU1,item 1\n")
    (tmp_path / "large.csv.gz").write_bytes(gzip.compress(b"user,item\n" + b"u1,item 1\n" * 9999))
    (tmp_path / "binary.csv").write_bytes(b"user,item\n\xff\xfe,\xff\n")
    (tmp_path / "text.csv").write_text("user,item,rating\neve,item 1,five\neve,item 2,4\n")
    (tmp_path / "six.csv").write_text("user,item,rating\neve,item 1,6\n")
    (tmp_path / "known.csv").write_text("user,item,rating\nu1,item 1,4\n")
    (tmp_path / "folder.csv").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", INPUTS)
def test_one_sentence(case, place, capsys):
    arguments, parts = INPUTS[case]
    before = sorted(place.rglob("*"))
    assert predict(*arguments) == 1
    printed, error = capsys.readouterr()
    assert printed == ""
    (line,) = error.strip().splitlines()
    for part in parts:
        assert part in line
    assert sorted(place.rglob("*")) == before, "it leaves something behind"


def test_the_command_line_exits_with_1(tmp_path):
    process = call("predict", "run=runs/x", "top=1", "out=out.csv", cwd=tmp_path)
    assert process.returncode == 1
    assert process.stderr == "Unknown run 'runs/x': there are no runs in 'runs'.\n"


def test_without_arguments_it_says_how(capsys):
    assert predict() == 0
    assert "pairs=FILE" in capsys.readouterr().out


def test_parquet_without_pyarrow(place, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert predict(RUN, PAIRS, "out=out.parquet") == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "Parquet needs pyarrow" in line
    assert not (place / "out.parquet").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission(place, capsys):
    (place / "locked").mkdir(mode=0o500)
    assert predict(RUN, PAIRS, "out=locked/out.csv") == 1
    assert "'locked/out.csv' cannot be written: Permission denied" in capsys.readouterr().err


def test_importing_the_package_imports_no_library():
    libraries = ("torch", "numpy", "pandas")
    code = f"import sys, glocalk; print([m for m in {libraries} if m in sys.modules])"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout == "[]\n"
