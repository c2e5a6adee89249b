import csv

from factory import baseline, curves, record, result

from glocalk.records.benchmark import Bench
from glocalk.report.epochs import epochs_files
from glocalk.report.parts import Sources

CURVES = {"final": curves([1.0] * 8, stages=(2, 6))}


def run(seed, best, validated=4, **changes):
    picks = {"best_test": best, "validated": validated, "last": 6, "official": 6}
    protocols = {name: result(0.9, epoch) for name, epoch in picks.items() if epoch is not None}
    return record(seed=seed, protocols=protocols, curves=CURVES, **changes)


def files(tmp_path, *records):
    return epochs_files(Sources(records, [], Bench.read(tmp_path / "none.json")))


def test_every_seed_has_a_row_in_the_csv(tmp_path):
    lent = run(1, 3, validated_epoch_from_seed=0)
    rows = list(csv.DictReader(files(tmp_path, run(0, 5), lent)["epochs.csv"].splitlines()))
    assert rows == [
        {
            **{"model": "glocal_k", "data": "ml_100k", "seed": str(seed), "epochs": "6"},
            **{"best_test": best, "validated": "4", "last": "6", "official": "6"},
            "validated_from_seed": lender,
        }
        for seed, best, lender in ((0, "5", ""), (1, "3", "0"))
    ]


def test_the_table_lists_seeds_and_joins_equal_ones(tmp_path):
    lent = run(1, 3, validated_epoch_from_seed=0)
    text = files(tmp_path, run(0, 5), lent, run(2, 5, validated=None))["epochs.md"]
    assert "| GLocal-K | ML-100K | 6 | 5, 3, 5 | 4, 4†, – | 6 | 6 |\n" in text


def test_models_without_epochs_are_left_out(tmp_path):
    assert files(tmp_path, baseline(), record()) == {}
    assert "bias" not in files(tmp_path, baseline(), run(0, 5))["epochs.csv"]
