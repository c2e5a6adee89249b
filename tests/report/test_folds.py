import pytest
from study import base, csv_rows, other, table

from glocalk.report.experiments import experiment_files
from glocalk.report.parts import Sources


def both(make, ours, theirs, **changes):
    return [make(best=ours, **changes), make(best=theirs, model="sparse_fc", **changes)]


def fold(number, ours, theirs):
    changes = {"experiment": "folds", "variant": f"data.fold={number}", "split": f"u{number}"}
    return both(other, ours, theirs, **changes)


RECORDS = [
    *both(base, 0.890, 0.896),
    base(best=0.5, seed=1),  # one seed of each split counts
    *fold(2, 0.900, 0.902),
    *fold(3, 0.910, 0.911),
    other("folds", "data.fold=4", 0.92, split="u4"),
]


@pytest.fixture(scope="module")
def files():
    return experiment_files("folds", Sources(RECORDS))


def test_a_row_for_each_split_and_one_for_its_data_set(files):
    assert [row[:2] for row in table(files["folds.md"])] == [
        *(["ML-100K", split] for split in ("u1", "u2", "u3", "u4", "u5", "mean ± sd")),
        *(["ML-1M", f"90:10 seed {seed}"] for seed in (1234, 1, 2)),
        ["ML-1M", "mean ± sd"],
    ]
    assert sorted(files) == ["folds.csv", "folds.md", "folds.tex"]


def test_both_models_and_their_difference_on_each_split(files):
    rows = [row[2:5] for row in table(files["folds.md"])]
    assert rows[:5] == [
        [".8900", ".8960", "−.0060"],
        [".9000", ".9020", "−.0020"],
        [".9100", ".9110", "−.0010"],
        [".9200", "–", "–"],
        ["–", "–", "–"],
    ]
    # GLocal-K: .89 .90 .91 .92, variance (2·.015² + 2·.005²) / 3. SparseFC: .896 .902 .911, mean
    # .903, squared deviations 49, 1, 64 e-6. Difference: −6, −2, −1 e-3, mean −3, squares 9, 1, 4.
    assert rows[5] == [".9050 ± .0129", ".9030 ± .0075", "−.0030 ± .0026"]
    assert rows[9] == ["–", "–", "–"]


def test_the_csv_has_every_protocol(files):
    rows = csv_rows(files["folds.csv"])
    assert len(rows) == (5 + 3) * 3
    assert rows[0] == {
        **{"data": "ml_100k", "split": "u1", "protocol": "best_test"},
        **{"glocal_k": "0.890000", "sparse_fc": "0.896000", "difference": "-0.006000"},
    }
    assert [row["protocol"] for row in rows[:3]] == ["best_test", "validated", "last"]
    assert rows[2]["glocal_k"] == "0.910000"


def test_one_split_has_no_spread():
    files = experiment_files("folds", Sources([other("folds", "data.split_seed=2", data="ml_1m")]))
    assert table(files["folds.md"])[-1][2:5] == [".9000", "–", "–"]
