import csv

from factory import baseline, failed, record, write, write_runs

from glocalk.report.local import write_local_table


def table(tmp_path, gaps=None):
    out = tmp_path / "runs" / "report"
    write_local_table(tmp_path / "runs", tmp_path / "records", out, gaps or {})
    rows = list(csv.DictReader((out / "table1.csv").read_text().splitlines()))
    return rows, (out / "table1.md").read_text()


def test_differences_to_the_committed_and_the_published_figures(tmp_path):
    write_runs(
        tmp_path / "runs",
        a=record(best=0.894, validated=0.900, seed=0),
        b=record(best=0.896, validated=0.902, seed=1),
    )
    write(tmp_path / "records", record(best=0.8912, validated=0.9015, seed=4))
    rows, text = table(tmp_path)
    shared = {"model": "glocal_k", "data": "ml_100k", "published": "0.890"}
    seeds = {"seeds_here": "0 1", "seeds_committed": "4"}
    assert rows == [
        {
            **shared,
            "protocol": "best_test",
            "here": "0.895000",
            "committed": "0.891200",
            "here_minus_committed": "0.003800",
            "here_minus_published": "0.005000",
            **seeds,
        },
        {
            **shared,
            "protocol": "validated",
            "here": "0.901000",
            "committed": "0.901500",
            "here_minus_committed": "-0.000500",
            "here_minus_published": "0.011000",
            **seeds,
        },
    ]
    assert (
        "| GLocal-K | ML-100K | `validated` | .9010 | .9015 | .890 | −.0005 | +.0110 | 0, 1 | 4 |"
    ) in text


def test_what_has_nothing_to_compare_with(tmp_path):
    write_runs(tmp_path / "runs", a=baseline(rmse=0.9437))
    rows, text = table(tmp_path)
    assert [(row["here"], row["committed"], row["published"]) for row in rows] == [
        ("0.943700", "", "")
    ] * 2
    assert [row["here_minus_committed"] + row["here_minus_published"] for row in rows] == ["", ""]
    assert "| User + item bias | ML-100K | `best_test` | .9437 | – | – | – | – | 0 | – |" in text


def test_committed_cells_without_local_records_are_not_listed(tmp_path):
    write_runs(tmp_path / "runs", a=record())
    write(tmp_path / "records", record(data="douban"), record(model="sparse_fc"))
    rows, _ = table(tmp_path)
    assert {(row["model"], row["data"]) for row in rows} == {("glocal_k", "ml_100k")}


def test_gaps_say_no_data_and_why(tmp_path):
    write_runs(tmp_path / "runs", a=record(), b=baseline())
    write(tmp_path / "records", record(data="douban", best=0.7226))
    rows, text = table(tmp_path, {"douban": "Douban cannot be had: put it into data/."})
    cells = {(row["model"], row["data"], row["here"]) for row in rows if row["data"] == "douban"}
    assert cells == {("glocal_k", "douban", "no data"), ("bias", "douban", "no data")}
    assert "| GLocal-K | Douban | `best_test` | no data | .7226 | .721 | – | – | – | 0 |" in text
    assert "| User + item bias | Douban | `best_test` | no data | – | – | – | – | – | – |" in text
    assert "- Douban, no data: Douban cannot be had: put it into data/.\n" in text
    assert "no data" not in text.split("| GLocal-K | Douban")[0].split("ML-100K")[-1]


def test_a_gap_with_no_local_record_at_all(tmp_path):
    write(tmp_path / "records", record(data="douban"))
    rows, text = table(tmp_path, {"douban": "There is none.", "ml_1m": "Nor here."})
    assert {(row["model"], row["data"]) for row in rows} == {("glocal_k", "douban")}
    assert "- ML-1M, no data: Nor here.\n" in text


def test_other_experiments_and_variants_are_not_listed(tmp_path):
    write_runs(tmp_path / "runs", a=record(variant="x"), b=record(experiment="table2", seed=1))
    assert table(tmp_path)[0] == []


def test_failed_and_damaged_runs_are_listed_under_the_table(tmp_path):
    write_runs(tmp_path / "runs", a=record(), b=failed(seed=1), c=record(seed=2))
    (tmp_path / "runs" / "c" / "record.json").write_text("")
    rows, text = table(tmp_path)
    assert {row["seeds_here"] for row in rows} == {"0"}
    assert "- Failed: ml_100k glocal_k seed 1: The training diverged.\n" in text
    assert "c/record.json' is not a complete record" in text


def test_its_own_files_are_not_records(tmp_path):
    write_runs(tmp_path / "runs", a=record(), sweeps=record(seed=1))
    assert table(tmp_path) == table(tmp_path)


def test_records_that_have_no_row_are_counted(tmp_path):
    write_runs(tmp_path / "runs", a=record(), b=record(variant="model.lambda_2=9"))
    _, text = table(tmp_path)
    assert "- Left out: 1 record of other experiments, of models with changed options, or" in text
    write_runs(tmp_path / "other" / "runs", a=record())
    _, text = table(tmp_path / "other")
    assert "Left out" not in text
