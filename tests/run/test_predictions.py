"""Test predictions that a run keeps: those of its record, also after an interruption."""

import numpy as np
import pandas as pd
import pytest

import glocalk.run.trainings
from glocalk.run.execute import execute
from glocalk.run.progress import EpochProgress
from run.small_run import BIAS, config

# It overfits: the validation ratings choose an early epoch.
MODEL = {
    **{"_target_": "glocalk.BiasMF", "solver": "sgd", "rank": 8, "epochs": 12, "init_std": 0.1},
    **{"regularization": 0.01, "sgd": {"learning_rate": 0.1}},
}
FACTORS = {"model": MODEL, "model_name": "bias_mf"}
NAMES = ["predictions.csv", "predictions_validated.csv"]


def keep(folder, **changes):
    return config(folder, **{**FACTORS, "save_predictions": True, **changes})


def files(folder):
    (run,) = folder.glob("*-seed0")
    return {path.name: path.read_bytes() for path in run.glob("predictions*")}


def rmse_of(folder, name, split):
    (path,) = folder.glob(f"*/{name}")
    table = pd.read_csv(path)
    assert list(table.columns) == ["user", "item", "prediction"]
    ids = split.ids
    assert table["user"].tolist() == ids.users[split.test.users].tolist()
    assert table["item"].tolist() == ids.items[split.test.items].tolist()
    assert table["prediction"].between(*split.test.scale).all()
    return np.sqrt(np.mean((table["prediction"].to_numpy() - split.test.ratings) ** 2))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, record) of a run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, execute(keep(folder))


def test_each_file_has_the_error_of_its_protocol(whole):
    folder, record = whole
    split = keep(folder).split()
    validated, last = (record.protocols[name] for name in ("validated", "last"))
    assert validated.rmse_epoch < last.rmse_epoch == 12
    assert rmse_of(folder, NAMES[0], split) == pytest.approx(last.rmse, rel=1e-14)
    assert rmse_of(folder, NAMES[1], split) == pytest.approx(validated.rmse, rel=1e-14)


def test_a_kept_run_is_no_other_run(whole):
    folder, record = whole
    plain = config(folder, **FACTORS)
    assert plain.identity == keep(folder).identity
    assert execute(plain).config_hash == record.config_hash
    assert sorted(files(folder)) == NAMES


def test_a_record_without_predictions_says_what_to_do(tmp_path, caplog):
    caplog.set_level("INFO")
    execute(config(tmp_path, model=BIAS, model_name="bias"))
    assert files(tmp_path) == {}
    bias = keep(tmp_path, model=BIAS, model_name="bias")
    execute(bias)
    assert "It has no predictions: add force=true to train it again." in caplog.text
    record = execute(bias.model_copy(update={"force": True}))
    assert list(files(tmp_path)) == NAMES[:1]  # without epochs, both protocols have the same
    assert rmse_of(tmp_path, NAMES[0], bias.split()) == pytest.approx(record.protocols["last"].rmse)


@pytest.mark.parametrize("epoch", [2, 9])
@pytest.mark.parametrize("kept_before", [True, False])
def test_an_interrupted_run_gives_the_same_files(epoch, kept_before, whole, tmp_path, monkeypatch):
    folder, record = whole
    assert 2 < record.protocols["validated"].rmse_epoch < 9
    ended, trainings = EpochProgress.epoch_ended, []

    def stop(self, stage, number, *errors):
        ended(self, stage, number, *errors)
        trainings.extend([number] if number == 1 else [])
        if len(trainings) == 2 and number == epoch:  # of the final run
            raise RuntimeError("interrupted")

    with monkeypatch.context() as patched:
        patched.setattr(EpochProgress, "epoch_ended", stop)
        with pytest.raises(RuntimeError, match="interrupted"):
            execute(keep(tmp_path, save_predictions=kept_before))
    again = execute(keep(tmp_path))
    assert again.protocols == record.protocols
    assert files(tmp_path) == files(folder)


def test_a_run_that_is_killed_before_its_record_keeps_them(whole, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(glocalk.run.trainings, "write_predictions", fail)
        with pytest.raises(RuntimeError, match="killed"):
            execute(keep(tmp_path))
    assert list(tmp_path.glob("*/final.ckpt"))
    with monkeypatch.context() as patched:
        patched.setattr(glocalk.run.trainings, "train_once", fail)  # nothing is trained again
        execute(keep(tmp_path))
    assert files(tmp_path) == files(whole[0])
