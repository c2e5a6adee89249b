import csv
from importlib import resources

import pytest
from factory import baseline, record, search

from glocalk.report import table1
from glocalk.report.cells import model_title, table1_cells
from glocalk.report.published import read_published
from glocalk.report.statistics.measured import Measured

PUBLISHED = read_published()


def cells(*records):
    return table1_cells(records, PUBLISHED)


def table1_csv(made, searches=()):
    measured = Measured(run for cell in made for run in cell.runs)
    return table1.table1_csv(made, searches, measured)


def table1_markdown(made, searches=()):
    return table1.table1_markdown(made, searches)


def table1_tex(made, searches=()):
    return table1.table1_tex(made, searches)


def csv_row(text, model, data):
    (row,) = [
        row
        for row in csv.DictReader(text.splitlines())
        if (row["model"], row["data"]) == (model, data)
    ]
    return row


def markdown_row(text, title):
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


THREE_SEEDS = [
    record(0.88, 0.90, 0.93, 0.95, seed=0, seconds={"total": 90.0, "final": 10.0}),
    record(0.89, 0.91, 0.94, None, seed=1, seconds={"total": 90.0, "final": 30.0}),
    record(0.90, 0.95, 0.95, 0.97, seed=2, seconds={"total": 90.0, "final": 11.0}),
]


def test_every_model_has_a_title_of_its_own():
    files = (resources.files("glocalk.conf") / "model").iterdir()
    names = {file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")}
    assert not {name for name in names if model_title(name) == name}
    assert len({model_title(name) for name in names}) == len(names)


def test_means_and_sample_deviations():
    row = csv_row(table1_csv(cells(*THREE_SEEDS)), "glocal_k", "ml_100k")
    assert row == {
        "model": "glocal_k",
        "side_information": "no",
        "data": "ml_100k",
        "published": "0.890",
        "best_test_mean": "0.890000",
        "best_test_sd": "0.010000",  # √((.01² + 0 + .01²) / 2)
        # Of two users, one has all errors and 3 of the 4 ratings. Both are drawn alike every
        # second time, the one twice every fourth (RMSE · √(4/3)), the other twice every fourth (0).
        "best_test_low": "0.000000",
        "best_test_high": f"{0.89 * (4 / 3) ** 0.5:.6f}",
        "validated_mean": "0.920000",
        "validated_sd": "0.026458",  # √((.02² + .01² + .03²) / 2) = √.0007
        "validated_low": "0.000000",
        "validated_high": f"{0.92 * (4 / 3) ** 0.5:.6f}",
        "held_out_mean": "0.960000",  # of the two seeds that have it
        "last_mean": "0.940000",
        "last_sd": "0.010000",
        "official_mean": "0.890000",
        "seeds": "3",
        "training_seconds_median": "11.0",
        "hyperparameters": "–",  # a made-up config without options
        "trials": "",
    }


def test_official_of_a_figure_that_others_published_is_by_their_rule():
    made = record(model="sparse_fc", best=0.88, official=0.905)
    assert csv_row(table1_csv(cells(made)), "sparse_fc", "ml_100k")["official_mean"] == "0.880000"


def test_official_is_its_own_column():
    made = record(best=0.88, official=0.905)
    assert csv_row(table1_csv(cells(made)), "glocal_k", "ml_100k")["official_mean"] == "0.905000"


def test_one_seed_has_no_deviation():
    row = csv_row(table1_csv(cells(record(held_out=None))), "glocal_k", "ml_100k")
    assert [row["best_test_sd"], row["validated_sd"], row["last_sd"]] == ["", "", ""]
    assert row["held_out_mean"] == ""


def test_a_deterministic_model_has_no_deviation():
    row = csv_row(table1_csv(cells(baseline(seed=0), baseline(seed=1))), "bias", "ml_100k")
    assert (row["best_test_mean"], row["best_test_sd"]) == ("0.943700", "")
    assert row["published"] == ""


def test_cells_without_records_keep_their_published_figure():
    text = table1_csv(cells())
    assert len(text.splitlines()) == 1 + 24
    row = csv_row(text, "mg_gat", "douban")
    assert (row["published"], row["side_information"], row["seeds"]) == ("0.727", "yes", "0")
    assert row["best_test_mean"] == row["training_seconds_median"] == ""


@pytest.mark.parametrize(
    "change", [{"experiment": "table2"}, {"variant": "kernel_size=5"}, {"train_share": 0.5}]
)
def test_other_experiments_do_not_enter(change):
    assert table1_csv(cells(record(**change))) == table1_csv(cells())


def test_the_papers_layout():
    text = table1_markdown(cells(*THREE_SEEDS, record(data="douban", best=0.7226)))
    header, _, *rows = text.splitlines()
    assert header.startswith(
        "| Model | Side inf. | ML-100K<br>published | ML-100K<br>`best_test` | "
        "ML-100K<br>`validated` | ML-100K<br>`last` | ML-1M<br>published |"
    )
    assert rows[0].startswith("| LLORMA |")
    assert rows[11].startswith("| GLocal-K |")
    assert markdown_row(text, "GLocal-K") == [
        *("GLocal-K", "", ".890", ".8900 ± .0100", ".9200 ± .0265", ".9400 ± .0100"),
        *(".822", "–", "–", "–", ".721", ".7226", ".9000", ".9100", "–"),
    ]
    assert markdown_row(text, "MG-GAT") == [
        *("MG-GAT", "yes", ".890", "–", "–", "–", "–", "–", "–", "–", ".727", "–", "–", "–", "–")
    ]


def test_models_outside_the_paper_head_the_table():
    records = [baseline("zoo", 0.95), baseline("bias", 0.9437), baseline("global_mean", 1.15366)]
    rows = [line.split(" | ")[0] for line in table1_markdown(cells(*records)).splitlines()[2:8]]
    assert rows == [
        "| *Not in the paper's table*",
        "| Global mean",
        "| User + item bias",
        "| zoo",
        "| *Table 1 of the paper*",
        "| LLORMA",
    ]
    assert markdown_row(table1_markdown(cells(*records)), "Global mean")[3] == "1.1537"


def test_other_data_sets_are_in_the_csv_alone():
    made = cells(record(data="synthetic", best=0.5))
    assert csv_row(table1_csv(made), "glocal_k", "synthetic")["best_test_mean"] == "0.500000"
    assert table1_markdown(made) == table1_markdown(cells())


def test_notes():
    lent = [record(seed=seed, data="ml_1m", validated_epoch_from_seed=0) for seed in (1, 2)]
    searched = record(model="sparse_fc", seed=4)
    text = table1_markdown(cells(*THREE_SEEDS, record(data="ml_1m"), *lent, searched, baseline()))
    notes = text.split("\n\n")[1].splitlines()
    for protocol in ("best_test", "validated", "last", "held_out", "official"):
        assert sum(note.startswith(f"- `{protocol}`: ") for note in notes) == 1
    assert "- Seeds 0, 1 and 2: GLocal-K on ML-100K and ML-1M." in notes
    assert "- Seed 4: SparseFC on ML-100K." in notes
    assert "- Deterministic, one run: User + item bias on ML-100K." in notes
    (borrowed,) = [note for note in notes if "from seed" in note]
    assert borrowed == (
        "- Seeds 1 and 2 take the `validated` epoch from seed 0 and have no `held_out`: "
        "GLocal-K on ML-1M."
    )
    assert sum(note.startswith("- Hyperparameters: `paper` are") for note in notes) == 1
    (epochs,) = [note for note in notes if "No epochs" in note]
    assert epochs.endswith(": User + item bias on ML-100K.")
    assert any(note.startswith("- SparseFC, published figure on ML-100K and on") for note in notes)


def test_a_column_says_what_hyperparameters_were_chosen_by():
    ranked = {"model": "bias_mf", "settings_from": "validation"}
    made = [record(options={"rank": rank}, data=data, **ranked) for rank, data in (
        (16, "ml_100k"), (9, "ml_1m"), (9, "douban"))]  # fmt: skip
    searches = [search(), search(data="ml_1m")]
    row = markdown_row(table1_markdown(cells(*made), searches), "Biased MF")
    assert row[-1] == (
        "ML-100K: search, 4 trials; ML-1M: search, 4 trials, then by hand; Douban: by hand"
    )
    rows = [
        csv_row(table1_csv(cells(*made), searches), "bias_mf", data)
        for data in ("ml_100k", "ml_1m", "douban")
    ]
    assert [(row["hyperparameters"], row["trials"]) for row in rows] == [
        *(("search", "4"), ("search, then by hand", "4"), ("by hand", ""))
    ]


def test_notes_say_who_was_trained_under_a_budget():
    quarter = [record(model="igmc", data=data, budget=0.25) for data in ("ml_100k", "douban")]
    others = [record(model="graphrec", data="ml_1m", budget=137 / 546), record()]
    halves = [record(model="igmc", data="ml_1m", budget=0.5)]
    notes = table1_markdown(cells(*quarter, *others, *halves)).splitlines()
    assert [note for note in notes if "budget" in note] == [
        "- Trained under a budget, 25 % of the updates of the full schedule: GraphRec on ML-1M; "
        "IGMC on ML-100K and Douban.",
        "- Trained under a budget, 50 % of the updates of the full schedule: IGMC on ML-1M.",
    ]


def test_notes_name_models_on_the_same_sets_together():
    everywhere = [
        baseline(model, data=data)
        for model in ("bias", "zoo")
        for data in ("ml_100k", "ml_1m", "douban")
    ]
    notes = table1_markdown(cells(*everywhere, baseline("ark", data="ml_1m"))).splitlines()
    (note,) = [note for note in notes if "one run" in note]
    assert (
        note == "- Deterministic, one run: User + item bias and zoo on all data sets; ark on ML-1M."
    )


def test_notes_say_nothing_of_what_is_not_there():
    text = table1_markdown(cells())
    for word in ("Seed", "Deterministic", "No epochs", "from seed"):
        assert f"- {word}" not in text


def test_tex_is_a_whole_table():
    text = table1_tex(cells(*THREE_SEEDS, baseline("a_b=c")))
    row = next(line for line in text.splitlines() if line.startswith("GLocal-K &"))
    assert row.split(" & ")[2:7] == [
        *(".890", r".8900 $\pm$ .0100", r".9200 $\pm$ .0265", r".9400 $\pm$ .0100", ".822")
    ]
    assert r"a\_b=c &  & --" in text
    assert text.index(r"a\_b=c") < text.index("LLORMA")
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    columns = [line.count(" & ") + 1 for line in rows]
    assert columns == [6] + [15] * 14  # three headings span four columns each
    for environment in ("table*", "tabular", "flushleft"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}") == 1
    assert text.count(r"\midrule") == 2
    assert text.isascii()
