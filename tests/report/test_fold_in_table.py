import pytest
from study import csv_rows, fold_in_run, table

from glocalk.report.experiments import experiment_files
from glocalk.report.parts import Sources

RECORDS = [
    *(fold_in_run("bias", error, 0, draw) for draw, error in enumerate((1.0, 1.1))),
    *(fold_in_run("bias", error, 5, draw) for draw, error in enumerate((0.9, 0.95))),
    *(fold_in_run("bias", error, 5, draw, seconds=0.5) for draw, error in enumerate((0.91, 0.97))),
    fold_in_run("item_knn", 0.8, 5, new="items"),
    fold_in_run("item_knn", 0.85, 1, new="items", seconds=0.25),
]


@pytest.fixture(scope="module")
def files():
    return experiment_files("fold_in", Sources(RECORDS))


def test_the_files_are_a_table_and_a_figure(files):
    assert sorted(files) == ["fold_in.csv", "fold_in.md", "fold_in.svg", "fold_in.tex"]
    assert files["fold_in.svg"].startswith("<?xml")


def test_folded_in_and_trained_on_stand_side_by_side(files):
    items, users = table(files["fold_in.md"])
    assert users == [
        *("ML-100K", "users", "User + item bias", "1.0500 ± .0707"),
        *("–", "–", "–"),  # nothing was made with one rating
        *(".9400 ± .0424", ".9250 ± .0354", "+.0150"),  # (.91 − .9 + .97 − .95) / 2
        *("0.5", "2", "2"),
    ]
    # Different numbers of ratings have no difference.
    assert items[3:] == ["–", ".8500", "–", "–", "–", ".8000", "–", "0.25", "2", "1"]


def test_the_csv_has_a_line_for_each_number_of_ratings(files):
    rows = csv_rows(files["fold_in.csv"])
    users = {row["revealed"]: row for row in rows if row["new"] == "users"}
    assert list(users) == ["0", "5"]
    assert users["0"]["folded_in"] == users["0"]["difference"] == ""
    assert float(users["5"]["difference"]) == pytest.approx(0.015)
    assert users["5"]["draws"] == "2"
    assert float(users["5"]["fold_in_seconds"]) == 0.5
    assert float(users["5"]["training_seconds"]) == 2  # 3, less 1 of evaluation


def test_no_records_no_files():
    assert experiment_files("fold_in", Sources([])) == {}


def test_seeds_of_a_draw_are_averaged_and_runs_of_other_options_have_no_row():
    more = [
        *(fold_in_run("bias", error, 5, seed=1) for error in (1.1,)),
        fold_in_run("bias", 9.0, 10).model_copy(
            update={"variant": "model.item_damping=3,protocol.cold_start=users"}
        ),
    ]
    files = experiment_files("fold_in", Sources([*RECORDS, *more]))
    rows = csv_rows(files["fold_in.csv"])
    users = {row["revealed"]: row for row in rows if row["new"] == "users"}
    assert list(users) == ["0", "5"]
    assert float(users["5"]["trained"]) == pytest.approx((((0.9 + 1.1) / 2) + 0.95) / 2)
    assert "mean over seeds 0, 1 for each draw" in files["fold_in.md"]
    one = experiment_files("fold_in", Sources(RECORDS))["fold_in.md"]
    assert "one training of seed 0 for each draw" in one
