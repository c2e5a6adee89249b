import itertools
import logging

import numpy as np
import pytest
from lightning.pytorch.loggers import TensorBoardLogger
from small_run import BIAS, MODEL, STAGE, config, run_in

from command import comparable, only_record
from glocalk.errors import GlocalkError, MissingDataError
from glocalk.records.run import Record
from glocalk.run.execute import execute, held_record

CSV = {"csv": {"_target_": "glocalk.run.loggers.MetricsLogger"}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, record) of an uninterrupted small run."""
    folder = tmp_path_factory.mktemp("whole")
    record = execute(config(folder / "runs", logger=CSV))
    assert only_record(folder / "runs") == record
    return folder, record


def test_metrics_are_logged_and_checkpoints_are_removed(whole):
    folder, record = whole
    (run_folder,) = (folder / "runs").glob("synthetic-*")
    assert not list(run_folder.glob("**/*.ckpt"))
    (log,) = run_folder.glob("final/finetune/*/metrics.csv")
    header, *lines = (line.split(",") for line in log.read_text().splitlines())
    assert header == ["epoch", "loss", "step", "test_mae", "test_ndcg", "test_rmse"]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    curves = record.curves["final"]
    for name in ("loss", "test_rmse", "test_mae", "test_ndcg"):
        logged = [row for row in rows if row[name]]
        assert [float(row[name]) for row in logged] == getattr(curves, name)[3:]
        assert [(row["epoch"], row["step"]) for row in logged] == [(str(n),) * 2 for n in range(3)]
    (log,) = run_folder.glob("selection/pretrain/*/metrics.csv")
    assert "valid_rmse" in log.read_text().splitlines()[0].split(",")


def test_a_finished_run_is_not_trained_again_unless_forced(whole, caplog):
    folder, record = whole
    (path,) = (folder / "runs").glob("*/record.json")
    before = path.stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        assert execute(config(folder / "runs")) == record
    assert "already" in caplog.text
    assert path.stat().st_mtime_ns == before
    assert held_record(config(folder / "runs")) == record
    again = execute(config(folder / "runs", force=True, logger=CSV))
    assert path.stat().st_mtime_ns != before
    assert comparable(again) == comparable(record)


def test_a_traced_run_is_the_same_run_with_traces_of_its_final_training(whole, tmp_path, caplog):
    _, record = whole
    assert record.traces == []
    traced = execute(config(tmp_path, trace=True))
    assert [(trace.stage, trace.epoch) for trace in traced.traces] == [
        ("finetune", epoch) for epoch in range(4)
    ]
    assert comparable(traced.model_copy(update={"traces": []})) == comparable(record)
    assert only_record(tmp_path) == traced
    with caplog.at_level(logging.INFO):
        assert execute(config(tmp_path, trace=True)) == traced
    assert "traces" not in caplog.text


def test_a_record_without_the_traces_asked_for_says_how_to_get_them(tmp_path, caplog):
    execute(config(tmp_path, model=BIAS, model_name="bias"))
    with caplog.at_level(logging.INFO):
        execute(config(tmp_path, model=BIAS, model_name="bias", trace=True))
    assert "Its record has no traces: add force=true to train it again." in caplog.messages


def test_another_seed_or_option_is_another_run(whole, tmp_path):
    _, record = whole
    records = [
        execute(config(tmp_path, model={**MODEL, "lambda_2": lambda_2}, seed=seed))
        for seed in (0, 1)
        for lambda_2 in (20, 30)
    ]
    assert len(list(tmp_path.glob("synthetic-*/record.json"))) == 4
    assert len({made.config_hash for made in records}) == 2
    assert records[0].config_hash == record.config_hash  # 20 is 20.0
    assert records[0].protocols == record.protocols
    errors = {made.protocols["last"].rmse for made in records}
    assert len(errors) == 4


def test_the_same_run_started_twice_runs_once(tmp_path):
    processes = [run_in(tmp_path) for _ in range(2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    said = (tmp_path / "log").read_text()
    assert said.count("already running in another process") == 1
    assert said.count("is already in '") == 1
    assert only_record(tmp_path / "runs").status == "done"


def test_the_epoch_of_the_lowest_seed_serves_the_others(tmp_path):
    shared = {"protocol": {"selection": "lowest_seed"}}
    with pytest.raises(GlocalkError, match="run seed=0 first"):
        execute(config(tmp_path, **shared, seed=1))
    assert only_record(tmp_path).status == "failed"
    first, second = (execute(config(tmp_path, **shared, seed=seed)) for seed in (0, 1))
    assert "selection" in first.curves
    assert "selection" not in second.curves
    assert "held_out" not in second.protocols
    assert second.validated_epoch_from_seed == 0
    epoch = first.protocols["validated"].rmse_epoch
    assert second.protocols["validated"].rmse_epoch == epoch
    row = 3 + epoch - 1
    assert second.protocols["validated"].rmse == second.curves["final"].test_rmse[row]


def test_the_selection_run_can_be_left_out(tmp_path):
    record = execute(config(tmp_path, protocol={"selection": "never"}))
    assert set(record.curves) == {"final"}
    assert set(record.protocols) == {"best_test", "last", "official"}


def test_an_official_epoch_that_settles_on_validation_serves_the_other_seeds(tmp_path):
    model = {**MODEL, "_target_": "small_run.Settled", "finetune": {**STAGE, "epochs": 8}}
    shared = {"protocol": {"selection": "lowest_seed"}, "model": model}
    first, second = (execute(config(tmp_path, **shared, seed=seed)) for seed in (0, 1))
    valid = first.curves["selection"].valid_rmse[3:]
    changes = [abs(later - earlier) for earlier, later in itertools.pairwise(valid)]
    epoch = next((n for n, change in enumerate(changes, start=2) if change <= 0.001), 8)
    for record in (first, second):
        official = record.protocols["official"]
        assert official.rmse_epoch == epoch != record.protocols["last"].rmse_epoch
        assert official.rmse == record.curves["final"].test_rmse[3 + epoch - 1]


@pytest.mark.parametrize("rule", ["Validated", "SettledBias"])
def test_a_completer_whose_official_rule_needs_a_selection_run_gets_one(rule, tmp_path):
    model = {"_target_": f"small_run.{rule}"}
    with pytest.raises(GlocalkError) as error:
        execute(config(tmp_path, model=model, protocol={"selection": "never"}))
    assert str(error.value) == (
        "synthetic glocal_k seed 0 is reported at the epoch that its selection run chooses: "
        "protocol.selection cannot be 'never'."
    )


def test_a_failed_run_leaves_a_failed_record(tmp_path):
    model = {**MODEL, "lambda_2": 1e308}  # beyond float64
    with pytest.raises(
        GlocalkError,
        match=r"epoch 1 of pretrain: the training has diverged; raise the regularization\.$",
    ):
        execute(config(tmp_path, model=model))
    record = only_record(tmp_path)
    assert record.status == "failed"
    assert "diverged" in record.failure.message
    assert "Traceback" in record.failure.traceback
    assert record.protocols == {}


def test_missing_data_leaves_a_failed_record(tmp_path):
    data = {"_target_": "small_run.NoData"}
    made = config(tmp_path).model_copy(update={"data": data})
    with pytest.raises(MissingDataError, match="There is no data"):
        execute(made)
    record = only_record(tmp_path)
    assert record.status == "failed"
    assert record.failure.message == "There is no data in 'data'."
    assert (record.split, record.data_checksum) == ("", "")


def test_a_damaged_record_is_made_again(tmp_path, caplog):
    bias = {"model": BIAS, "model_name": "bias"}
    expected = execute(config(tmp_path, **bias))
    (path,) = tmp_path.glob("*/record.json")
    path.write_text(path.read_text()[:500])
    again = execute(config(tmp_path, **bias))
    assert "is not a complete record" in caplog.text
    assert comparable(again) == comparable(expected) == comparable(Record.read(path))


def test_a_completer_without_epochs_makes_one_training(tmp_path):
    record = execute(config(tmp_path, model=BIAS, model_name="bias"))
    assert list(record.curves) == ["final"]
    assert record.curves["final"].epoch == [None]
    assert len({result.rmse for result in record.protocols.values()}) == 1
    assert set(record.protocols) == {"best_test", "validated", "last", "official"}


def test_tensorboard_on_request(tmp_path):
    logger = {"tensorboard": {"_target_": TensorBoardLogger.__module__ + ".TensorBoardLogger"}}
    execute(config(tmp_path, logger={**CSV, **logger}, protocol={"selection": "never"}))
    assert list(tmp_path.glob("*/final/pretrain/*/events.out.tfevents.*"))
    assert list(tmp_path.glob("*/final/pretrain/*/metrics.csv"))


def test_a_logger_that_cannot_be_made_is_an_error(tmp_path):
    logger = {"other": {"_target_": "no_such_package.Logger"}}
    with pytest.raises(GlocalkError, match=r"logger=\w+ cannot be made .*choose logger=csv"):
        execute(config(tmp_path, logger=logger))


def test_the_model_file_is_kept_on_request(whole, tmp_path):
    folder, _ = whole
    assert len(list((folder / "runs").glob("*/model.pt"))) == 1
    bias = {"model": BIAS, "model_name": "bias"}
    execute(config(tmp_path, **bias))
    execute(config(tmp_path, **bias, force=True, save_model=False))
    assert not list(tmp_path.glob("*/model.pt"))


def test_a_runs_folder_that_cannot_be_written_to_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GlocalkError, match=r"cannot be written to .*choose another with runs_dir"):
        execute(config(tmp_path / "file" / "runs", model=BIAS))


def test_the_threads_and_the_share_of_the_ratings_are_used(tmp_path):
    half = execute(config(tmp_path, model=BIAS, model_name="bias", train_share=0.5))
    full = execute(config(tmp_path, model=BIAS, model_name="bias"))
    assert half.threads == 1
    assert (half.train_share, full.train_share) == (0.5, 1.0)
    assert half.protocols["last"].rmse != full.protocols["last"].rmse
    assert np.isfinite(half.protocols["last"].rmse)


@pytest.mark.parametrize(
    "change",
    [
        {"experiment": "../../x"},
        {"experiment": "/tmp/x"},
        {"data_name": ".."},
        {"model_name": "a|b"},
        {"variant": "a\nb"},
        {"seed": 2**32},
        {"seed": -1},
    ],
)
def test_names_and_seeds_are_checked_when_a_run_starts(change, tmp_path):
    with pytest.raises(GlocalkError, match=f"Option '{next(iter(change))}' cannot be") as error:
        config(tmp_path, **change)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("trainer", "field"),
    [
        ({"gradient_clip_val": float("nan")}, "config.trainer.gradient_clip_val"),
        ({"limit_train_batches": float("inf")}, "config.trainer.limit_train_batches"),
    ],
)
def test_what_a_record_cannot_hold_is_refused_before_the_training(tmp_path, trainer, field):
    made = config(tmp_path, model=BIAS, model_name="bias", trainer={"threads": 1, **trainer})
    with pytest.raises(GlocalkError, match=f"'{field}' is neither text, a finite number"):
        execute(made)
    assert not list(tmp_path.glob("*/model.pt"))
