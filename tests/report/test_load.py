import os

import pytest
from factory import failed, record, write, write_runs

from glocalk.errors import GlocalkError
from glocalk.records.identity import config_hash
from glocalk.report.load import load_committed, load_local


def best(records):
    return [made.protocols["best_test"].rmse for made in records]


def test_failed_records_are_counted_and_left_out(tmp_path):
    write(tmp_path, record(seed=0), failed(seed=1), failed(seed=2))
    committed = load_committed(tmp_path)
    assert [made.seed for made in committed.done] == [0]
    assert committed.failed == 2


def test_a_folder_that_is_not_there_holds_no_records(tmp_path):
    assert load_committed(tmp_path / "none").done == []


def test_a_run_with_two_records_is_an_error_naming_both(tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    record(best=0.89).write(first)
    record(best=0.88).write(second)
    with pytest.raises(GlocalkError) as error:
        load_committed(tmp_path)
    assert f"'{first}' and '{second}'" in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"variant": "kernel_size=5"},
        {"train_share": 0.5},
        {"experiment": "table2"},
        {"data": "douban"},
        {"model": "sparse_fc"},
    ],
)
def test_other_runs_are_no_duplicates(tmp_path, change):
    write(tmp_path, record(), record(**change))
    assert len(load_committed(tmp_path).done) == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_version": 2}, "model_version is 2, not 1"),
        ({"options": {"rank": 3}}, "config_hash is "),
        ({"data_checksum": "beef"}, "data_checksum is beef, not d0d0"),
        ({"side_checksum": "beef"}, "side_checksum is beef, not "),
        ({"split": "u2"}, "split is u2, not u1"),
    ],
)
def test_a_stale_seed_is_an_error_naming_its_file(tmp_path, change, told):
    paths = write(tmp_path, record(seed=0), record(seed=1, **change), record(seed=2))
    with pytest.raises(GlocalkError) as error:
        load_committed(tmp_path)
    assert f"'{paths[1]}' does not fit '{paths[0]}'" in str(error.value)
    assert told in str(error.value)
    assert "remove the one that is out of date" in str(error.value)


def selecting(which, seed, **protocol):
    """A run whose config says which seeds make a selection run."""
    made = record(seed=seed)
    rule = {"valid_share": 0.05, "selection": which, "lowest_seed": 0, **protocol}
    config = {**made.config, "protocol": rule}
    return record(seed=seed, config=config, config_hash=config_hash(config))


def test_seeds_of_a_cell_may_differ_in_who_makes_a_selection_run(tmp_path):
    runs = [selecting("lowest_seed", 0), selecting("never", 1), selecting("each_seed", 2)]
    write(tmp_path, *runs)
    assert len(load_committed(tmp_path).done) == 3
    write_runs(tmp_path / "runs", a=runs[0], b=runs[1])
    assert load_local(tmp_path / "runs").outdated == []


def test_seeds_of_a_cell_may_not_differ_in_the_rest_of_the_protocol(tmp_path):
    write(tmp_path, selecting("never", 0), selecting("never", 1, valid_share=0.1))
    with pytest.raises(GlocalkError, match="config_hash is "):
        load_committed(tmp_path)


def test_shares_and_folds_are_cells_of_their_own(tmp_path):
    write(
        tmp_path,
        record(experiment="fig2", train_share=0.2),
        record(experiment="fig2", train_share=0.5),
        record(experiment="folds", variant="data.fold=2", split="u2", data_checksum="d2"),
        record(experiment="folds", variant="data.fold=3", split="u3", data_checksum="d3"),
    )
    assert len(load_committed(tmp_path).done) == 4


def test_cells_need_not_agree_with_one_another(tmp_path):
    write(tmp_path, record(), record(model="sparse_fc", model_version=3, options={"rank": 3}))
    assert len(load_committed(tmp_path).done) == 2


@pytest.mark.parametrize("part", ["protocols", "seconds"])
def test_a_done_record_without_its_results_is_an_error(tmp_path, part):
    write(tmp_path, record(**{part: {}}))
    with pytest.raises(GlocalkError, match="lacks a protocol or its time"):
        load_committed(tmp_path)


def test_only_a_run_beside_table_1_may_lack_the_validated_epoch(tmp_path):
    made = record(held_out=None)
    rest = {name: result for name, result in made.protocols.items() if name != "validated"}
    write(tmp_path / "beside", record(experiment="gaps", variant="x=1", protocols=rest))
    assert len(load_committed(tmp_path / "beside").done) == 1
    write(tmp_path / "table", record(protocols=rest))
    with pytest.raises(GlocalkError, match="lacks a protocol or its time"):
        load_committed(tmp_path / "table")


def age(path, seconds):
    os.utime(path, (seconds, seconds))


def test_local_runs_take_the_newest_record_of_a_run(tmp_path):
    write_runs(tmp_path, a=record(best=0.88, options={"rank": 3}), b=record(best=0.89))
    age(tmp_path / "a" / "record.json", 1)
    assert best(load_local(tmp_path).done) == [0.89]
    age(tmp_path / "b" / "record.json", 0)
    assert best(load_local(tmp_path).done) == [0.88]


def test_local_seeds_of_older_settings_are_set_aside(tmp_path):
    write_runs(
        tmp_path,
        a=record(seed=0, options={"rank": 5}),
        b=record(seed=1, options={"rank": 3}),
        c=record(seed=2, options={"rank": 5}),
    )
    for time, name in enumerate("bac"):
        age(tmp_path / name / "record.json", time)
    local = load_local(tmp_path)
    assert [made.seed for made in local.done] == [0, 2]
    assert [made.seed for made in local.outdated] == [1]


def test_a_local_run_that_failed_last_has_failed(tmp_path):
    write_runs(tmp_path, a=record(), b=failed(), c=failed(seed=1))
    for time, name in enumerate("abc"):
        age(tmp_path / name / "record.json", time)
    local = load_local(tmp_path)
    assert local.done == []
    assert [made.seed for made in local.failed] == [0, 1]


def test_local_files_that_are_no_records_are_named_not_fatal(tmp_path):
    write_runs(tmp_path, a=record())
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "record.json").write_text('{"status": "do')
    local = load_local(tmp_path)
    assert len(local.done) == 1
    assert [str(tmp_path / "b" / "record.json") in said for said in local.unreadable] == [True]


def test_a_run_that_another_of_its_seed_replaced_is_set_aside(tmp_path):
    write_runs(tmp_path, a=record(best=0.88, options={"rank": 3}), b=record(best=0.89))
    age(tmp_path / "a" / "record.json", 0)
    age(tmp_path / "b" / "record.json", 1)
    local = load_local(tmp_path)
    assert (best(local.done), best(local.outdated)) == ([0.89], [0.88])
    # The same run made twice, by a code that gave its folder another name, is not worth a word.
    write_runs(tmp_path, a=record(best=0.88))
    age(tmp_path / "a" / "record.json", 0)
    local = load_local(tmp_path)
    assert (best(local.done), local.outdated) == ([0.89], [])
