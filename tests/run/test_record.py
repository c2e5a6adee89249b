import json

import numpy as np
import pytest
from small_run import BIAS, MODEL, config

from command import only_record
from glocalk.records.run import PROTOCOLS
from glocalk.run import provenance
from glocalk.run.execute import execute


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    execute(config(runs, variant="model.hidden_size=8"))
    return runs


@pytest.fixture(scope="module")
def record(runs):
    return only_record(runs)


def test_the_record_says_what_was_run(record):
    assert record.status == "done"
    assert (record.experiment, record.data, record.model) == ("table1", "synthetic", "glocal_k")
    assert record.variant == "model.hidden_size=8"
    assert record.split == "planted"
    assert record.budget == 1
    assert record.config["model"]["hidden_size"] == 8
    assert "seed" not in record.config
    assert "_target_" not in json.dumps(record.config)


def test_the_record_holds_the_curves_of_both_trainings(record):
    for name in ("selection", "final"):
        assert record.curves[name].stage == ["pretrain"] * 3 + ["finetune"] * 3
        assert record.curves[name].epoch == [1, 2, 3, 1, 2, 3]
    assert all(rmse is not None for rmse in record.curves["selection"].valid_rmse)
    assert all(rmse is None for rmse in record.curves["final"].valid_rmse)
    losses = record.curves["final"].loss
    assert losses[0] > losses[1] > losses[2] > 0


def test_the_record_holds_every_protocol(record):
    assert set(record.protocols) == set(PROTOCOLS)
    assert record.protocols["official"] == record.protocols["best_test"]
    assert record.validated_epoch_from_seed is None


def test_the_record_says_what_the_run_cost(record):
    assert (
        record.parameters
        == (40 * 8 + 8 * 8 + 8 * 40) + 5 * (40 + 8 + 8 + 8 + 8 + 40) + (8 + 8 + 40) + 30 * 9
    )
    assert set(record.seconds) >= {"total", "selection", "final", "final/finetune"}
    assert 0 < record.seconds["final/pretrain"] < record.seconds["total"]
    assert record.peak_rss_mb > 50
    assert record.threads == 1
    assert record.device == "cpu"
    assert record.versions["torch"]


def test_per_user_sums_give_the_pooled_error_back(record):
    for result in record.protocols.values():
        sums = np.array(record.user_errors[result.user_errors])
        assert len(sums) == len(record.user_counts) == 40
        pooled = np.sqrt(sums.sum() / sum(record.user_counts))
        assert pooled == pytest.approx(result.rmse, abs=1e-6)


def test_the_record_is_plain_json(runs, record):
    (path,) = runs.glob("*/record.json")
    content = json.loads(path.read_text())
    assert content["config_hash"] == record.config_hash
    assert content["schema_version"] == 2


def test_the_record_tells_the_budget(tmp_path):
    model = {
        "_target_": "glocalk.GraphRec",
        **{"rank": 4, "user_regularization": 0.05, "item_regularization": 0.02},
        **{"learning_rate": 0.00003, "batch_size": 1000, "epochs": 5, "budget": 0.25},
    }
    made = execute(config(tmp_path, model=model, model_name="graphrec"))
    assert made.budget == 2 / 5
    assert made.curves["final"].epoch == [1, 2]


@pytest.mark.parametrize(("model", "accelerator"), [(MODEL, "auto"), (BIAS, "cpu")])
def test_only_what_a_trainer_trains_is_recorded_on_its_accelerator(
    model, accelerator, tmp_path, monkeypatch
):
    monkeypatch.setattr(provenance, "device", lambda accelerator: accelerator)
    execute(config(tmp_path, model=model, trainer={"accelerator": "auto"}))
    assert only_record(tmp_path).device == accelerator
