"""Scores beside committed records: the statistics are those of the reports."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import glocalk
from glocalk.errors import GlocalkError
from glocalk.records.identity import config_hash
from glocalk.report.statistics.measured import Measured
from glocalk.report.statistics.paired import holm
from glocalk.run.revealing import RevealedSplit
from glocalk.scoring.compared import records_of
from glocalk.scoring.score import COLUMNS
from glocalk.scoring.written import terminal_text, write_score
from report.factory import record
from scoring.outside import predicted_for, predictions, run_of, small_split

SPLIT = small_split()
TABLE = predicted_for(SPLIT)


@pytest.fixture
def runs():
    """Two seeds of GLocal-K, one of SparseFC, an ablation without `validated`, another split."""
    return [
        run_of(predictions(1)),
        run_of(predictions(2), seed=1),
        run_of(predictions(3), model="sparse_fc"),
        run_of(
            predictions(4),
            ("last", "best_test", "official"),
            **{"experiment": "kernels", "variant": "x", "options": {"kernel_size": 5}},
        ),
        record(model="sparse_fc"),
    ]


@pytest.fixture
def folder(runs, tmp_path):
    for number, run in enumerate(runs):
        run.write(tmp_path / "records" / f"{number}.json")
    return tmp_path / "records"


def test_intervals_differences_and_p_values_are_those_of_the_reports(runs, folder):
    score = glocalk.score(TABLE, SPLIT, name="mine", records=folder, variants=True)
    ours = np.clip(TABLE.sort_values(["user", "item"])["prediction"], 1, 5).to_numpy()
    reference = Measured([*runs[:4], run_of(ours, model="mine")])
    mine, *others = [
        reference.sample(cell, "last" if cell.experiment == "kernels" else "validated")
        for cell in sorted(reference.cells, key=lambda cell: cell.model != "mine")
    ]
    assert score.interval == reference.interval(mine)
    table = score.comparisons
    assert list(table["rmse"]) == sorted(sample.mean for sample in others)
    differences = [reference.difference([(1, mine), (-1, sample)]) for sample in others]
    adjusted = holm([difference.p_value for difference in differences])
    for sample, minus, p in zip(others, differences, adjusted, strict=True):
        (line,) = table[np.isclose(table["rmse"], sample.mean, atol=1e-12)].itertuples()
        assert (line.difference, line.difference_low, line.difference_high) == (
            minus.estimate,
            *minus.interval,
        )
        assert line.p_adjusted == p
        assert (line.low, line.high) == reference.interval(sample)
        assert line.seeds == sample.seeds


def test_errors_are_those_computed_by_hand_and_clipping_can_be_turned_off():
    raw = TABLE.sort_values(["user", "item"])["prediction"].to_numpy()
    ratings = SPLIT.test.ratings
    score = glocalk.score(TABLE, SPLIT)
    assert score.rmse == pytest.approx(np.sqrt(np.mean((np.clip(raw, 1, 5) - ratings) ** 2)))
    assert score.mae == pytest.approx(np.mean(np.abs(np.clip(raw, 1, 5) - ratings)))
    assert score.clipped == np.count_nonzero((raw < 1) | (raw > 5)) > 0
    unclipped = glocalk.score(TABLE, SPLIT, clip=False)
    assert unclipped.rmse == pytest.approx(np.sqrt(np.mean((raw - ratings) ** 2)))
    assert unclipped.clipped is None


def test_the_table_is_sorted_and_marks_the_predictions(folder, tmp_path):
    score = glocalk.score(TABLE, SPLIT, name="mine|*", records=folder, variants=True)
    lines = terminal_text(score).splitlines()
    rows = lines[3:7]
    errors = [float(line.replace("→", "").split()[0]) for line in rows]
    assert errors == sorted(errors)
    (own,) = (line for line in rows if line.startswith("→"))
    assert own.endswith("mine|*")
    assert any(line.endswith("GLocal-K (kernels, x)") for line in rows)
    assert "1 row has no result under `validated`: their last epoch is compared, `last`." in lines
    write_score(score, tmp_path / "out")
    with (tmp_path / "out" / "evaluation.csv").open(newline="") as file:
        own, *others = csv.DictReader(file)
    assert (own["title"], own["rmse"]) == ("mine|*", f"{score.rmse:.6f}")
    assert [row["difference"] for row in others] == [
        f"{minus:.6f}" for minus in score.comparisons["difference"]
    ]
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert content["rmse"] == score.rmse
    assert content["data_checksum"] == SPLIT.checksum
    assert [row["model"] for row in content["comparisons"]] == list(score.comparisons["model"])
    assert None in [row["sd"] for row in content["comparisons"]]
    text = (tmp_path / "out" / "evaluation.md").read_text()
    assert r"| **mine&#124;\*** |" in text


def test_a_folder_of_runs_is_compared_too(runs, tmp_path):
    for number, run in enumerate(runs):
        run.write(tmp_path / f"run{number}" / "record.json")
    (tmp_path / "run0" / "record.json").write_text("damaged")
    score = glocalk.score(TABLE, SPLIT, records=tmp_path, variants=True)
    assert sorted(score.comparisons["seeds"]) == [1, 1, 1]


@pytest.mark.parametrize(
    ("other", "is_left_out"),
    [
        ({"experiment": "table2", "variant": "model.kernel_size=5"}, True),
        ({"experiment": "side", "variant": "data.split_seed=1,model.dates=false"}, True),
        ({"experiment": "side", "variant": "++model.dates=false"}, True),
        ({"variant": "~settings"}, True),
        ({"experiment": "kernels", "model": "glocal_k_scalar"}, True),
        ({"experiment": "fig2", "train_share": 0.2}, True),
        ({"experiment": "folds", "variant": "data.fold=2"}, False),
        ({"experiment": "around", "model": "imc_gae"}, False),
    ],
)
def test_variants_are_compared_if_asked_for(other, is_left_out, tmp_path):
    runs = [run_of(predictions(1)), run_of(predictions(2), options={"rank": 2}, **other)]
    for number, run in enumerate(runs):
        run.write(tmp_path / f"{number}.json")
    score = glocalk.score(TABLE, SPLIT, records=tmp_path)
    assert len(score.rows) == 2 - is_left_out
    assert (
        any(note.startswith("1 further row is left out, ") for note in score.notes) == is_left_out
    )
    every = glocalk.score(TABLE, SPLIT, records=tmp_path, variants=True)
    assert len(every.rows) == 2
    assert not any("further row" in note for note in every.notes)


@pytest.mark.parametrize(
    ("records", "says"),
    [
        (None, "Nothing was compared: name a folder"),
        ("none", "Nothing was compared, because there is no folder '.*none'"),
        ("empty", "Nothing was compared, because no record in '.*empty' is of this split"),
    ],
)
def test_without_records_the_interval_stays_and_a_sentence_says_why(records, says, tmp_path):
    (tmp_path / "empty").mkdir()
    record().write(tmp_path / "empty" / "other.json")
    score = glocalk.score(TABLE, SPLIT, records=records and tmp_path / records)
    assert list(score.comparisons.columns) == list(COLUMNS)
    assert len(score.comparisons) == 0
    assert score.interval.low < score.rmse < score.interval.high
    (note,) = score.notes
    assert re.match(says, note)


def test_one_user_has_no_interval_and_users_with_one_rating_count():
    ratings = glocalk.Ratings.from_arrays([1, 1, 1, 2], [1, 2, 3, 1], [5, 3, 4, 1])
    one = glocalk.Split("one", ratings.select([0, 3]), ratings.select([1, 2]))
    score = glocalk.score([3.0, 5.0], one)
    assert score.interval == pytest.approx((np.sqrt(0.5), np.sqrt(0.5)))
    assert "Warning: one user has all test ratings" in " ".join(score.notes)
    each = glocalk.Split("each", ratings.select([0, 1]), ratings.select([2, 3]))
    score = glocalk.score([4.0, 2.0], each)
    assert (score.users, score.ratings, score.ndcg) == (2, 2, None)
    assert score.interval == (0, 1)
    assert any(note.startswith("NDCG is not defined") for note in score.notes)


def test_what_is_no_prediction_is_refused():
    for given in ([1.0], np.empty(0), [np.nan] * 30):
        with pytest.raises(GlocalkError):
            glocalk.score(given, SPLIT)
    with pytest.raises(GlocalkError, match=r"'none\.csv' cannot be read: there is no such file"):
        glocalk.score("none.csv", SPLIT)
    with pytest.raises(GlocalkError, match="must be a Split, not str"):
        glocalk.score("none.csv", "ml_100k")


def test_the_example_of_the_documentation_runs():
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (code,) = (block for block in blocks if "glocalk.score(" in block)
    names = {}
    exec(code, names)
    score, split = names["score"], names["split"]
    means = split.train.to_frame().groupby("item")["rating"].mean().to_dict()
    other = np.mean(list(means.values()))
    errors = [
        rating - means.get(item, other)
        for _, item, rating in split.test.to_frame().itertuples(index=False)
    ]
    assert score.rmse == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-12)


def test_groups_and_rankings_are_added_if_they_are_asked_for(tmp_path):
    plain = glocalk.score(TABLE, SPLIT)
    assert (plain.groups, plain.eauc, plain.ranking) == (None, None, None)
    score = glocalk.score(TABLE, SPLIT, groups=3, k=5)
    for _, of_kind in score.groups.groupby("kind"):
        assert of_kind["ratings"].sum() == len(SPLIT.test)
        squares = (of_kind["rmse"] ** 2 * of_kind["ratings"]).sum() / len(SPLIT.test)
        assert np.sqrt(squares) == pytest.approx(score.rmse)
    relevant = SPLIT.test.ratings >= 4
    assert score.ranking["users"] == len(set(SPLIT.test.users[relevant]))
    text = terminal_text(score)
    assert "user activity" in text
    assert f"EAUC {score.eauc:.6f}" in text
    assert "Ranking at 5 of the items that a user rated" in text
    write_score(score, tmp_path)
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert content["ranking"] == score.ranking
    assert len(content["groups"]) == len(score.groups)
    assert "Ranking at 5" in (tmp_path / "evaluation.md").read_text()


def test_only_rows_that_knew_as_much_of_new_users_are_compared(tmp_path):
    """The checksum of a split is not over what is folded in after the training."""
    big = glocalk.load_split("synthetic", users=40, items=30, ratings=700)
    cold = big.cold_start("users", 0.2, 0)
    options = {"cold_start": "users"}
    for number, more in enumerate(
        [{}, {"revealed": 0}, {"revealed": 1, "fold_in": True}, {"revealed": 5, "fold_in": True}]
    ):
        protocol = {**options, **more}
        made = run_of(predictions(number), variant=f"protocol.revealed={number}", seed=number)
        config = {**made.config, "protocol": protocol}
        changes = {"config": config, "config_hash": config_hash(config)}
        made.model_copy(update=changes).write(tmp_path / f"{number}.json")
    seeds = {}
    for title, split in (
        ("cold", SPLIT),
        ("one", RevealedSplit("p", SPLIT.train, SPLIT.test, count=1, to_fold_in=cold.test)),
        ("two", RevealedSplit("p", SPLIT.train, SPLIT.test, count=2, to_fold_in=cold.test)),
    ):
        seeds[title] = [run.seed for run in records_of(tmp_path, split)]
    assert seeds == {"cold": [0, 1], "one": [2], "two": []}


def test_a_runs_folder_with_searches_alone_has_no_rows(tmp_path):
    path = tmp_path / "searches" / "synthetic-bias" / "search.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    score = glocalk.score(TABLE, SPLIT, records=tmp_path)
    assert score.rows == ()
    assert any("because no record in" in note for note in score.notes)
