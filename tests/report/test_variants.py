from factory import record

from glocalk.report.published import read_published
from glocalk.report.variants import variants_markdown


def rows(*records):
    lines = variants_markdown(records, read_published()).splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][2:]


def test_a_changed_run_stands_beside_the_run_of_its_seed():
    changed = {"experiment": "gaps", "variant": "model.lambda_2=40"}
    made = [
        record(best=0.8910, seed=0),
        record(best=0.9000, seed=1),
        record(best=0.8935, validated=0.9012, seed=1, **changed),
    ]
    assert rows(*made) == [
        [
            *("gaps", "ML-100K", "`glocal_k`", "`model.lambda_2=40`", "1", ".8935", ".9000"),
            *("−.0065", ".8935", ".9012", ".890"),
        ]
    ]


def test_a_share_of_the_ratings_is_a_change_and_what_is_missing_is_left_open():
    (row,) = rows(record(model="zoo", best=0.95, train_share=0.4, held_out=None))
    assert row[2:] == [
        *("`zoo`", "`train_share=0.4`", "0", ".9500", "–", "–", ".9500", ".9000", "–"),
    ]


def test_all_that_is_changed_is_named():
    both = record(train_share=0.4, variant="model.hidden_size=5")
    again = record(experiment="again")
    assert [row[3] for row in rows(both, again)] == [
        *("`nothing`", "`train_share=0.4,model.hidden_size=5`"),
    ]


def test_rows_are_in_order_whatever_the_records_are_in():
    made = [
        record(seed=seed, data=data, experiment="gaps", variant="model.hidden_size=5")
        for data in ("ml_1m", "douban")
        for seed in (1, 0)
    ]
    assert [(row[1], row[4]) for row in rows(*made)] == [
        *(("Douban", "0"), ("Douban", "1"), ("ML-1M", "0"), ("ML-1M", "1")),
    ]


def test_official_of_a_figure_that_others_published_is_by_their_rule():
    changed = {"experiment": "gaps", "variant": "model.lambda_2=40"}
    made = [
        record(model="sparse_fc", best=0.89, official=0.95),
        record(model="sparse_fc", best=0.88, official=0.95, **changed),
    ]
    assert rows(*made)[0][5:8] == [".8800", ".8900", "−.0100"]


def test_nothing_is_written_where_nothing_is_changed():
    assert variants_markdown([record()], read_published()) == ""


def test_experiments_with_a_report_of_their_own_are_left_out():
    made = [record(experiment=name, variant="x=1") for name in ("fig3", "gaps")]
    text = variants_markdown(made, read_published(), ("fig3",))
    assert "| gaps |" in text
    assert "| fig3 |" not in text
    assert variants_markdown(made[:1], read_published(), ("fig3",)) == ""


def test_a_run_on_other_test_ratings_has_no_difference():
    changed = {"experiment": "gaps", "variant": "data.split_seed=1", "data_checksum": "f" * 64}
    (row,) = rows(record(best=0.89), record(best=0.95, **changed))
    assert row[5:8] == [".9500", "–", "–"]
