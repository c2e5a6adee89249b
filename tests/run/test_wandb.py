"""Trainings in W&B, offline, read back from its run files."""

import json
import os
import sys

import pytest
from small_run import config, forked
from tracked import NAMES, QUIET, WANDB, rows, wandb_segments

from glocalk.run.execute import execute


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    wandb = pytest.importorskip("wandb", reason="pip install 'glocalk[wandb]'")
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    for name in ("exit", "excepthook"):  # W&B puts its own in their place, also for later tests
        monkeypatch.setattr(sys, name, getattr(sys, name))
    yield
    wandb.teardown()


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
    assert not list(tmp_path.rglob("wandb-metadata.json"))  # command line, environment
    assert not list(tmp_path.rglob("output.log"))
    assert list(final["run"].tags) == ["synthetic", "glocal_k", "table1", "final"]


def _stopped(made):
    """A run that is killed after the fourth epoch is in a checkpoint."""
    from glocalk.run.trackers.wandb import WandbTracker

    os.environ.update(QUIET)
    os.environ.pop("WANDB_SERVICE", None)  # the process of W&B that the tests have started
    os.chdir(made.runs_dir.parent)
    follow = WandbTracker.follow

    def counting(self, columns):
        follow(self, columns)
        if len(columns["stage"]) == 5:
            os._exit(9)

    WandbTracker.follow = counting
    execute(made)


def test_wandb_continues_the_run_of_a_training_that_was_killed(tmp_path):
    logger = {"wandb": {**WANDB, "save_dir": str(tmp_path)}}
    made = config(tmp_path / "runs", logger=logger, protocol={"selection": "never"})
    process = forked(_stopped, made, log=tmp_path / "log")
    process.join()
    assert process.exitcode == 9, (tmp_path / "log").read_text()
    kept = json.loads(next(tmp_path.glob("runs/*/trackers.json")).read_text())
    record = execute(made)
    *_, last = wandb_segments(tmp_path)
    assert last["run"].run_id == kept["wandb"]["final"]["id"]
    # What W&B had not written when it was killed is not missing in the new file.
    assert [row["_step"] for row in last["history"]] == [1, 2, 3, 4, 5, 6]
    expected = [rmse for _, _, rmse in rows(record.curves["final"], "test_rmse")]
    logged = [{"pretrain/test_rmse": None, **row} for row in last["history"]]
    assert [r["pretrain/test_rmse"] or r["finetune/test_rmse"] for r in logged] == expected
    assert last["exit"] == 0
