"""Scores of predictive distributions in the record of a run."""

import json

import numpy as np
import pytest

import glocalk
import glocalk.run.execute
import glocalk.run.trainings
from glocalk.errors import GlocalkError
from glocalk.records.run import Record
from glocalk.run.execute import execute
from run.small_run import BIAS, config

MODELS = {
    "bayesian_mf": {"_target_": "glocalk.BayesianMF", "rank": 2, "samples": 20, "kept_rank": 5},
    "gc_mc": {
        **{"_target_": "glocalk.GCMC", "hidden_size": 20, "embedding_size": 4},
        **{"epochs": 3, "steps": 3},
    },
    "global_mean": {"_target_": "glocalk.GlobalMean"},
}


def run(folder, name, **changes):
    return execute(config(folder, model=MODELS[name], model_name=name, **changes))


@pytest.mark.parametrize("name", MODELS)
def test_the_record_has_the_scores_of_the_model_that_the_run_keeps(name, tmp_path):
    record = run(tmp_path, name)
    (folder,) = tmp_path.glob("*-seed0")
    split = config(tmp_path).split()
    measured = glocalk.evaluate(glocalk.load(folder), split, distribution=True)
    scores = record.uncertainty
    for figure in ("nll", "crps", "mean_std", "density_nll", "density_crps"):
        expected = measured.get(figure)  # only a normal distribution has a density
        assert getattr(scores, figure) == (expected and pytest.approx(expected, rel=1e-5))
    for percent, share in scores.coverage.items():
        assert share == pytest.approx(measured[f"coverage_{percent}"])
    assert (scores.density_nll is None) == (name != "bayesian_mf")
    assert Record.read(folder / "record.json") == record
    assert record.protocols["last"].rmse == pytest.approx(measured["rmse"], rel=1e-5)


def test_a_record_without_them_is_written_as_before(tmp_path):
    execute(config(tmp_path, model=BIAS, model_name="bias"))
    (path,) = tmp_path.glob("*/record.json")
    assert "uncertainty" not in json.loads(path.read_text())


def test_they_survive_a_kill_between_the_training_and_the_record(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("killed")

    expected = run(tmp_path / "whole", "gc_mc").uncertainty
    with monkeypatch.context() as patched:
        patched.setattr(glocalk.run.execute, "done_record", fail)
        with pytest.raises(RuntimeError, match="killed"):
            run(tmp_path, "gc_mc")
    with monkeypatch.context() as patched:
        patched.setattr(glocalk.run.trainings, "train_once", fail)  # nothing is trained again
        assert run(tmp_path, "gc_mc").uncertainty == expected


def test_newcomers_that_are_folded_in_have_none(tmp_path):
    protocol = {"cold_start": "users", "revealed": 1, "fold_in": True, "selection": "never"}
    data = {"users": 60, "items": 40, "ratings": 1500}
    record = run(tmp_path, "global_mean", protocol=protocol, data=data)
    assert record.status == "done"
    assert record.uncertainty is None


def test_evaluate_needs_a_distribution():
    split = config("runs").split()
    for model, sentence in (
        (glocalk.Bias().fit(split.train), "Bias predicts a mean and no distribution"),
        (np.full(len(split.test), 3.0), "needs a fitted completer"),
    ):
        with pytest.raises(GlocalkError, match=sentence):
            glocalk.evaluate(model, split, distribution=True)
