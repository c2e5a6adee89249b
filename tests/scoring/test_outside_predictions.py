"""Tables of predictions of every form, put in the order of the test ratings."""

import gzip

import numpy as np
import pandas as pd
import pytest

import glocalk
from glocalk.data.formats.options import ReadOptions
from glocalk.errors import GlocalkError
from glocalk.scoring.order import in_test_order, suspicions
from glocalk.scoring.predictions import Predictions
from scoring.outside import predicted_for, small_split

SPLIT = small_split()
TABLE = predicted_for(SPLIT)
EXPECTED = TABLE.sort_values(["user", "item"])["prediction"].tolist()

NAMED = glocalk.Split(
    "by hand",
    glocalk.Ratings.from_arrays(
        ["ann", "bob", "ann", "bob"], ["x", "x", "y", "y"], [5, 3, 4, 1]
    ).select([0, 1]),
    glocalk.Ratings.from_arrays(
        ["ann", "bob", "ann", "bob"], ["x", "x", "y", "y"], [5, 3, 4, 1]
    ).select([2, 3]),
)


def read(path, *arguments):
    return in_test_order(Predictions.of_file(path, *arguments), SPLIT, "synthetic").tolist()


@pytest.mark.parametrize("form", ["csv", "tsv", "gz", "parquet", "json", "utf-16", "no header"])
def test_a_file_may_have_every_form_of_ratings_and_any_order(form, tmp_path):
    path = tmp_path / "p"
    text = TABLE.to_csv(index=False)
    contents = {
        "csv": text.encode(),
        "tsv": TABLE.to_csv(index=False, sep="\t").encode(),
        "gz": gzip.compress(text.encode()),
        "json": TABLE.to_json(orient="records", lines=True).encode(),
        "utf-16": text.encode("utf-16"),
        "no header": TABLE.to_csv(index=False, header=False).encode(),
    }
    if form == "parquet":
        TABLE.to_parquet(path)
    else:
        path.write_bytes(contents[form])
    assert read(path) == EXPECTED


def test_the_names_of_other_libraries_are_known_and_other_columns_are_said(tmp_path):
    path = tmp_path / "p.csv"
    surprise = TABLE.rename(columns={"user": "uid", "item": "iid", "prediction": "est"})
    surprise.insert(2, "r_ui", 3.0)
    surprise.to_csv(path, index=False)
    table = Predictions.of_file(path)
    assert table.notes == ("user ← uid, item ← iid, prediction ← est; ignored: r_ui",)
    assert in_test_order(table, SPLIT, "synthetic").tolist() == EXPECTED
    lenskit = TABLE.rename(columns={"user": "user_id", "item": "item_id", "prediction": "score"})
    lenskit.to_csv(path, index=False)
    assert read(path) == EXPECTED


def test_columns_and_the_decimal_separator_can_be_chosen(tmp_path):
    path = tmp_path / "p.csv"
    table = TABLE.rename(columns={"prediction": "rating"})
    table.to_csv(path, index=False, sep=";", decimal=",")
    choices = {"prediction": "rating", "user": 0, "item": "item"}
    assert read(path, choices, ReadOptions(decimal=",")) == EXPECTED


def test_a_table_of_ratings_is_read_as_before_where_predictions_have_other_names(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item,prediction,rating\n" + "1,2,0,3\n2,1,0,5\n" * 1 + "3,1,0,4\n")
    split = glocalk.load_split("csv", path=str(path))
    ratings = np.concatenate([split.train.ratings, split.test.ratings])
    assert sorted(ratings) == [3, 4, 5]


@pytest.mark.parametrize("kind", ["float", "object", "text", "Float64"])
def test_a_frame_is_taken_by_its_names(kind):
    table = TABLE.assign(more=1)
    if kind == "text":
        table["prediction"] = table["prediction"].astype(str)
    elif kind != "float":
        table["prediction"] = table["prediction"].astype(kind)
    assert in_test_order(Predictions.of_frame(table), SPLIT, "s").tolist() == EXPECTED
    errors = glocalk.evaluate(table, SPLIT)
    assert errors == glocalk.evaluate(np.array(EXPECTED), SPLIT)
    clipped = np.clip(EXPECTED, 1, 5) - SPLIT.test.ratings
    assert errors["rmse"] == pytest.approx(np.sqrt(np.mean(clipped**2)), rel=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="prediction"), "has no column 'prediction' .it has user, item.:"),
        (lambda t: pd.concat([t, t["user"]], axis=1), "has more than one column 'user'"),
        (lambda t: t[:0], "The table holds no predictions"),
        (lambda t: t.assign(prediction=np.nan), r"30 of 30 .*the first \(empty\) at position 0"),
        (lambda t: t.assign(prediction=True), r"30 of 30 .* \('True'\) at position 0"),
        (lambda t: t.assign(prediction=None), r"30 of 30 .* \(empty\) at position 0"),
        (lambda t: t[1:], "1 of 30 test pairs of split 'planted' has no prediction in the table"),
        (lambda t: pd.concat([t, t[3:4]]), "at position 30 that at position 3, user"),
        (lambda t: t.assign(user=t["user"] + 0.5), "neither a whole number nor text"),
    ],
)
def test_a_damaged_frame_is_named(change, says):
    with pytest.raises(GlocalkError, match=says):
        glocalk.evaluate(change(TABLE), SPLIT)


@pytest.mark.parametrize(
    ("users", "says"),
    [
        (["ann", "Bob"], r"1 of 2 rows .* user .* 'Bob' at position 1 \(did you mean 'bob'\?\)"),
        (["anna", "bob"], r"'anna' at position 0 \(did you mean 'ann'\?\)"),
        (["zoe", "bob"], r"'zoe' at position 0: write"),
        (["ANN", "BOB"], "None of the user ids in the table is in split 'by hand': .*'ann' and no"),
        ([1, 2], "None of the user ids in the table .* 'ann' and not '1'"),
    ],
)
def test_the_nearest_id_is_named(users, says):
    table = pd.DataFrame({"user": users, "item": ["y", "y"], "prediction": [3.0, 4.0]})
    with pytest.raises(GlocalkError, match=says):
        glocalk.evaluate(table, NAMED)


def test_ids_may_be_numbers_or_their_text():
    as_text = TABLE.astype({"user": str})
    as_text["item"] = as_text["item"].map("{}.0".format)
    assert in_test_order(Predictions.of_frame(as_text), SPLIT, "s").tolist() == EXPECTED


def test_another_scale_is_suspected_and_the_right_one_is_not():
    ratings, random = SPLIT.test.ratings, np.random.default_rng(0)
    good = np.clip(ratings + random.normal(0, 1, len(ratings)), 1, 5)
    assert suspicions(good, SPLIT) == ()
    (warning,) = suspicions((good - 1) / 4, SPLIT)
    assert warning.startswith("Warning: the predictions are 0 … 1, and ")
    assert "are not on the scale 1 … 5" in warning
    (warning,) = suspicions(np.full(len(ratings), 1.0), SPLIT)
    assert "all far from" in warning
    assert suspicions(ratings, SPLIT) == ("Warning: the predictions equal the test ratings.",)
