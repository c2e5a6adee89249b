"""Predictions out of a run; what is expected is computed here, pair by pair."""

import csv
import io
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import glocalk
import glocalk.cli.predict
import glocalk.inference.predictor
import glocalk.inference.tables
from command import SMALL, call
from glocalk.completers.registry import build_completer
from glocalk.data.datasets.synthetic import Synthetic
from glocalk.data.ids import Ids
from glocalk.data.ratings import RatingMatrix
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.inference.tables import write_table
from glocalk.records.run import Record
from planted import planted
from report.factory import record

TRAIN, TEST = planted()
NUM_USERS, NUM_ITEMS = TRAIN.shape
BIAS = {
    "_target_": "glocalk.completers.baselines.Bias",
    "item_damping": 0.5,
    "user_damping": 0.25,
}
MEAN = {"_target_": "glocalk.completers.baselines.GlobalMean"}

# Ids as files hold them: text that looks like numbers, like nothing, and that CSV has to quote.
ODD = ["007", "7", "NA", "a,b", 'say "x"', "ünï 🙂", "nan", " padded ", "1e5", "None"]
TEXT_IDS = Ids(
    np.array([*ODD, *(f"u{k}" for k in range(NUM_USERS - len(ODD)))], dtype=object),
    np.array([f"item {k}" for k in range(NUM_ITEMS)], dtype=object),
)
NUMBER_IDS = Ids(np.arange(NUM_USERS)[::-1] * 10 + 5, np.arange(NUM_ITEMS) * 3 + 2**60)


def expected_bias(train, item_damping, user_damping):
    """[users, items] of Koren's formula, a loop over ratings."""
    triples = list(
        zip(train.users.tolist(), train.items.tolist(), train.ratings.tolist(), strict=True)
    )
    mean = sum(r for _, _, r in triples) / len(triples)
    b_item, b_user = {}, {}
    for item in range(train.num_items):
        rest = [r - mean for _, i, r in triples if i == item]
        b_item[item] = sum(rest) / (item_damping + len(rest))
    for user in range(train.num_users):
        rest = [r - mean - b_item[i] for u, i, r in triples if u == user]
        b_user[user] = sum(rest) / (user_damping + len(rest))
    return np.array(
        [
            [mean + b_item[i] + b_user[u] for i in range(train.num_items)]
            for u in range(train.num_users)
        ]
    )


EXPECTED = expected_bias(TRAIN, 0.5, 0.25)
SEEN = set(zip(TRAIN.users.tolist(), TRAIN.items.tolist(), strict=True))


def expected_top(n, users):
    """(user, item, rank, rating) of the n best unseen items, by sorting each user's all."""
    rows = []
    for user in users:
        unseen = [item for item in range(NUM_ITEMS) if (user, item) not in SEEN]
        best = sorted(unseen, key=lambda item: (-EXPECTED[user, item], item))[:n]
        for rank, item in enumerate(best, start=1):
            rows.append((user, item, rank, min(max(EXPECTED[user, item], 1), 5)))
    return rows


def keep(folder, config=BIAS, ids=TEXT_IDS, train=TRAIN, clip=True):
    """A run folder with the model file of a completer fitted here."""
    completer = build_completer(config)
    completer.fit(Split("tiny", train, TEST, ids=ids).train)
    completer.trained = replace(completer.trained, title="tiny")
    completer.clip = clip
    folder.mkdir(parents=True, exist_ok=True)
    completer.save(folder / "model.pt")
    return folder


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
    assert glocalk.load(path.parent).trained.title == "synthetic"


# Ids, clipping, blocks


@pytest.mark.parametrize("ids", [TEXT_IDS, NUMBER_IDS, None], ids=["text", "numbers", "none"])
@pytest.mark.parametrize("rows_at_a_time", [7, 1 << 16])
def test_every_pair_under_its_ids(ids, rows_at_a_time, tmp_path, monkeypatch):
    monkeypatch.setattr(glocalk.inference.tables, "_ROWS", rows_at_a_time)
    keep(tmp_path / "run", ids=ids)
    labels = ids or Ids(np.arange(NUM_USERS), np.arange(NUM_ITEMS))
    cells = np.random.default_rng(0).permutation(NUM_USERS * NUM_ITEMS)
    users, items = np.divmod(cells, NUM_ITEMS)
    asked = [
        [str(labels.users[u]), str(labels.items[i])] for u, i in zip(users, items, strict=True)
    ]
    write_csv(
        tmp_path / "pairs.csv",
        ["note", "item", "user"],
        [["x", item, user] for user, item in asked],
    )
    out = tmp_path / "out.csv"
    assert predict(f"run={tmp_path / 'run'}", f"pairs={tmp_path / 'pairs.csv'}", f"out={out}") == 0
    header, *rows = rows_of(out)
    assert header == ["user", "item", "rating"]
    assert [row[:2] for row in rows] == asked
    assert EXPECTED.min() < 1
    assert EXPECTED.max() > 5, "nothing to clip"
    ratings = [float(row[2]) for row in rows]
    assert ratings == pytest.approx(np.clip(EXPECTED[users, items], 1, 5).tolist(), abs=1e-6)


def test_a_run_that_does_not_clip_predicts_beyond_the_scale(tmp_path):
    model = glocalk.load(keep(tmp_path, ids=None, clip=False))
    users, items = np.divmod(np.arange(EXPECTED.size), NUM_ITEMS)
    assert model.predict(users, items) == pytest.approx(EXPECTED.ravel())
    assert model.top(None, 1)["rating"].max() > 5


@pytest.mark.parametrize("ids", [TEXT_IDS, NUMBER_IDS], ids=["text", "numbers"])
@pytest.mark.parametrize("cells", [1, 200, 1 << 20])
@pytest.mark.parametrize("n", [1, 5, 1000])
def test_the_best_unseen_items_of_every_user(ids, cells, n, tmp_path, monkeypatch):
    monkeypatch.setattr(glocalk.inference.predictor, "_CELLS", cells)
    keep(tmp_path / "run", ids=ids)
    out = tmp_path / "out.csv"
    assert predict(f"run={tmp_path / 'run'}", f"top={n}", f"out={out}") == 0
    header, *rows = rows_of(out)
    assert header == ["user", "item", "rank", "rating"]
    expected = expected_top(n, range(NUM_USERS))
    assert [row[:3] for row in rows] == [
        [str(ids.users[user]), str(ids.items[item]), str(rank)] for user, item, rank, _ in expected
    ]
    assert [float(row[3]) for row in rows] == pytest.approx([row[3] for row in expected], abs=1e-6)


def test_the_best_unseen_items_of_some_users(tmp_path):
    keep(tmp_path / "run")
    write_csv(tmp_path / "users.csv", ["user"], [["u4"], ["007"], ["NA"], ["u4"]])
    out = tmp_path / "out.csv"
    users = f"users={tmp_path / 'users.csv'}"
    assert predict(f"run={tmp_path / 'run'}", "top=2", users, f"out={out}") == 0
    order = [len(ODD) + 4, 0, 2]  # as asked for, each once
    assert [row[:2] for row in rows_of(out)[1:]] == [
        [TEXT_IDS.users[user], TEXT_IDS.items[item]] for user, item, *_ in expected_top(2, order)
    ]


def test_equal_predictions_come_in_the_order_of_the_items(tmp_path):
    model = glocalk.load(keep(tmp_path, config=MEAN, ids=None))
    best = model.top([0], 3)
    assert best["item"].tolist() == [i for i in range(NUM_ITEMS) if (0, i) not in SEEN][:3]
    assert best["rating"].tolist() == pytest.approx([TRAIN.ratings.mean()] * 3)


def test_who_has_rated_all_gets_none(tmp_path):
    users, items = np.divmod(np.arange(2 * NUM_ITEMS), NUM_ITEMS)
    train = RatingMatrix(users, items, np.full(len(users), 3.0), TRAIN.shape, (1, 5))
    completer = build_completer(MEAN)
    completer.fit(train)
    completer.save(tmp_path / "model.pt")
    model = glocalk.load(tmp_path)
    assert len(model.top([0, 1], 5)) == 0
    assert model.top([1, 2, 0], 1)["user"].tolist() == [2]


def test_numbers_read_as_text_and_whole_floats_are_the_same_ids(tmp_path):
    model = glocalk.load(keep(tmp_path, ids=Ids(NUMBER_IDS.users, np.arange(NUM_ITEMS))))
    expected = model.predict([595, 5], [0, 44])
    assert model.predict(["595", "5.0"], [0.0, 44.0]).tolist() == expected.tolist()
    assert model.predict(595, "0") == expected[:1]
    assert model.predict([], []).shape == (0,)


def test_a_file_of_no_pairs_gives_a_table_of_none(tmp_path):
    keep(tmp_path / "run")
    pairs = write_csv(tmp_path / "pairs.csv", ["user", "item"], [])
    out = tmp_path / "out.csv"
    assert predict(f"run={tmp_path / 'run'}", f"pairs={pairs}", f"out={out}") == 0
    assert out.read_text() == "user,item,rating\n"
    users = write_csv(tmp_path / "users.csv", ["user"], [])
    assert predict(f"run={tmp_path / 'run'}", "top=3", f"users={users}", f"out={out}") == 0
    assert out.read_text() == "user,item,rank,rating\n"


def test_parquet_holds_what_csv_holds(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(glocalk.inference.predictor, "_CELLS", 200)
    for name, ids in (("text", TEXT_IDS), ("numbers", NUMBER_IDS)):
        folder = keep(tmp_path / name, ids=ids)
        for suffix in ("csv", "parquet"):
            assert predict(f"run={folder}", "top=3", f"out={tmp_path / f'{name}.{suffix}'}") == 0
        kinds = {"user": object, "item": object} if name == "text" else {}
        text = pd.read_csv(tmp_path / f"{name}.csv", dtype=kinds, keep_default_na=False)
        table = pd.read_parquet(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(table, text, check_dtype=False, atol=1e-6)


# Unknown ids


def test_an_unknown_id_is_named(tmp_path):
    model = glocalk.load(keep(tmp_path))
    with pytest.raises(GlocalkError, match=r"^The user id 'eve' is not in tiny\.$"):
        model.predict(["u1", "eve"], ["item 1", "item 1"])
    with pytest.raises(GlocalkError, match=r"^The item id 'item' is not in tiny\.$"):
        model.predict(["u1"], ["item"])
    with pytest.raises(GlocalkError, match=r"^The user id 'eve' is not in tiny\.$"):
        model.top(["eve"], 3)
    with pytest.raises(GlocalkError, match="two lists of one length, not 2 and 1"):
        model.predict(["u1", "u2"], ["item 1"])
    with pytest.raises(GlocalkError, match="must be 1 or more, not 0"):
        model.top(["u1"], 0)


def test_an_id_of_another_kind_is_named(tmp_path):
    model = glocalk.load(keep(tmp_path, ids=NUMBER_IDS))
    for odd in ("x", "5.5", "", "inf", "1e300"):
        with pytest.raises(GlocalkError, match=f"user id '{odd}' is not a whole number"):
            model.predict([odd], [2**60])


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


# What a user does wrong ends in one sentence

RUN, OUT, PAIRS = "run=runs/good", "out=out.csv", "pairs=pairs.csv"
CASES = {
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
    "no pairs file": ([RUN, OUT, "pairs=no.csv"], ["'no.csv' cannot be read: No such file"]),
    "no users file": ([RUN, OUT, "top=1", "users=no.csv"], ["'no.csv' cannot be read"]),
    "no column": ([RUN, OUT, "pairs=users.csv"], ["'users.csv' has no column 'item'", "user,item"]),
    "empty file": ([RUN, OUT, "pairs=empty.csv"], ["'empty.csv' is empty", "user,item"]),
    "ragged file": ([RUN, OUT, "pairs=ragged.csv"], ["'ragged.csv' is no CSV file", "line 3"]),
    "binary file": ([RUN, OUT, "pairs=binary.csv"], ["'binary.csv' is no CSV file"]),
    "unknown user": ([RUN, OUT, "top=1", "users=eve.csv"], ["user id 'eve' is not in tiny"]),
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
    (tmp_path / "binary.csv").write_bytes(b"user,item\n\xff\xfe,\xff\n")
    (tmp_path / "folder.csv").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_one_sentence(case, place, capsys):
    arguments, parts = CASES[case]
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


def test_a_failed_run_keeps_no_model(place):
    record(status="failed").write(place / "runs" / "other" / "record.json")
    with pytest.raises(GlocalkError, match=r"has no 'model\.pt', because it failed or"):
        glocalk.load("runs/other")


def test_a_model_file_can_be_loaded_from_anywhere(place):
    (place / "runs" / "good" / "model.pt").rename(place / "mine.pt")
    assert glocalk.load("mine.pt").trained.title == "tiny"


# Files that are whole or absent


def test_an_error_on_the_way_leaves_what_was_there(tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("before\n")

    def blocks():
        yield pd.DataFrame({"user": [1]})
        raise GlocalkError("Enough.")

    with pytest.raises(GlocalkError, match="Enough"):
        write_table(blocks(), out)
    assert list(tmp_path.iterdir()) == [out]
    assert out.read_text() == "before\n"


def test_a_killed_run_leaves_what_was_there(tmp_path):
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


# Damaged and foreign model files


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def changed(folder, **changes):
    """Change entries of a model file; None removes one."""
    content = torch.load(folder / "model.pt", weights_only=True) | changes
    torch.save(
        {key: part for key, part in content.items() if part is not None}, folder / "model.pt"
    )


def flip(folder):
    """Change one byte of the item offsets."""
    path = folder / "model.pt"
    content = bytearray(path.read_bytes())
    offsets = torch.load(path, weights_only=True)["state"]["item_offsets"].numpy().tobytes()
    content[content.index(offsets) + 21] ^= 1
    path.write_bytes(content)


def state(**changes):
    def change(folder):
        old = torch.load(folder / "model.pt", weights_only=True)["state"]
        changed(folder, state={**old, **changes})

    return change


DAMAGES = {
    "truncated": lambda f: os.truncate(f / "model.pt", 900),
    "empty": lambda f: os.truncate(f / "model.pt", 0),
    "one bit": flip,
    "text": lambda f: (f / "model.pt").write_text("a model"),
    "something else of torch's": lambda f: torch.save([1, 2], f / "model.pt"),
    "an entry is missing": lambda f: changed(f, scale=None),
    "an entry too many": lambda f: changed(f, more=1),
    "another shape": lambda f: changed(f, shape=(NUM_USERS, NUM_ITEMS + 1)),
    "items beyond the shape": lambda f: changed(
        f, trained_items=torch.full((len(TRAIN),), NUM_ITEMS)
    ),
    "an id twice": lambda f: changed(f, items=["x"] * NUM_ITEMS),
    "an unknown option": lambda f: changed(f, options={"damping": 1.0}),
    "no class": lambda f: changed(f, class_name="glocalk.completers.baselines.Nothing"),
    "a class that is none": lambda f: changed(f, class_name="glocalk.completers.base.Path"),
    "a state of another shape": state(item_offsets=torch.zeros(3)),
    "a state without numbers": state(mean=torch.tensor(torch.nan)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_file_is_refused(damage, place, capsys):
    DAMAGES[damage](place / "runs" / "good")
    assert predict(RUN, PAIRS, OUT) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("'runs/good/model.pt' is damaged, or not a model that glocalk saved")
    assert line.endswith("train it again (force=true replaces a run).")


def test_other_versions_are_named(place):
    folder = place / "runs" / "good"
    changed(folder, model_version=0)
    with pytest.raises(GlocalkError, match="holds version 0 of Bias, which is at version 1 here"):
        glocalk.load(folder)
    changed(folder, format=3, more=1)
    with pytest.raises(GlocalkError, match="format 3"):
        glocalk.load(folder)


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain pickle", "in torch's archive"])
def test_no_code_of_a_file_is_executed(wrapped, place):
    bomb, path = Bomb(place / "exploded"), place / "runs" / "good" / "model.pt"
    content = {**torch.load(path, weights_only=True), "more": bomb}
    if wrapped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(GlocalkError, match="is damaged, or not a model"):
        glocalk.load("runs/good")
    assert not bomb.path.exists()
    pickle.load(io.BytesIO(pickle.dumps(bomb)))
    assert bomb.path.exists(), "the bomb is none"


def test_no_module_is_imported_because_a_file_names_it(place, monkeypatch):
    (place / "trap.py").write_text(
        "from glocalk.completers.baselines import Bias as Caught\nopen('exploded', 'w').close()\n"
    )
    monkeypatch.syspath_prepend(place)
    changed(place / "runs" / "good", class_name="trap.Caught")
    with pytest.raises(GlocalkError, match="import 'trap' before you load the model"):
        glocalk.load("runs/good")
    assert not (place / "exploded").exists()
    __import__("trap")  # one's own completer: whoever imports it trusts it
    assert glocalk.load("runs/good").trained.title == "tiny"


def test_importing_the_package_imports_no_library():
    libraries = ("torch", "numpy", "pandas")
    code = f"import sys, glocalk; print([m for m in {libraries} if m in sys.modules])"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout == "[]\n"
