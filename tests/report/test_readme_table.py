from factory import baseline, record

from glocalk.report.cells import table1_cells
from glocalk.report.published import read_published
from glocalk.report.readme_table import readme_table


def summary(*records):
    text = readme_table(table1_cells(records, read_published()), "reports/table1.md")
    table, notes = text.split("\n\n")
    return table.splitlines(), notes.splitlines()


def row(lines, title):
    (found,) = [line for line in lines if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_one_figure_of_ours_beside_each_published_one():
    made = [
        record(best=0.88, validated=0.90, seed=0),
        record(best=0.88, validated=0.91, seed=1),
        record(best=0.88, validated=0.95, seed=2),
        record(data="douban", best=0.70, validated=0.7259),
    ]
    table, _ = summary(*made, baseline(rmse=1.15366))
    assert table[0] == (
        "| Model | Side inf. | ML-100K<br>published | ML-100K<br>ours | ML-1M<br>published | "
        "ML-1M<br>ours | Douban<br>published | Douban<br>ours |"
    )
    # The mean of .90, .91 and .95, and √.0007.
    assert row(table, "GLocal-K") == [
        *("GLocal-K", "", ".890", ".9200 ± .0265", ".822", "–", ".721", ".7259")
    ]
    assert row(table, "User + item bias")[2:4] == ["–", "1.1537"]
    assert row(table, "MG-GAT") == ["MG-GAT", "yes", ".890", "–", "–", "–", ".727", "–"]


def test_models_outside_the_paper_come_first():
    table, _ = summary(record(), baseline())
    assert [line.split(" | ")[0] for line in table[2:6]] == [
        *("| *Not in the paper's table*", "| User + item bias", "| *Table 1 of the paper*"),
        "| LLORMA",
    ]


def test_a_few_notes_say_what_the_figures_are():
    _, notes = summary(record(), record(model="igmc", budget=0.25, seed=3))
    assert len(notes) == 5
    assert "`validated`" in notes[1]
    assert (
        notes[3]
        == "- Trained under a budget, 25 % of the updates of the full schedule: IGMC on ML-100K."
    )
    assert notes[4].endswith("[reports/table1.md](reports/table1.md).")
    assert len(summary(record())[1]) == 4


def test_data_sets_outside_the_paper_are_not_shown():
    assert summary(record(data="synthetic", budget=0.5)) == summary()
