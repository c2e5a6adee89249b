import pytest
from study import csv_rows, other, table, uncertain_run

from glocalk.report.experiments import experiment_files
from glocalk.report.parts import Sources

RECORDS = [
    uncertain_run("gc_mc", 0.91, 1.25, data="douban"),
    uncertain_run("gc_mc", 0.9, 1.25),
    uncertain_run("bayesian_mf", 0.89, 1.2, density_nll=1.3),
    uncertain_run("bayesian_mf", 0.91, 1.4, density_nll=1.5, seed=1),
    uncertain_run("global_mean", 1.15, 1.5),
    uncertain_run("global_mean", 0.7, 1.1, data="own"),
    other("uncertainty", model="bias"),  # gives no distribution
]


@pytest.fixture(scope="module")
def files():
    return experiment_files("uncertainty", Sources(RECORDS))


def test_the_reference_comes_first_and_seeds_are_averaged(files):
    assert sorted(files) == ["uncertainty.csv", "uncertainty.md", "uncertainty.tex"]
    assert table(files["uncertainty.md"]) == [
        ["ML-100K", "Global mean", "", "1.1500", "1.5000", ".7500", ".950", ".812", ".956"],
        ["ML-100K", "Bayesian MF", "", ".9000", "1.3000", ".6500", ".950", ".812", ".956"],
        ["ML-100K", "GC-MC", "", ".9000", "1.2500", ".6250", ".950", ".812", ".956"],
        ["Douban", "GC-MC", "", ".9100", "1.2500", ".6250", ".950", ".812", ".956"],
        ["own", "Global mean", "", ".7000", "1.1000", ".5500", ".950", ".812", ".956"],
    ]


def test_the_csv_has_all_figures(files):
    rows = {(row["data"], row["model"]): row for row in csv_rows(files["uncertainty.csv"])}
    bayesian, gc_mc = rows["ml_100k", "bayesian_mf"], rows["ml_100k", "gc_mc"]
    assert bayesian["seeds"] == "0 1"
    assert float(bayesian["density_nll"]) == pytest.approx(1.4)
    assert gc_mc["density_nll"] == ""
    assert [float(gc_mc[f"width_{percent}"]) for percent in (50, 80, 95)] == [1.25, 2.5, 3.5]
    assert float(gc_mc["coverage_50"]) == 0.51


def test_other_variants_are_left_out():
    changed = uncertain_run(variant="model.rank=20")
    assert experiment_files("uncertainty", Sources([changed])) == {}
