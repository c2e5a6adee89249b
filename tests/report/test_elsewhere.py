import pytest
from factory import search
from study import base, csv_rows, other, table

from glocalk.report.experiments import experiment_files
from glocalk.report.parts import Sources
from glocalk.report.published import read_sourced

RECORDS = [
    *(other("around", best=0.895 + seed / 100, model="imc_gae", seed=seed) for seed in (0, 2)),
    other("around", best=0.882, model="bayesian_fm", side_information=True, budget=0.25),
    other("around", best=0.73, model="bayesian_fm", data="douban"),
    base(best=0.88),
    base(best=0.5, model="bias"),
]


@pytest.fixture(scope="module")
def files():
    return experiment_files("around", Sources(RECORDS))


def rows_of(files, data, name="around"):
    return {row[1]: row for row in table(files[f"{name}.md"]) if row[0] == data}


def test_a_row_for_each_model_with_a_figure_and_glocal_k_last(files):
    assert sorted(files) == ["around.csv", "around.md", "around.tex"]
    assert list(rows_of(files, "ML-100K")) == [
        *("sRGCNN", "F-EAE", "IMC-GAE", "Bayesian FM", "Bayesian FM, ordered probit", "GLocal-K"),
    ]
    assert "Bayesian FM" in rows_of(files, "Douban")
    assert "GLocal-K" not in rows_of(files, "Douban")  # no run of Table 1 there
    assert "GRALS" not in rows_of(files, "ML-100K")


def test_published_and_own_figures_stand_beside_each_other(files):
    row = rows_of(files, "ML-100K")["IMC-GAE"]
    assert row[2:10] == [
        *("", "–", ".8967"),
        # .895 and .915: mean .905, deviations ± .01, variance 2 · .0001
        *(".9050 ± .0141", ".9050 ± .0141", ".9000 ± .0000", ".9100 ± .0000", "2"),
    ]
    assert row[-1].startswith("README of swtheing/IMC-GAE")


def test_a_model_without_runs_shows_its_published_figure(files):
    assert rows_of(files, "ML-100K")["F-EAE"][4:] == [
        *(".920", "–", "–", "–", "–", "–", "–", "Hartford et al., ICML 2018"),
    ]


def test_side_information_and_budgets_are_told(files):
    assert rows_of(files, "ML-100K")["Bayesian FM"][2] == "yes"
    assert "25 % of the updates of the full schedule: Bayesian FM on ML-100K." in files["around.md"]


def test_the_csv_has_the_same_figures(files):
    row = csv_rows(files["around.csv"])[2]
    assert (row["data"], row["model"], row["published"]) == ("ml_100k", "imc_gae", ".8967")
    assert row["official_mean"] == "0.905000"
    assert row["seeds"] == "0 2"


def test_the_sets_of_monti_have_a_table_of_their_own():
    found = search(data="flixster", model="bias_mf")
    runs = [
        other("monti", best=0.87, data="flixster", model="bias_mf", settings_from="validation",
              options={"rank": 16}),
        other("monti", best=18.9, data="yahoo_music", model="glocal_k"),
    ]  # fmt: skip
    files = experiment_files("monti", Sources(runs, [found]))
    made = rows_of(files, "Flixster", "monti")
    assert made["Biased MF"][3:6] == ["search, 4 trials", "–", ".8700"]
    assert made["MG-GAT"][4] == ".8735"
    yahoo = rows_of(files, "YahooMusic", "monti")
    assert yahoo["GLocal-K"][5] == "18.9000"
    assert yahoo["sRGCNN"][4] == "22.4"


def test_every_published_figure_elsewhere_has_a_source():
    figures = read_sourced("published_elsewhere.csv")
    assert figures["ml_100k", "bayesian_fm"][0] == ".8833"
    assert figures["yahoo_music", "gc_mc_extra"] == ("20.5", "van den Berg et al., 2017")
    assert all(source and float(rmse) > 0.5 for rmse, source in figures.values())
