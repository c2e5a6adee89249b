"""Trainings in MLflow, read back."""

import logging
import os
import shutil
from contextlib import ExitStack
from unittest.mock import Mock

import pytest
from small_run import BIAS, config, forked
from tracked import NAMES, QUIET, mlflow, mlflow_curve, mlflow_runs, mlflow_server, rows

from glocalk.records.run import Record
from glocalk.run.composed import compose_run
from glocalk.run.execute import execute
from glocalk.run.trackers.mlflow import MlflowTracker


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def _empty(tmp_path_factory):
    """An empty database of MLflow, which takes seconds to make."""
    pytest.importorskip("mlflow", reason="pip install 'glocalk[mlflow]'")
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def database(tmp_path, _empty):
    return f"sqlite:///{shutil.copy(_empty, tmp_path)}"


def comparable(record):
    return record.model_dump(exclude={"seconds", "peak_rss_mb", "commit", "dirty"})


def expect_curves(uri, record):
    """Each epoch of the record's curves is in MLflow once, and nothing else is."""
    runs, client = mlflow_runs(uri)
    assert runs.keys() == record.curves.keys()
    for training, curves in record.curves.items():
        for stage in set(curves.stage):
            for name in NAMES:
                expected = [(e or 0, x) for s, e, x in rows(curves, name) if s == stage]
                assert mlflow_curve(client, runs[training], f"{stage}/{name}") == expected
    return runs, client


def test_mlflow_has_parameters_curves_results_and_the_record(database, tmp_path):
    record = execute(config(tmp_path / "runs", logger=mlflow(database)))
    runs, client = expect_curves(database, record)
    final, selection = runs["final"], runs["selection"]
    assert final.info.run_name == "synthetic glocal_k seed 0 final"
    assert selection.info.run_name == "synthetic glocal_k seed 0 selection"
    assert {final.info.status, selection.info.status} == {"FINISHED"}
    assert final.data.params["model.lambda_2"] == "20.0"
    assert final.data.params["model.pretrain.epochs"] == "3"
    assert final.data.params["seed"] == "0"
    tags = final.data.tags
    assert (tags["data"], tags["model"], tags["experiment"]) == ("synthetic", "glocal_k", "table1")
    assert tags["data_checksum"] == record.data_checksum
    assert (tags["seed"], tags["glocalk"]) == ("0", record.versions["glocalk"])
    for protocol, result in record.protocols.items():
        assert final.data.metrics[f"{protocol}/rmse"] == result.rmse
        assert final.data.metrics[f"{protocol}/rmse_epoch"] == result.rmse_epoch
        assert f"{protocol}/rmse" not in selection.data.metrics
    path = client.download_artifacts(final.info.run_id, "record.json", str(tmp_path))
    assert Record.read(tmp_path / path) == record


def test_a_tracker_changes_neither_the_run_nor_its_results(database, tmp_path):
    plain = execute(config(tmp_path / "plain"))
    tracked = execute(config(tmp_path / "runs", logger=mlflow(database)))
    assert comparable(tracked) == comparable(plain)
    assert tracked.folder == plain.folder


def test_an_address_is_no_part_of_a_variant():
    plain = compose_run(["data=synthetic", "model=bias"])
    given = ["logger=mlflow", "logger.mlflow.tracking_uri=http://me:secret@host:1/?token=x"]
    tracked = compose_run(["data=synthetic", "model=bias", *given])
    assert tracked.variant == plain.variant == "default"
    assert tracked.identity == plain.identity
    assert tracked.logger["mlflow"]["tracking_uri"] == "http://me:secret@host:1/?token=x"


def test_models_without_a_trainer_are_tracked(database, tmp_path):
    bias = execute(
        config(tmp_path / "runs", model=BIAS, model_name="bias", logger=mlflow(database))
    )
    assert bias.curves["final"].epoch == [None]
    expect_curves(database, bias)


def test_an_ensemble_and_its_members_are_tracked(database, tmp_path):
    members = {"bias": BIAS, "global_mean": {"_target_": "glocalk.GlobalMean"}}
    model = {"_target_": "glocalk.Ensemble", "members": members}
    made = config(tmp_path / "runs", model=model, model_name="ensemble", logger=mlflow(database))
    record = execute(made)
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database)
    found = client.search_runs([client.get_experiment_by_name("glocalk").experiment_id])
    finals = {run.data.tags["model"]: run for run in found if run.data.tags["training"] == "final"}
    assert finals.keys() == {"ensemble", "bias", "global_mean"}
    assert {run.info.status for run in found} == {"FINISHED"}
    assert finals["ensemble"].data.metrics["last/rmse"] == record.protocols["last"].rmse


def _killed(made, epochs):
    """A run that is killed once this many epochs have been logged, of both trainings."""
    os.environ.update(QUIET)
    os.chdir(made.runs_dir.parent)
    follow = MlflowTracker.follow

    def counting(self, columns):
        follow(self, columns)
        counting.epochs += 1
        if counting.epochs == epochs:
            os._exit(9)

    counting.epochs = 0
    MlflowTracker.follow = counting
    execute(made)


@pytest.mark.parametrize("epochs", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_a_run_that_was_killed_is_the_same_tracked_run_and_has_no_epoch_twice(
    database, tmp_path, epochs
):
    """Killed between the log of an epoch and its checkpoint, so that this epoch is made again."""
    made = config(tmp_path / "runs", logger=mlflow(database))
    process = forked(_killed, made, epochs, log=tmp_path / "log")
    process.join()
    assert process.exitcode == 9, (tmp_path / "log").read_text()
    before, _ = mlflow_runs(database)
    under_way = "selection" if epochs == 2 else "final"
    assert before[under_way].info.status == "RUNNING"
    record = execute(made)
    assert comparable(record) == comparable(execute(config(tmp_path / "plain")))
    after, _ = expect_curves(database, record)
    assert after[under_way].info.run_id == before[under_way].info.run_id
    assert {run.info.status for run in after.values()} == {"FINISHED"}


def test_what_a_tracker_lacks_that_failed_midway_is_added_later(
    database, tmp_path, monkeypatch, caplog
):
    made = config(tmp_path / "runs", logger=mlflow(database))
    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
        broken.setattr(MlflowTracker, "follow", Mock(side_effect=OSError("the disk is full")))
        record = execute(made)
    assert [line for line in caplog.messages if "goes on without it" in line] == [
        f"MLflow at '{database}' failed (the disk is full): synthetic glocal_k seed 0 goes on "
        "without it."
    ]
    assert execute(made) == record
    runs, _ = expect_curves(database, record)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs["final"].data.metrics["last/rmse"] == record.protocols["last"].rmse


def bias(runs, uri=None):
    logger = {} if uri is None else mlflow(uri)
    return config(runs, model=BIAS, model_name="bias", logger=logger)


def test_a_finished_run_is_shown_by_a_tracker_that_did_not_follow_it(database, tmp_path):
    record = execute(bias(tmp_path / "runs"))
    elsewhere = f"sqlite:///{shutil.copy(database.removeprefix('sqlite:///'), tmp_path / '2.db')}"
    for uri in (database, elsewhere):  # another address is another tracker
        for _ in range(2):  # and nothing is shown twice
            assert execute(bias(tmp_path / "runs", uri)) == record
        runs, _ = expect_curves(uri, record)
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        assert runs["final"].data.metrics["last/rmse"] == record.protocols["last"].rmse


def test_a_finished_run_needs_no_tracker_that_can_be_used(tmp_path, caplog):
    pytest.importorskip("mlflow", reason="pip install 'glocalk[mlflow]'")
    record = execute(bias(tmp_path / "runs"))
    (tmp_path / "bad.db").write_text("this is no database at all" * 99)
    with caplog.at_level(logging.WARNING):
        assert execute(bias(tmp_path / "runs", "sqlite:///bad.db")) == record
    (line,) = (line for line in caplog.messages if "goes on without it" in line)
    assert line.startswith("MLflow at 'sqlite:///bad.db' failed (file is not a database)")


@pytest.mark.parametrize("content", ["5", "[]", '{"mlflow": 5}', '{"mlflow": {"final": "x"}}', "{"])
def test_a_damaged_list_of_tracked_runs_is_made_again(content, database, tmp_path):
    record = execute(bias(tmp_path / "runs"))
    (folder,) = (tmp_path / "runs").glob("synthetic-bias-*")
    (folder / "trackers.json").write_text(content)
    assert execute(bias(tmp_path / "runs", database)) == record
    expect_curves(database, record)


def test_a_folder_of_mlflow(tmp_path):
    pytest.importorskip("mlflow", reason="pip install 'glocalk[mlflow]'")
    uri = f"file:{tmp_path}/mlruns"
    expect_curves(uri, execute(config(tmp_path / "runs", logger=mlflow(uri))))


@pytest.mark.slow
def test_a_server_of_mlflow_has_the_run_and_loses_no_training_when_it_ends_midway(
    tmp_path, caplog, monkeypatch
):
    pytest.importorskip("mlflow", reason="pip install 'glocalk[mlflow]'")
    pytest.importorskip("flask", reason="the server of MLflow needs flask")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with ExitStack() as server:
        uri = server.enter_context(mlflow_server(tmp_path))
        made = config(tmp_path / "runs", logger=mlflow(uri))
        record = execute(made)
        runs, client = expect_curves(uri, record)
        path = client.download_artifacts(runs["final"].info.run_id, "record.json", str(tmp_path))
        assert Record.read(tmp_path / path) == record
        other = config(tmp_path / "runs", logger=mlflow(uri), seed=1)
        follow = MlflowTracker.follow
        followed = []

        def once(self, columns):
            if followed:
                server.close()  # which kills it
            followed.append(follow(self, columns))

        monkeypatch.setattr(MlflowTracker, "follow", once)
        with caplog.at_level(logging.WARNING):
            lost = execute(other)
    assert lost.status == "done"
    warnings = [line for line in caplog.messages if "goes on without it" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"MLflow at '{uri}' failed (")


@pytest.mark.slow
def test_runs_that_begin_at_once_make_one_database(tmp_path):
    pytest.importorskip("mlflow", reason="pip install 'glocalk[mlflow]'")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    made = [config(tmp_path / "runs", logger=mlflow(uri), seed=seed) for seed in range(3)]
    processes = [forked(execute, each, log=tmp_path / "log") for each in made]
    for process in processes:
        process.join()
    log = (tmp_path / "log").read_text()
    assert [process.exitcode for process in processes] == [0, 0, 0], log
    assert "goes on without it" not in log
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name("glocalk").experiment_id])
    assert sorted((run.data.tags["seed"], run.data.tags["training"]) for run in found) == [
        (seed, training) for seed in "012" for training in ("final", "selection")
    ]
    assert {run.info.status for run in found} == {"FINISHED"}
