"""Trainings in MLflow and W&B, read back."""

import logging
import os
import shutil
import socket
from contextlib import ExitStack

import pytest
from small_run import BIAS, config, forked
from tracked import (
    MLFLOW,
    QUIET,
    WANDB,
    mlflow_curve,
    mlflow_runs,
    mlflow_server,
    wandb_segments,
)

from glocalk.errors import GlocalkError, without_secrets
from glocalk.records.run import Record
from glocalk.run.composed import compose_run
from glocalk.run.execute import execute
from glocalk.run.trackers.mlflow import MlflowTracker

NAMES = ("loss", "valid_rmse", "test_rmse", "test_mae", "test_ndcg")


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


@pytest.fixture
def _wandb():
    pytest.importorskip("wandb", reason="pip install 'glocalk[wandb]'")


def mlflow(uri):
    return {"mlflow": {**MLFLOW, "tracking_uri": uri}}


def comparable(record):
    return record.model_dump(exclude={"seconds", "peak_rss_mb", "commit", "dirty"})


def rows(curves, name):
    """(stage, epoch, value) of a curve of a record, where there is a value."""
    listed = zip(curves.stage, curves.epoch, getattr(curves, name), strict=True)
    return [(stage, epoch, value) for stage, epoch, value in listed if value is not None]


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


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_server_that_is_not_there_is_one_sentence_before_training_begins(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="pip install 'glocalk[mlflow]'")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://me:secret@127.0.0.1:{_free_port()}"
    with pytest.raises(GlocalkError, match=r"^MLflow at .* cannot be used \(.*logger=csv\.$") as it:
        execute(config(tmp_path / "runs", logger=mlflow(uri)))
    assert "\n" not in str(it.value)
    assert not list(tmp_path.glob("runs/*/selection"))
    (path,) = tmp_path.glob("runs/*/record.json")
    assert Record.read(path).status == "failed"
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"secret" not in file.read_bytes(), file


def test_a_tracker_that_is_not_installed_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlflow.tracking", None)
    with pytest.raises(GlocalkError, match=r"pip install 'glocalk\[mlflow\]'"):
        execute(config(tmp_path / "runs", logger=mlflow("sqlite:///x.db")))


def test_an_unknown_option_of_a_tracker_is_one_sentence(tmp_path):
    logger = {"mlflow": {**MLFLOW, "typo": 1}}
    with pytest.raises(GlocalkError, match=r"logger\.mlflow has an unknown option"):
        execute(config(tmp_path / "runs", logger=logger))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:pw@host:5432/db?sslmode=x", "postgresql://host:5432/db"),
        ("at 'http://u:p%40@h/path?token=t' or so", "at 'http://h/path' or so"),
        ("sqlite:///study.db", "sqlite:///study.db"),
    ],
)
def test_what_is_secret_in_an_address_is_not_shown(text, shown):
    assert without_secrets(text) == shown


@pytest.mark.usefixtures("_wandb")
def test_wandb_offline_has_parameters_curves_results_and_the_record(tmp_path):
    logger = {"wandb": {**WANDB, "save_dir": str(tmp_path)}}
    record = execute(config(tmp_path / "runs", logger=logger))
    segments = {found["run"].job_type: found for found in wandb_segments(tmp_path)}
    assert segments.keys() == {"selection", "final"}
    for training, found in segments.items():
        curves = record.curves[training]
        assert found["run"].display_name == f"synthetic glocal_k seed 0 {training}"
        assert found["exit"] == 0
        assert [row["_step"] for row in found["history"]] == list(range(1, 7))
        for name in NAMES:
            for stage, epoch, value in rows(curves, name):
                of_epoch = [r for r in found["history"] if r.get(f"{stage}/epoch") == epoch]
                assert [row[f"{stage}/{name}"] for row in of_epoch] == [value]
    final = segments["final"]
    assert final["config"]["model.lambda_2"] == 20.0
    assert final["config"]["data_checksum"] == record.data_checksum
    assert final["summary"]["validated/rmse"] == record.protocols["validated"].rmse
    assert final["files"] == ["record.json"]
    assert list(final["run"].tags) == ["synthetic", "glocal_k", "table1", "final"]


@pytest.mark.usefixtures("_wandb")
def test_wandb_without_a_key_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE")
    logger = {"wandb": {**WANDB, "mode": "online"}}
    with pytest.raises(GlocalkError, match=r"W&B at 'glocalk' cannot be used .*(?i:api key)"):
        execute(config(tmp_path / "runs", logger=logger))


def _stopped(made):
    """A run that is killed after the fourth epoch of its selection run is in a checkpoint."""
    from glocalk.run.trackers.wandb import WandbTracker

    os.environ.update(QUIET)
    os.chdir(made.runs_dir.parent)
    follow = WandbTracker.follow

    def counting(self, columns):
        follow(self, columns)
        if len(columns["stage"]) == 5:
            self._made.experiment.finish(exit_code=1)
            os._exit(9)

    WandbTracker.follow = counting
    execute(made)


@pytest.mark.usefixtures("_wandb")
def test_wandb_continues_the_run_of_a_training_that_was_killed(tmp_path):
    logger = {"wandb": {**WANDB, "save_dir": str(tmp_path)}}
    made = config(tmp_path / "runs", logger=logger, protocol={"selection": "never"})
    process = forked(_stopped, made, log=tmp_path / "log")
    process.join()
    assert process.exitcode == 9, (tmp_path / "log").read_text()
    execute(made)
    first, second = wandb_segments(tmp_path)
    assert first["run"].run_id == second["run"].run_id
    assert [row["_step"] for row in first["history"]] == [1, 2, 3, 4, 5]
    # The fifth epoch is in no checkpoint, and has the same step in both files.
    assert [row["_step"] for row in second["history"]] == [5, 6]
    assert second["exit"] == 0
