"""A sweeper gets the error on held-out training ratings back from `glocalk train`."""

import re

import pytest

from command import SMALL, call, only_record
from glocalk.data.sources import build_source
from glocalk.run.composed import compose_run


def returned(process):
    """What the sweeper of `hydra_plugins` was given back."""
    assert process.returncode == 0, process.stderr
    (value,) = re.findall(r"^returned: (.*)$", process.stdout, re.MULTILINE)
    return float(value)


def test_it_is_the_lowest_of_the_selection_run(tmp_path):
    process = call("train", "-m", "hydra/sweeper=telling", *SMALL, cwd=tmp_path)
    value = returned(process)
    record = only_record(tmp_path / "runs")
    curves = record.curves["selection"]
    last = [
        rmse
        for stage, rmse in zip(curves.stage, curves.valid_rmse, strict=True)
        if stage == "finetune"
    ]
    assert value == min(last)
    of_test = [*curves.test_rmse, *record.curves["final"].test_rmse]
    assert value not in of_test


def test_a_model_without_epochs_is_trained_once_more_for_it(tmp_path):
    given = ["model=global_mean", "data=synthetic", "data.users=40", "data.items=30"]
    given += ["data.ratings=300", "seed=3"]
    process = call("train", "-m", "hydra/sweeper=telling", *given, cwd=tmp_path)
    value = returned(process)
    run = compose_run(given)
    split = build_source(run.data).split(tmp_path).hold_out(0.05, run.seed)
    errors = split.valid.ratings - split.train.ratings.mean()
    assert value == pytest.approx((errors**2).mean() ** 0.5)
    assert value != pytest.approx(only_record(tmp_path / "runs").protocols["last"].rmse)
    assert [path.name for path in (tmp_path / "runs").glob(".held_out-*")] == []
