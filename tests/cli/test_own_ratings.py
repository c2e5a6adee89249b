"""User-supplied ratings, from their file to a row of the table in `runs/report`."""

import csv
import json
import shlex

import numpy as np
import pytest

from command import SMALL, call
from data.matlab import write_full, write_mat, write_sparse
from glocalk.report.local import write_local_table

# The small GLocal-K on other data; the table shows the variant `default`.
OPTIONS = [option for option in SMALL if option.startswith("model.")] + ["variant=default"]


def flixster(users, items):
    """Half stars from 0.5 to 5."""
    return 0.5 * (1 + (7 * users + 3 * items) % 10)


def yahoo_music(users, items):
    """Whole numbers from 1 to 100."""
    return 1 + (37 * users + 11 * items) % 100


SETS = {
    "flixster": (flixster, (0.5, 5), write_full, ("W_users", "W_movies")),
    "flixster without graphs": (flixster, (0.5, 5), write_sparse, ()),
    "yahoo music": (yahoo_music, (1, 100), write_sparse, ("W_tracks",)),
    "yahoo music without graphs": (yahoo_music, (1, 100), write_full, ()),
}
SHAPE = 40, 25  # not square


def matrices(rating, graphs):
    """As MATLAB would show them: user u rates item i where u + 2 i is a multiple of 3."""
    users, items = np.indices(SHAPE)
    rated = (users + 2 * items) % 3 == 0
    test = rated & ((users + items) % 7 == 0)
    sides = {"W_users": SHAPE[0], "W_movies": SHAPE[1], "W_tracks": SHAPE[1]}
    return {
        "M": np.where(rated, rating(users, items), 0),
        "Otraining": (rated & ~test).astype(int),
        "Otest": test.astype(int),
        **{name: np.eye(sides[name]) for name in graphs},
    }


def row_of_the_table(folder, data):
    out = folder / "runs" / "report"
    write_local_table(folder / "runs", folder / "records", out, {})
    rows = csv.DictReader((out / "table1.csv").read_text().splitlines())
    (row,) = (row for row in rows if row["data"] == data and row["protocol"] == "validated")
    return row


@pytest.mark.parametrize("name", SETS)
def test_a_file_of_monti_to_a_row_of_the_table(name, tmp_path):
    rating, scale, write_matrix, graphs = SETS[name]
    write_mat(tmp_path / "own.mat", matrices(rating, graphs), write_matrix)
    process = call("train", "data=monti", "data.path=own.mat", *OPTIONS, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    (path,) = tmp_path.glob("runs/*/record.json")
    record = json.loads(path.read_text())

    # The test ratings of each user, counted by the formula; transposed, there would be 25 users.
    tested = [
        [i for i in range(SHAPE[1]) if (u + 2 * i) % 3 == 0 and (u + i) % 7 == 0]
        for u in range(SHAPE[0])
    ]
    assert record["user_counts"] == [len(items) for items in tested]
    assert record["split"] == "monti"

    validated = record["protocols"]["validated"]
    assert 0 < validated["rmse"] < scale[1] - scale[0]
    assert (validated["ndcg"] is None) == (scale[1] > 10)
    row = row_of_the_table(tmp_path, "monti")
    assert row["model"] == "glocal_k"
    assert float(row["here"]) == pytest.approx(validated["rmse"], abs=1e-6)
    assert row["published"] == ""


def test_the_error_is_that_of_users_by_items(tmp_path):
    # This model predicts the mean of the training ratings.
    made = matrices(yahoo_music, ())
    write_mat(tmp_path / "own.mat", made)
    overrides = ["data=monti", "data.path=own.mat", "model=global_mean", "variant=default"]
    assert call("train", *overrides, cwd=tmp_path).returncode == 0
    cells = [(u, i) for u in range(SHAPE[0]) for i in range(SHAPE[1]) if (u + 2 * i) % 3 == 0]
    test = [yahoo_music(u, i) for u, i in cells if (u + i) % 7 == 0]
    train = [yahoo_music(u, i) for u, i in cells if (u + i) % 7]
    mean = sum(train) / len(train)
    rmse = (sum((rating - mean) ** 2 for rating in test) / len(test)) ** 0.5
    assert float(row_of_the_table(tmp_path, "monti")["here"]) == pytest.approx(rmse, abs=1e-6)


def test_stats_and_train_print_what_was_taken(tmp_path):
    lines = [f"{u},{i},{1 + u * i % 5},{9 * u}\n" for u in range(6) for i in range(5)]
    (tmp_path / "own.csv").write_text("viewer,movie_title,stars,age\n" + "".join(lines))
    taken = (
        "user ← viewer, item ← movie_title, rating ← stars; 30 ratings, 6 users, 5 items, "
        "scale 1–5\n"
    )
    for command in (["stats"], ["train", "model=global_mean"]):
        process = call(*command, "data=csv", "data.path=own.csv", cwd=tmp_path)
        assert process.returncode == 0, process.stderr
        assert process.stdout.count(taken) == 1


def test_train_says_where_the_record_is(tmp_path):
    lines = [f"{u},{i},{1 + u * i % 5}\n" for u in range(6) for i in range(5)]
    (tmp_path / "own.csv").write_text("user,item,rating\n" + "".join(lines))
    command = ("train", "model=global_mean", "data=csv", "data.path=own.csv", "runs_dir=made")
    first = call(*command, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    (record,) = tmp_path.glob("made/*/record.json")
    folder = record.parent.relative_to(tmp_path)
    assert first.stdout.splitlines()[-1].endswith(f"; in '{folder}'")
    again = call(*command, cwd=tmp_path)
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]


def test_the_option_in_a_sentence_works_as_it_is_written(tmp_path):
    lines = [f"{u};{i};{1 + u * i % 5},5\n" for u in range(6) for i in range(5)]
    (tmp_path / "own.csv").write_text("user;item;rating\n" + "".join(lines))
    process = call("stats", "data=csv", "data.path=own.csv", cwd=tmp_path)
    assert process.returncode == 1
    (option,) = shlex.split(process.stderr.strip().removesuffix(".").rpartition("with ")[2])
    process = call("stats", "data=csv", "data.path=own.csv", option, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "scale 1.5–5.5\n" in process.stdout


def test_a_table_with_text_for_ids_to_a_row_of_the_table(tmp_path):
    rows = [f"u{u:02};item {i};{1 + (u * i) % 5}\n" for u in range(20) for i in range(u % 3, 15, 2)]
    (tmp_path / "own.csv").write_text("user;item;stars\n" + "".join(rows))
    process = call("train", "data=csv", "data.path=own.csv", *OPTIONS, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    row = row_of_the_table(tmp_path, "csv")
    assert 0 < float(row["here"]) < 4
    (path,) = tmp_path.glob("runs/*/record.json")
    record = json.loads(path.read_text())
    assert (record["split"], sum(record["user_counts"])) == ("90:10 seed 0", round(len(rows) / 10))
