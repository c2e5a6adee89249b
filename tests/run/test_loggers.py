from pathlib import Path

import pytest
from lightning.fabric.loggers import tensorboard
from small_run import config

from glocalk.errors import GlocalkError
from glocalk.run.loggers import MetricsLogger, make_loggers
from glocalk.run.monitor import Monitor
from planted import planted

_, TEST = planted()


def log(logger, steps):
    for step in steps:
        logger.log_metrics({"loss": step / 7}, step=step)
        logger.log_metrics({"epoch": step, "test_rmse": 1 / (step + 1)}, step=step)


def content(folder):
    return (folder / "fit" / "version_0" / "metrics.csv").read_bytes()


@pytest.fixture
def whole(tmp_path):
    logger = MetricsLogger(tmp_path / "whole", "fit")
    log(logger, range(300))
    logger.finalize("success")
    return content(tmp_path / "whole")


@pytest.mark.parametrize("beyond", [0, 1, 120])
def test_a_resumed_training_continues_the_file(tmp_path, whole, beyond):
    logger = MetricsLogger(tmp_path, "fit")
    log(logger, range(70))
    state = logger.state_dict()
    log(logger, range(70, 70 + beyond))  # lost with the process
    logger.save()
    continued = MetricsLogger(tmp_path, "fit")
    continued.save()  # as the Trainer does before the training begins
    continued.load_state_dict(state)
    log(continued, range(70, 300))
    continued.finalize("success")
    assert content(tmp_path) == whole
    assert [path.name for path in (tmp_path / "fit").iterdir()] == ["version_0"]


def test_a_training_that_starts_again_begins_a_new_file(tmp_path, whole):
    log(MetricsLogger(tmp_path, "fit"), range(150))
    again = MetricsLogger(tmp_path, "fit")
    log(again, range(300))
    again.finalize("success")
    assert content(tmp_path) == whole


def test_a_file_that_was_removed_is_said_to_be_incomplete(tmp_path, caplog):
    logger = MetricsLogger(tmp_path, "fit")
    log(logger, range(3))
    state = logger.state_dict()
    Path(logger.experiment.metrics_file_path).unlink()
    continued = MetricsLogger(tmp_path, "fit")
    continued.load_state_dict(state)
    log(continued, range(3, 5))
    continued.finalize("success")
    assert "is not complete" in caplog.text
    assert len(content(tmp_path).splitlines()) == 1 + 4


def test_the_state_of_a_monitor_holds_that_of_its_loggers(tmp_path):
    logger, unused = MetricsLogger(tmp_path, "fit"), MetricsLogger(tmp_path, "later")
    log(logger, range(3))
    monitor = Monitor(TEST, loggers={"fit": [logger, object()], "later": [unused]})
    size = len(content(tmp_path)) if monitor.state_dict() else 0
    assert monitor.state_dict()["logs"] == {"fit": [{"size": size}], "later": [{}]}


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (
            {"_target_": "lightning.pytorch.loggers.TensorBoardLogger"},
            r"logger=tensorboard cannot be made \(.*\): pip install 'glocalk\[tensorboard\]', or",
        ),
        (
            {"_target_": "lightning.pytorch.loggers.CSVLogger", "typo": 1},
            r"logger=tensorboard cannot be made \(.*'typo'.*\): install what it needs, or choose",
        ),
    ],
)
def test_a_logger_that_cannot_be_made_is_one_sentence(tmp_path, monkeypatch, node, sentence):
    for package in ("_TENSORBOARD_AVAILABLE", "_TENSORBOARDX_AVAILABLE"):
        monkeypatch.setattr(tensorboard, package, False)
    with pytest.raises(GlocalkError, match=sentence) as raised:
        make_loggers(config(tmp_path, logger={"tensorboard": node}), tmp_path, "fit")
    assert "\n" not in str(raised.value)
