import statistics

import pytest
from study import csv_rows, fold_run, table

from glocalk.report.experiments import experiment_files
from glocalk.report.parts import Sources

ERRORS = (0.90, 0.92, 0.91, 0.95, 0.92)
RECORDS = [
    *(fold_run(fold, error) for fold, error in enumerate(ERRORS, start=1)),
    *(fold_run(fold, 0.8, model="item_knn") for fold in (1, 2, 3)),
    fold_run(1, 0.7, model="bias_mf", seed=0),
    fold_run(1, 0.8, model="bias_mf", seed=1),
    *(fold_run(fold, fold, data="csv", changed="data.path=a|b.csv", folds=2) for fold in (1, 2)),
]


@pytest.fixture(scope="module")
def files():
    return experiment_files("cross_validation", Sources(RECORDS))


def test_a_row_for_each_model_with_its_folds(files):
    assert [row[:4] for row in table(files["cross_validation.md"])] == [
        ["ML-100K", "User + item bias", "", "5 of 5"],
        ["ML-100K", "Item-kNN", "", "3 of 5"],
        ["ML-100K", "Biased MF", "", "1 of 5"],
        ["csv", "User + item bias", "<code>data.path=a&#124;b.csv</code>", "2 of 2"],
    ]
    assert sorted(files) == [f"cross_validation.{suffix}" for suffix in ("csv", "md", "tex")]


def test_mean_and_sample_standard_deviation_over_folds(files):
    rows = table(files["cross_validation.md"])
    # Around the mean .92: 4, 0, 1, 9, 0 times 1e-4, of which a quarter is .00035.
    assert rows[0][4:] == [".9100 ± .0187", ".9200 ± .0187", ".9300 ± .0187"]
    assert rows[3][5] == "1.5000 ± .7071"
    assert rows[2][5] == ".7500"  # of one fold, a mean over its two seeds


def test_the_csv_has_every_fold(files):
    rows = csv_rows(files["cross_validation.csv"])
    assert len(rows) == 4 * 3
    (row,) = (
        row for row in rows if (row["data"], row["model"], row["protocol"])
        == ("ml_100k", "bias", "validated")
    )  # fmt: skip
    by_fold = [float(error) for error in row["by_fold"].split()]
    assert by_fold == list(ERRORS)
    assert (row["folds"], row["of"]) == ("5", "5")
    assert float(row["sd"]) == pytest.approx(statistics.stdev(ERRORS), abs=1e-6)
