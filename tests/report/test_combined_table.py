"""The table of combinations: members, weights, and what they are compared with."""

import csv
import io

import pytest
from scipy.stats import ttest_1samp

from glocalk.records.run import Member, Record
from glocalk.report.combined import combined_files
from glocalk.report.parts import Sources
from report.factory import baseline, record


def made(model, rmse, **changes):
    return baseline(model, rmse, experiment="combined", **changes)


WEIGHTS = {"bias": 0.25, "item_knn": 0.75}
MEMBERS = [
    Member(model=name, seed=0, weights={"validated": weight, "last": weight}, seconds=5.0)
    for name, weight in WEIGHTS.items()
]
STACK = made("stack", 0.9, members=MEMBERS)
RUNS = [
    STACK,
    made("bias", 0.94),
    made("item_knn", 0.92),
    made("svd_pp", 0.89),  # no member
    record(experiment="table1", model="item_knn", best=0.5, last=0.5, validated=0.5),
]


def rows(records):
    return list(csv.DictReader(io.StringIO(combined_files(Sources(records))["combined.csv"])))


def test_a_combination_stands_beside_the_best_of_its_members():
    validated, last = rows(RUNS)
    assert (validated["protocol"], last["protocol"]) == ("validated", "last")
    assert last["best_member"] == "item_knn"
    assert float(last["minus_best"]) == pytest.approx(-0.02)
    assert last["members"] == "bias/0=0.250000 item_knn/0=0.750000"


def test_a_mean_of_several_trainings_stands_beside_the_mean_of_their_errors():
    members = [
        Member(model="bias", seed=seed, weights={"validated": 0.5, "last": 0.5}, seconds=5.0)
        for seed in (0, 1)
    ]
    trainings = [made("bias", 0.94), made("bias", 0.92, seed=1), made("bias", 0.5, seed=2)]
    (row, _) = rows([made("ensemble", 0.9, members=members), *trainings])
    assert float(row["best_mean"]) == pytest.approx(0.93)
    assert float(row["minus_best"]) == pytest.approx(-0.03)
    (row, _) = rows([made("ensemble", 0.9, members=members), *trainings[:1]])
    assert row["best_member"] == row["minus_best"] == ""


def test_the_table_names_members_by_weight():
    table = combined_files(Sources(RUNS))["combined.md"]
    assert "Item-kNN 0.750, User + item bias 0.250" in table
    assert "−.0200" in table


def test_a_member_without_the_seed_of_the_combination_is_not_compared():
    (row, _) = rows([made("stack", 0.9, members=MEMBERS), made("bias", 0.94, seed=1)])
    assert row["best_member"] == row["minus_best"] == ""


def test_members_are_written_where_there_are_any_alone(tmp_path):
    STACK.write(tmp_path / "stack.json")
    assert Record.read(tmp_path / "stack.json").members == MEMBERS
    made("bias", 0.94).write(tmp_path / "bias.json")
    assert "members" not in (tmp_path / "bias.json").read_text()


def test_members_without_weight_are_counted():
    nothing = {"model": "svd_pp", "weights": {"validated": 0.0, "last": 4e-4}}
    members = [MEMBERS[0], MEMBERS[0].model_copy(update=nothing)]
    table = combined_files(Sources([made("stack", 0.9, members=members)]))["combined.md"]
    assert "User + item bias 0.250, 1 without weight" in table


def test_a_stack_of_several_seeds_is_named_after_their_number():
    several = made("stack", 0.9, members=MEMBERS, variant="model.seeds=3")
    other = made("stack", 0.9, members=MEMBERS, variant="model.method=ridge")
    table = combined_files(Sources([several, other]))["combined.md"]
    assert "| Stacking, mean of 3 seeds |" in table
    assert "| Stacking, model.method=ridge |" in table


TABLED = [
    baseline("bias", 0.95),
    baseline("svd_pp", 0.88),
    baseline("svd_pp", 0.90, seed=1),
    baseline("mg_gat", 0.85, experiment="around", side_information=True),
    baseline("item_knn", 0.2, data_checksum="ffff"),  # another split
    baseline("item_knn", 0.2, train_share=0.5),
    baseline("item_knn", 0.2, variant="model.neighbors=1"),
    baseline("item_knn", 0.2, data="douban"),
    baseline("item_knn", 0.2, experiment="fold_in"),
]


def test_a_combination_stands_beside_the_best_single_model_of_all_tables():
    """The mean of two seeds of SVD++, (.88 + .90)/2; MG-GAT knows more than the members do."""
    (row, _) = rows([STACK, *TABLED])
    assert (row["best_single"], row["single_experiment"]) == ("svd_pp", "table1")
    assert float(row["single_mean"]) == pytest.approx(0.89)
    assert float(row["minus_single"]) == pytest.approx(0.01)
    with_side = made("stack_side", 0.9, members=MEMBERS, side_information=True)
    (row, _) = rows([with_side, *TABLED])
    assert (row["best_single"], row["single_experiment"]) == ("mg_gat", "around")
    table = combined_files(Sources([with_side, *TABLED]))["combined.md"]
    assert "| MG-GAT‡ | .8500 | +.0500 |" in table
    assert "‡: with side information." in table


def test_single_models_of_own_data_have_its_options_in_their_variant():
    own = {"data": "csv", "variant": "data.path=a.csv", "data_checksum": "aaaa"}
    single = baseline("svd_pp", 0.88, **own)
    (row, _) = rows([made("stack", 0.9, members=MEMBERS, **own), single, *TABLED])
    assert (row["best_single"], float(row["single_mean"])) == ("svd_pp", 0.88)


def test_the_note_names_the_experiments_whose_records_there_are():
    table = combined_files(Sources([STACK, *TABLED]))["combined.md"]
    assert "in the records of `table1` and `around`;" in table
    table = combined_files(Sources([STACK, TABLED[0]]))["combined.md"]
    assert "in the records of `table1`;" in table


def test_a_member_is_a_single_model_where_no_table_has_it():
    lucky = made("svd_pp", 0.5)  # one training, although the table has the model
    (row, _) = rows([STACK, lucky, made("bayesian_mf", 0.7), *TABLED])
    assert (row["best_single"], row["single_experiment"]) == ("bayesian_mf", "combined")


def test_without_single_models_nothing_is_compared():
    (row, _) = rows([STACK])
    assert row["best_single"] == row["single_mean"] == row["minus_single"] == ""


def spread(run, offsets):
    """The run with errors that differ between users; their sum stays as the offsets' is 0."""
    errors = {
        key: [sum(of) / len(of) + off for off in offsets] for key, of in run.user_errors.items()
    }
    return run.model_copy(update={"user_errors": errors})


def test_p_values_are_adjusted_for_both_comparisons():
    """Four tests of one p-value, that of the users' linearized differences: Holm's factor is 4."""
    users = {"user_counts": [1] * 6}
    ours, theirs = [0.3, -0.3, 0.2, -0.2, 0, 0], [0.2, -0.2, 0.3, -0.3, 0.1, -0.1]
    stack = spread(made("stack", 0.9, members=MEMBERS[:1], **users), ours)
    bias = spread(baseline("bias", 0.99, **users), theirs)
    (row, _) = rows([stack, bias, bias.model_copy(update={"experiment": "combined"})])
    moves = [0.9 + a / 1.8 - 0.99 - b / 1.98 for a, b in zip(ours, theirs, strict=True)]
    expected = 4 * ttest_1samp(moves, 0).pvalue
    assert 0 < expected < 1
    assert float(row["p_adjusted"]) == pytest.approx(expected, abs=1e-6)
    assert float(row["single_p_adjusted"]) == pytest.approx(expected, abs=1e-6)
