import statistics

import pytest
from study import cold_start_run, csv_rows, table

from glocalk.report.experiments import experiment_files
from glocalk.report.parts import Sources

PLAIN = "model.dates=false,model.item_features=[],model.user_features=[]"
RECORDS = [
    *(cold_start_run("bias", error, draw) for draw, error in enumerate((1.0, 1.1, 1.2))),
    *(cold_start_run("gc_mc", error, draw) for draw, error in enumerate((1.1, 1.2, 1.3))),
    *(
        cold_start_run("gc_mc_extra", error, draw, side_information=True)
        for draw, error in enumerate((0.9, 1.05, 1.1))
    ),
    cold_start_run("bias", 1.5, new="users"),
    cold_start_run("bayesian_fm", 1.3, new="users", side_information=True),
    cold_start_run("bayesian_fm", 1.35, new="users", changed=PLAIN),
    cold_start_run("mg_gat", 1.4, new="users", data="douban", side_information=True),
]


@pytest.fixture(scope="module")
def files():
    return experiment_files("cold_start", Sources(RECORDS))


def test_a_row_for_each_model_and_what_is_new(files):
    assert [row[:4] for row in table(files["cold_start.md"])] == [
        ["ML-100K", "items", "User + item bias", ""],
        ["ML-100K", "items", "GC-MC", ""],
        ["ML-100K", "items", "GC-MC + Extra", "yes"],
        ["ML-100K", "users", "User + item bias", ""],
        ["ML-100K", "users", "Bayesian FM", "yes"],
        ["ML-100K", "users", "Bayesian FM, no attributes, no dates", ""],
        ["Douban", "users", "MG-GAT", "yes"],
    ]
    assert sorted(files) == ["cold_start.csv", "cold_start.md", "cold_start.tex"]


def test_means_over_draws_and_differences_on_the_same_draws(files):
    row = table(files["cold_start.md"])[2]
    # −.1, −.05, −.1 against bias: mean −.0833, sd .0289; t(.975, 2) = 4.3027, so ± .0717.
    # −.2, −.15, −.2 against GC-MC: mean −.1833.
    assert row[4:] == [
        *("1.0167 ± .1041", "−.0833", "[−.1550, −.0116]", "−.1833", "[−.2550, −.1116]", "3"),
    ]


def test_one_draw_has_no_interval(files):
    rows = table(files["cold_start.md"])
    assert rows[3][4:] == ["1.5000", "–", "–", "–", "–", "1"]
    assert rows[4][4:] == ["1.3000", "−.2000", "–", "−.0500", "–", "1"]
    assert rows[5][4:] == ["1.3500", "−.1500", "–", "–", "–", "1"]
    assert rows[6][4:] == ["1.4000", "–", "–", "–", "–", "1"]  # no baseline there


def test_the_csv_has_every_protocol(files):
    rows = [row for row in csv_rows(files["cold_start.csv"]) if row["model"] == "gc_mc_extra"]
    assert [(row["protocol"], row["against"]) for row in rows] == [
        (protocol, against)
        for protocol in ("best_test", "validated", "last")
        for against in ("bias", "gc_mc")
    ]
    assert float(rows[0]["mean"]) == pytest.approx(statistics.fmean((0.89, 1.04, 1.09)), abs=1e-6)
    assert rows[2]["side_information"] == "yes"
