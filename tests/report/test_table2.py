import pytest
from study import base, csv_rows, other, table

from glocalk.report.experiments import experiment_files
from glocalk.report.parts import Sources

RECORDS = [
    base(0.890, validated=0.891, seed=0),
    base(0.892, validated=0.893, seed=1),
    base(0.900, validated=0.901, seed=3),  # no variant has this seed
    other("table2", "model.kernel_size=5", 0.894, validated=0.896, last=0.95, seed=0),
    other("table2", "model.kernel_size=5", 0.898, validated=0.898, last=0.97, seed=1,
          validated_epoch_from_seed=0),
    other("table2", "model.aggregation=average", 0.7304, data="douban", seed=0),
]  # fmt: skip


@pytest.fixture(scope="module")
def files():
    return experiment_files("table2", Sources(RECORDS))


def test_it_is_made_as_csv_markdown_and_latex(files):
    assert sorted(files) == ["table2.csv", "table2.md", "table2.tex"]


def test_a_row_for_each_value_of_each_option(files):
    assert [row[:2] for row in table(files["table2.md"])] == [
        ["kernel size", "3×3 (base)"],
        ["kernel size", "5×5"],
        ["kernel size", "7×7"],
        ["convolution layers", "1 (base)"],
        ["convolution layers", "2"],
        ["convolution layers", "3"],
        ["kernel aggregation", "average"],
        ["kernel aggregation", "weighted (base)"],
    ]


def test_ours_beside_the_published_and_nothing_where_nothing_was_run(files):
    three, five, seven, *_, average, weighted = table(files["table2.md"])
    nothing = ["–", "–", "–"]
    # Mean of .890, .892 and .900 is .894; squared deviations 16, 4, 36 e-6, so sd = √(28e-6).
    assert three[2:6] == weighted[2:6] == [".890", ".8940 ± .0053", ".8950 ± .0053", "3"]
    # Two values d apart have sd d/√2.
    assert five[2:6] == [".891", ".8960 ± .0028", ".8970 ± .0014", "2"]
    assert five[6:] == [".823", *nothing, ".723", *nothing]
    assert seven[2:] == [".891", *nothing, ".823", *nothing, ".723", *nothing]
    assert average[10:] == [".730", ".7304", ".9000", "1"]


def test_the_csv_has_the_last_epoch_and_differences_over_common_seeds(files):
    rows = {
        (row["varied"], row["value"], row["data"]): row for row in csv_rows(files["table2.csv"])
    }
    assert len(rows) == 8 * 3
    five = rows["kernel_size", "5", "ml_100k"]
    assert five["published"] == "0.891"
    assert float(five["last_mean"]) == pytest.approx(0.96)
    assert float(five["last_sd"]) == pytest.approx(0.02 / 2**0.5, abs=1e-6)
    # Seeds 0 and 1: (.894 − .890 + .898 − .892) / 2; validated (.896 − .891 + .898 − .893) / 2.
    assert float(five["best_test_minus_base"]) == pytest.approx(0.005)
    assert float(five["validated_minus_base"]) == pytest.approx(0.005)
    assert five["seeds"] == "0 1"
    three = rows["kernel_size", "3", "ml_100k"]
    assert (three["seeds"], three["best_test_minus_base"]) == ("0 1 3", "")
    nothing = rows["kernel_size", "7", "ml_1m"]
    assert [nothing[name] for name in ("published", "best_test_mean", "seeds")] == ["0.823", "", ""]


def test_the_notes_say_what_the_variants_are_and_who_chose_the_epoch(files):
    for name in ("table2.md", "table2.tex"):
        assert "Neither the paper nor the official code defines the variants" in files[name]
        assert "ReLU after each" in files[name]
        assert "glocalk reproduce experiment=table2" in files[name]
    # Table 1's three runs stand in three rows, and are the same runs.
    assert "1 of the 6 runs made no selection run" in files["table2.md"]
    assert "ML-1M seed 0 alone and no kernel sizes" in files["table2.md"]
