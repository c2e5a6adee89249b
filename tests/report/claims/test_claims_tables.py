import csv

from glocalk.records.benchmark import Bench
from glocalk.report.claims.tables import claims_files
from glocalk.report.parts import Sources
from report.claims.runs import PROTOCOLS, run

RUNS = [
    *(run(rmse, seed=seed) for seed, rmse in enumerate((0.89, 0.894))),
    *(run(rmse, model="sparse_fc", seed=seed) for seed, rmse in enumerate((0.90, 0.902))),
    run(0.95, model="igmc", last=0.94),
]


def files(tmp_path, *runs):
    return claims_files(Sources(runs, [], Bench.read(tmp_path / "none.json")))


def test_without_runs_there_are_no_claims(tmp_path):
    assert files(tmp_path) == {}
    assert files(tmp_path, run(0.9, experiment="fig2", train_share=0.2)) == {}


def test_the_csv_has_a_row_for_each_case_and_protocol(tmp_path):
    rows = list(csv.DictReader(files(tmp_path, *RUNS)["claims.csv"].splitlines()))
    cases = [row for row in rows if row["claim"] == "others"]
    assert len(cases) == 21 * len(PROTOCOLS)
    (row,) = [
        row
        for row in cases
        if (row["data"], row["against"], row["protocol"]) == ("ml_100k", "SparseFC", "validated")
    ]
    assert row["source"] == "Abstract, section 4.1, Table 1"
    assert (row["published"], row["difference"]) == ("-0.0050", "-0.009000")
    assert row["spread"] == "0.003162"  # √(.004²/2 + .002²/2)
    assert (row["verdict"], row["spread_lent"], row["seeds"]) == ("holds", "no", "2 2")
    missing = next(row for row in cases if row["against"] == "MG-GAT")
    assert missing["verdict"] == "not measured"
    assert missing["difference"] == missing["seeds"] == ""


def test_the_page_states_the_rule_and_shows_each_protocol(tmp_path):
    text = files(tmp_path, *RUNS)["claims.md"]
    assert "the interval lies below 0, p is below 5 %, and\nthe difference is larger" in text
    (row, *_) = [line for line in text.splitlines() if line.startswith("| ML-100K | SparseFC |")]
    cells = row.strip("| ").split(" | ")
    assert cells[:4] == ["ML-100K", "SparseFC", "−.0050", "2/2"]
    assert cells[4].startswith("**holds**<br>−.0090 ± .0032<br>[−.0")
    assert cells[5:] == ["as `best_test`"] * 3
    (igmc, *_) = [line for line in text.splitlines() if line.startswith("| ML-100K | IGMC |")]
    # One seed, and no other run of the model that tells a spread.
    assert "**cannot be told**<br>−.0580 ± – †<br>" in igmc
    assert "**cannot be told**<br>−.0480 ± – †<br>" in igmc  # the last epoch


def test_the_overview_counts_verdicts(tmp_path):
    text = files(tmp_path, *RUNS)["claims.md"]
    overview = text.partition("## Overview")[2].partition("\n## ")[0]
    row = next(line for line in overview.splitlines() if "each other model" in line)
    counts = "holds: 1<br>cannot be told: 1<br>not measured: 19"
    assert row.endswith(f"| 21 | {counts} | {counts} | {counts} | {counts} |")
