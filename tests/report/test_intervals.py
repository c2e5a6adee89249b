import csv

import pytest
from factory import search

from glocalk.records.benchmark import Bench
from glocalk.report.intervals import intervals_files
from glocalk.report.parts import Sources
from report.claims.runs import run

RUNS = [
    *(run(rmse, seed=seed) for seed, rmse in enumerate((0.89, 0.90))),
    *(run(rmse, model="sparse_fc", seed=seed) for seed, rmse in enumerate((0.91, 0.93))),
    run(0.97, model="bias_mf", settings_from="validation", options={"rank": 16}),
]


def files(tmp_path, *records, searches=()):
    return intervals_files(Sources(records, searches, Bench.read(tmp_path / "none.json")))


def rows(tmp_path, *records):
    made = list(csv.DictReader(files(tmp_path, *records)["intervals.csv"].splitlines()))
    return {(row["data"], row["model"], row["protocol"]): row for row in made}


def test_each_model_has_its_interval_and_its_difference_to_glocal_k(tmp_path):
    row = rows(tmp_path, *RUNS)["ml_100k", "sparse_fc", "validated"]
    assert (row["seeds"], row["mean"], row["sd"]) == ("2", "0.920000", "0.014142")
    assert float(row["low"]) < 0.92 < float(row["high"])
    assert row["glocal_k_minus"] == "-0.025000"
    assert float(row["minus_low"]) < -0.025 < float(row["minus_high"]) < 0
    assert 0 <= float(row["p_adjusted"]) < 0.001


def test_the_interval_is_that_of_the_users(tmp_path):
    # All users have the same squared error for each rating: every resample has the same RMSE.
    made = run(0.9)
    counts = made.user_counts
    even = made.model_copy(
        update={"user_errors": {key: [0.81 * n for n in counts] for key in made.user_errors}}
    )
    row = rows(tmp_path, even)["ml_100k", "glocal_k", "best_test"]
    assert (row["low"], row["high"]) == ("0.900000", "0.900000")


def test_glocal_k_has_no_difference_to_itself(tmp_path):
    row = rows(tmp_path, *RUNS)["ml_100k", "glocal_k", "validated"]
    assert row["glocal_k_minus"] == row["minus_low"] == row["p_adjusted"] == ""


def test_without_glocal_k_there_are_no_differences(tmp_path):
    row = rows(tmp_path, *RUNS[2:])["ml_100k", "sparse_fc", "validated"]
    assert (row["mean"], row["glocal_k_minus"]) == ("0.920000", "")
    assert files(tmp_path) == {}


def test_the_page_has_a_table_for_each_data_set_with_records(tmp_path):
    douban = run(0.72, data="douban", data_checksum="e1e1")
    text = files(tmp_path, *RUNS, douban, searches=[search()])["intervals.md"]
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        *("## ML-100K", "## Douban")
    ]
    (row,) = [line for line in text.splitlines() if line.startswith("| Biased MF |")]
    assert row.startswith("| Biased MF | search, 4 trials | 1 | .9700 | [.")
    assert "| −.0750 | [−.0" in row
    assert row.endswith("| < .001 |")
    (alone,) = [line for line in text.splitlines() if line.startswith("| GLocal-K | – | 1 |")]
    assert alone.endswith("| – | – | – |")


@pytest.mark.parametrize("protocol", ["best_test", "validated"])
def test_p_values_are_adjusted_for_the_models_of_a_table(tmp_path, protocol):
    weak = run(0.901, model="igmc", shift=0.2)
    alone = rows(tmp_path, *RUNS[:2], weak)["ml_100k", "igmc", protocol]
    several = rows(tmp_path, *RUNS, weak)["ml_100k", "igmc", protocol]
    assert float(several["p_adjusted"]) == pytest.approx(float(alone["p_adjusted"]), abs=1e-6)
    # The largest of three keeps its p-value; the smallest is tripled.
    assert float(alone["p_adjusted"]) > 0.01
