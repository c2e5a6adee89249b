import json
import logging
import os
import signal

import pytest
from small_run import BIAS, config, forked

from glocalk import stopping
from glocalk.completers.baselines import Bias
from glocalk.errors import GlocalkError
from glocalk.run.execute import execute
from glocalk.run.folder import RunFolder


def folder(runs, **changes):
    parts = {"data": "ml_100k", "model": "bias", "key": "abc", "seed": 3}
    return RunFolder(runs, **{**parts, **changes})


def test_names_and_places(tmp_path):
    made = folder(tmp_path)
    assert made.title == "ml_100k bias seed 3"
    assert made.path == tmp_path / "ml_100k-bias-abc-seed3"
    assert made.record == made.path / "record.json"
    assert made.model_file == made.path / "model.pt"


def test_there_is_no_record_in_an_empty_folder(tmp_path):
    assert folder(tmp_path).held_record() is None


def test_the_record_of_a_finished_run_is_held_and_a_failed_one_is_not(tmp_path):
    record = execute(config(tmp_path, model=BIAS, model_name="bias"))
    (path,) = tmp_path.glob("*/record.json")
    key = path.parent.name.split("-")[2]
    made = RunFolder(tmp_path, "synthetic", "bias", key, 0)
    assert made.held_record() == record
    failed = {"status": "failed", "failure": {"message": "No.", "traceback": ""}}
    record.model_validate({**record.model_dump(), **failed}).write(path)
    assert made.held_record() is None


def test_an_incomplete_record_is_not_held_and_named(tmp_path, caplog):
    made = folder(tmp_path)
    made.path.mkdir()
    made.record.write_text("{")
    assert made.held_record() is None
    assert "is not a complete record" in caplog.text


def put_old(runs, name):
    place = runs / name / "record.json"
    place.parent.mkdir()
    place.write_text(json.dumps({"format": 1}))
    return place


def test_records_of_an_older_schema_are_named_with_the_command(tmp_path, caplog):
    place = put_old(tmp_path, "ml_100k-bias-other-seed3")
    assert folder(tmp_path).held_record() is None
    (said,) = caplog.messages
    assert said == (
        f"'{place}' is a record of schema 1, which is not read: to use it, stop and run "
        f"`glocalk report migrate {tmp_path}`."
    )


def test_an_older_record_in_the_run_s_own_folder_is_named_too(tmp_path, caplog):
    made = folder(tmp_path)
    put_old(tmp_path, made.name)
    assert made.held_record() is None
    assert f"`glocalk report migrate {made.path}`" in caplog.text


@pytest.mark.parametrize(
    "name", ["ml_100k-bias-other-seed4", "ml_1m-bias-other-seed3", "ml_100k-bias_mf-other-seed3"]
)
def test_older_records_of_other_runs_do_not_matter(tmp_path, caplog, name):
    put_old(tmp_path, name)
    assert folder(tmp_path).held_record() is None
    assert caplog.messages == []


def test_what_a_killed_process_left_is_removed(tmp_path):
    made = folder(tmp_path)
    (made.path / "final").mkdir(parents=True)
    leftovers = ["final/.fit.ckpt.123", ".record.json.abc", ".model.pt.xyz"]
    kept = ["final/fit.ckpt", "model.pt", "record.json"]
    for name in leftovers + kept:
        (made.path / name).write_text("")
    made.remove_leftovers()
    left = {str(p.relative_to(made.path)) for p in made.path.rglob("*") if p.is_file()}
    assert left == set(kept)
    made.remove_checkpoints()
    assert not (made.path / "final" / "fit.ckpt").exists()
    made.clear()
    assert not made.path.exists()
    made.clear()


def _hold(runs):
    with folder(runs).lock():
        (runs / "held").write_text("")
        while not (runs / "waited").exists():
            pass


def test_the_lock_waits_for_the_process_that_holds_it(tmp_path, caplog):
    process = forked(_hold, tmp_path, log=os.devnull)
    while not (tmp_path / "held").exists():
        assert process.is_alive()

    class Release(logging.Handler):
        def emit(self, record):
            (tmp_path / "waited").write_text(record.getMessage())

    logger = logging.getLogger("glocalk.run.folder")
    handler = Release()
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO), folder(tmp_path).lock():
            assert (tmp_path / "waited").exists()
    finally:
        logger.removeHandler(handler)
    process.join()
    held = folder(tmp_path).lock()
    with held:
        assert held.lock.is_locked
    assert not held.lock.is_locked
    assert caplog.messages == [
        "ml_100k bias seed 3 is already running in another process: waiting for it."
    ]


def test_a_runs_folder_that_cannot_be_written_to_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GlocalkError, match=r"cannot be written to .*runs_dir=…"):
        folder(tmp_path / "file").lock()


def test_the_record_of_another_run_is_not_taken_for_this_one_s(tmp_path, caplog):
    record = execute(config(tmp_path, model=BIAS, model_name="bias"))
    (path,) = tmp_path.glob("*/record.json")
    key = path.parent.name.split("-")[2]
    mine = RunFolder(tmp_path, "synthetic", "bias", key, 0)
    assert mine.held_record() == record
    others = (
        RunFolder(tmp_path, "synthetic", "bias", key, 1),  # another seed
        RunFolder(tmp_path, "synthetic", "bias", "abcdefabcdef", 0),  # another config or data
        RunFolder(tmp_path, "synthetic", "bias_mf", key, 0),
    )
    for other in others:
        other.path.mkdir()
        record.write(other.record)
        caplog.clear()
        assert other.held_record() is None
        assert f"is the record of another run ({path.parent.name})" in caplog.text


def test_a_run_folder_that_links_elsewhere_is_refused(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "runs").mkdir()
    made = folder(tmp_path / "runs")
    (tmp_path / "runs" / made.name).symlink_to(tmp_path / "outside")
    with pytest.raises(GlocalkError, match="leads out of the folder"):
        made.clear()
    assert (tmp_path / "outside").is_dir()


def test_how_a_stopped_run_continues_is_what_its_next_start_does(tmp_path):
    made = folder(tmp_path)
    assert made.how_it_continues() == "the same command starts the run again"
    (made.path / "selection").mkdir(parents=True)
    (made.path / "selection" / "fit.ckpt").touch()
    assert made.how_it_continues() == "the same command continues from the last checkpoint"
    (made.path / "selection" / "fit.ckpt").unlink()
    made.finished("selection").touch()
    assert made.how_it_continues() == "the same command continues with the final run"
    made.finished("final").touch()
    finished = "all trainings are finished, and the same command writes the record"
    assert made.how_it_continues() == finished


def test_a_run_stopped_after_its_last_training_says_so_and_trains_nothing(tmp_path, monkeypatch):
    def stop():
        if list(tmp_path.glob("*/final.ckpt")):
            raise stopping.StoppedError(signal.SIGTERM)

    options = config(tmp_path, model=BIAS, model_name="bias")
    with monkeypatch.context() as patch:
        patch.setattr(stopping, "safe_point", stop)
        with pytest.raises(stopping.StoppedError) as stopped:
            execute(options)
    assert "the same command writes the record" in stopped.value.continues
    monkeypatch.delattr(Bias, "fit_matrix")
    assert execute(options).status == "done"


@pytest.mark.parametrize("part", ["selection", "final"])
def test_a_training_writes_and_removes_nothing_through_a_link(tmp_path, part):
    execute(config(tmp_path / "runs", model=BIAS, model_name="bias"))
    (path,) = tmp_path.glob("runs/*/record.json")
    path.unlink()
    (path.parent / part).rmdir() if (path.parent / part).exists() else None
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("best.ckpt", ".best.ckpt.1"):
        (outside / name).write_text("precious")
    (path.parent / part).symlink_to(outside)
    with pytest.raises(GlocalkError, match=f"{part}' leads out of the folder"):
        execute(config(tmp_path / "runs", model=BIAS, model_name="bias"))
    assert sorted(file.name for file in outside.iterdir()) == [".best.ckpt.1", "best.ckpt"]


def test_locks_that_lie_elsewhere_are_refused(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / ".locks").symlink_to(tmp_path / "outside")
    with pytest.raises(GlocalkError, match="leads out of the folder"):
        folder(tmp_path / "runs").lock()
    assert not list((tmp_path / "outside").iterdir())


def test_a_folder_with_the_name_of_a_leftover_is_left_alone(tmp_path):
    made = folder(tmp_path)
    places = [made.path / "final" / ".train.ckpt.1", made.path / "final" / "train.ckpt"]
    for place in places:
        place.mkdir(parents=True)
    made.remove_leftovers()
    made.remove_checkpoints()
    assert all(place.is_dir() for place in places)
