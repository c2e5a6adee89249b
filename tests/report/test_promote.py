import pytest
from factory import baseline, failed, record, write_runs

from glocalk.cli.report import main
from glocalk.errors import GlocalkError
from glocalk.records.run import Record
from glocalk.report.promote import place_of, promote


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_copies_records_to_their_places(tmp_path):
    runs, committed = tmp_path / "runs", tmp_path / "records"
    made = record(seed=3, best=0.8912)
    write_runs(
        runs, a=made, b=baseline(data="douban"), c=record(experiment="table2", variant="t=5")
    )
    said = promote(runs, committed)
    assert files(committed) == [
        "table1/douban/bias/seed_0.json",
        "table1/ml_100k/glocal_k/seed_3.json",
        "table2/ml_100k/glocal_k-t=5/seed_0.json",
    ]
    assert Record.read(committed / "table1/ml_100k/glocal_k/seed_3.json") == made
    assert [line.split(":")[0] for line in said] == ["Promoted"] * 3


def test_a_promoted_record_replaces_the_older_one(tmp_path):
    runs, committed = tmp_path / "runs", tmp_path / "records"
    write_runs(runs, a=record(best=0.88))
    promote(runs, committed)
    write_runs(runs, a=record(best=0.87))
    promote(runs, committed)
    (path,) = committed.rglob("*.json")
    assert Record.read(path).protocols["best_test"].rmse == 0.87


@pytest.mark.parametrize("change", [{"dirty": True}, {"commit": None}])
def test_refuses_a_dirty_working_tree_and_copies_nothing(tmp_path, change):
    runs, committed = tmp_path / "runs", tmp_path / "records"
    write_runs(runs, a=record(seed=0), b=record(seed=1, **change))
    with pytest.raises(GlocalkError, match=r"ml_100k glocal_k seed 1 .* dirty working tree"):
        promote(runs, committed)
    assert not committed.exists()


def test_an_uncommitted_record_that_is_not_asked_for_does_not_matter(tmp_path):
    runs, committed = tmp_path / "runs", tmp_path / "records"
    write_runs(runs, a=record(), b=baseline(dirty=True), c=record(data="douban", dirty=True))
    promote(runs, committed, model="glocal_k", data="ml_100k")
    assert files(committed) == ["table1/ml_100k/glocal_k/seed_0.json"]


def test_says_what_it_leaves_out(tmp_path):
    runs, committed = tmp_path / "runs", tmp_path / "records"
    write_runs(runs, a=record(), b=failed(seed=1), c=record(data="synthetic"))
    said = promote(runs, committed)
    assert files(committed) == ["table1/ml_100k/glocal_k/seed_0.json"]
    assert said[1:] == [
        "Left out: synthetic glocal_k seed 0: not real data (data=synthetic).",
        "Left out: ml_100k glocal_k seed 1: failed.",
    ]


def test_synthetic_data_on_request(tmp_path):
    runs, committed = tmp_path / "runs", tmp_path / "records"
    write_runs(runs, a=record(data="synthetic"))
    promote(runs, committed, data="synthetic")
    assert files(committed) == ["table1/synthetic/glocal_k/seed_0.json"]


def test_nothing_to_promote_is_an_error(tmp_path):
    write_runs(tmp_path / "runs", a=failed())
    with pytest.raises(GlocalkError, match="holds no record to promote"):
        promote(tmp_path / "runs", tmp_path / "records")


def test_a_damaged_record_is_an_error(tmp_path):
    write_runs(tmp_path / "runs", a=record(), b=record(seed=1))
    (tmp_path / "runs" / "b" / "record.json").write_text("{")
    with pytest.raises(GlocalkError, match="complete record"):
        promote(tmp_path / "runs", tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_two_records_for_one_place_are_an_error(tmp_path):
    write_runs(tmp_path / "runs", a=record(variant="x/y"), b=record(variant="x:y"))
    with pytest.raises(GlocalkError, match="would both go to"):
        promote(tmp_path / "runs", tmp_path / "records")
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({}, "table1/ml_100k/glocal_k/seed_0.json"),
        ({"variant": "kernel_size=5,l=2"}, "table1/ml_100k/glocal_k-kernel_size=5,l=2/seed_0.json"),
        ({"variant": "+a/b=../[1, 2]"}, "table1/ml_100k/glocal_k-+a_b=..__1,_2_/seed_0.json"),
        ({"train_share": 0.2}, "table1/ml_100k/glocal_k-share_0.2/seed_0.json"),
    ],
)
def test_places(change, place):
    assert place_of(record(**change)).as_posix() == place


def test_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_runs(tmp_path / "runs", a=record(), b=baseline(dirty=True))
    assert main(["promote"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["promote", "model=glocal_k"]) == 0
    assert files(tmp_path / "reports") == ["records/table1/ml_100k/glocal_k/seed_0.json"]
    assert "Promoted: ml_100k glocal_k seed 0" in capsys.readouterr().out
    for arguments in (["promote", "records=a"], ["promote", "records=b"]):
        assert main([*arguments, "model=glocal_k"]) == 0
    assert (tmp_path / "a").is_dir()
    assert (tmp_path / "b").is_dir()
