"""Runs on files whose ratings are 0, negative, constant, or of users that are new in the test."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from command import call, only_record

CASES = Path(__file__).parents[1] / "cases"


def train(folder, *arguments):
    """(record, what was printed) of a run that ends well."""
    process = call("train", "data=csv", *arguments, cwd=folder)
    assert process.returncode == 0, process.stderr
    return only_record(folder / "runs"), process.stdout + process.stderr


def triples(name):
    rows = csv.DictReader((CASES / name).read_text().splitlines())
    return [(int(row["user"]), int(row["item"]), float(row["rating"])) for row in rows]


def bias_predictions(train, test, scale):
    """Those of `Bias` with its dampings of 25 and 10, pair by pair, clipped."""
    mean = np.mean([rating for _, _, rating in train])

    def damped(values, damping):
        return sum(values) / (damping + len(values)) if values else 0.0

    items = {item for _, item, _ in train}
    of_item = {i: damped([r - mean for _, j, r in train if j == i], 25) for i in items}
    predicted = []
    for user, item, _ in test:
        rest = [r - mean - of_item[j] for u, j, r in train if u == user]
        predicted.append(mean + of_item.get(item, 0.0) + damped(rest, 10))
    return np.clip(predicted, *scale)


def test_ratings_of_0_give_a_record_with_the_ndcg_of_the_user_that_has_one(tmp_path):
    paths = (f"data.{key}={CASES}/zero_ratings_{part}.csv" for key, part in
             (("path", "train"), ("test_path", "test")))  # fmt: skip
    record, _ = train(tmp_path, *paths, "model=bias")
    test = triples("zero_ratings_test.csv")
    predicted = bias_predictions(triples("zero_ratings_train.csv"), test, (0, 10))
    actual = np.array([rating for _, _, rating in test])
    last = record.protocols["last"]
    assert last.rmse == pytest.approx(np.sqrt(np.mean((predicted - actual) ** 2)), rel=1e-12)
    # User 2 rates item 2 with 9 and item 4 with 6; that of user 1 is not defined.
    gains = (511, 63) if predicted[2] >= predicted[3] else (63, 511)
    ndcg = (gains[0] + gains[1] / np.log2(3)) / (511 + 63 / np.log2(3))
    assert last.ndcg == pytest.approx(ndcg, rel=1e-12)


def test_negative_ratings_give_a_record_without_ndcg_and_a_sentence(tmp_path):
    record, printed = train(
        tmp_path,
        f"data.path={CASES}/negative_train.csv",
        f"data.test_path={CASES}/negative_test.csv",
        "model=bias",
    )
    result = json.loads(next((tmp_path / "runs").glob("*/record.json")).read_text())
    assert {entry["ndcg"] for entry in result["protocols"].values()} == {None}
    assert {entry["ndcg_epoch"] for entry in result["protocols"].values()} == {None}
    test = triples("negative_test.csv")
    predicted = bias_predictions(triples("negative_train.csv"), test, (-9, 9.5))
    actual = np.array([rating for _, _, rating in test])
    expected = np.sqrt(np.mean((predicted - actual) ** 2))
    assert record.protocols["last"].rmse == pytest.approx(expected, rel=1e-12)
    assert "NDCG is not defined on the rating scale -9 … 9.5" in printed
    shown = call("report", "local", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "nan" not in shown.stdout.lower().split()


def test_new_users_are_predicted_the_mean_by_glocal_k(tmp_path):
    record, _ = train(
        tmp_path,
        f"data.path={CASES}/cold_users_train.csv",
        f"data.test_path={CASES}/cold_users_test.csv",
        *("model=glocal_k", "model.hidden_size=10"),
        *("model.pretrain.epochs=2", "model.finetune.epochs=2"),
    )
    mean = np.mean([rating for _, _, rating in triples("cold_users_train.csv")])
    actual = np.array([rating for _, _, rating in triples("cold_users_test.csv")])
    expected = np.sqrt(np.mean((mean - actual) ** 2))
    assert expected == pytest.approx(0.8281, abs=5e-5)
    assert record.protocols["last"].rmse == pytest.approx(expected, rel=1e-6)
    assert record.protocols["best_test"].rmse == pytest.approx(expected, rel=1e-6)


def test_constant_ratings_are_completed_by_soft_impute(tmp_path):
    record, _ = train(
        tmp_path,
        f"data.path={CASES}/constant.csv",
        *("model=soft_impute", "model.rank=20", "model.iterations=30"),
    )
    assert record.protocols["last"].rmse == 0


def test_a_rating_too_large_to_square_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "ratings.csv").write_text("user,item,rating\n1,1,1e300\n1,2,3\n2,1,4\n")
    process = call("train", "data=csv", "data.path=ratings.csv", "model=bias", cwd=tmp_path)
    assert process.returncode == 1
    assert "The rating 1e+300 of user" in process.stderr
    assert "is not within ±1e+12: divide all ratings by a constant." in process.stderr
    assert "Traceback" not in process.stderr
