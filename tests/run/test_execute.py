import json
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

from command import SMALL, VARIANT, command, comparable, only_record, run
from glocalk.records.run import PROTOCOLS, Record


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, record) of an uninterrupted small run."""
    folder = tmp_path_factory.mktemp("whole")
    process = run("train", *SMALL, cwd=folder)
    assert process.returncode == 0, process.stderr
    return folder, only_record(folder / "runs")


def test_the_record_holds_what_it_promises(whole):
    _, record = whole
    assert record.status == "done"
    assert (record.experiment, record.data, record.model) == ("table1", "synthetic", "glocal_k")
    assert record.variant == VARIANT
    assert record.split == "planted"
    assert set(record.protocols) == set(PROTOCOLS)
    assert record.validated_epoch_from_seed is None
    assert record.budget == 1
    for name in ("selection", "final"):
        assert record.curves[name].stage == ["pretrain"] * 3 + ["finetune"] * 3
        assert record.curves[name].epoch == [1, 2, 3, 1, 2, 3]
    assert all(rmse is not None for rmse in record.curves["selection"].valid_rmse)
    assert all(rmse is None for rmse in record.curves["final"].valid_rmse)
    assert record.protocols["official"] == record.protocols["best_test"]
    assert (
        record.parameters
        == (40 * 8 + 8 * 8 + 8 * 40) + 5 * (40 + 8 + 8 + 8 + 8 + 40) + (8 + 8 + 40) + 30 * 9
    )
    assert set(record.seconds) >= {"total", "selection", "final", "final/finetune"}
    assert 0 < record.seconds["final/pretrain"] < record.seconds["total"]
    assert record.peak_rss_mb > 50
    assert record.threads >= 1
    assert record.device == "cpu"
    assert record.versions["torch"]
    assert record.config["model"]["hidden_size"] == 8
    assert "seed" not in record.config


def test_the_record_tells_the_budget(tmp_path):
    options = ("model.factors=4", "model.epochs=5", "model.budget=0.25")
    process = run("train", "data=synthetic", "model=graphrec", *options, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    record = only_record(tmp_path / "runs")
    assert record.budget == 2 / 5
    assert record.curves["final"].epoch == [1, 2]


def test_per_user_sums_give_the_pooled_error_back(whole):
    _, record = whole
    for result in record.protocols.values():
        sums = np.array(record.user_errors[result.user_errors])
        assert len(sums) == len(record.user_counts) == 40
        pooled = np.sqrt(sums.sum() / sum(record.user_counts))
        assert pooled == pytest.approx(result.rmse, abs=1e-6)


def test_the_loss_falls_within_each_stage(whole):
    _, record = whole
    losses = record.curves["final"].loss
    assert losses[0] > losses[1] > losses[2] > 0


def test_metrics_are_logged_and_checkpoints_are_gone(whole):
    folder, record = whole
    (run_folder,) = (folder / "runs").glob("synthetic-*")
    assert not list(run_folder.glob("**/*.ckpt"))
    (log,) = run_folder.glob("final/finetune/*/metrics.csv")
    lines = log.read_text().splitlines()
    column = lines[0].split(",").index("test_rmse")
    logged = [float(line.split(",")[column]) for line in lines[1:] if line.split(",")[column]]
    expected = record.curves["final"].test_rmse[3:]
    assert logged == pytest.approx(expected, abs=1e-6)


def test_a_run_that_is_there_is_not_trained_again(whole):
    folder, record = whole
    (path,) = (folder / "runs").glob("*/record.json")
    before = path.stat().st_mtime_ns
    process = run("train", *SMALL, cwd=folder)
    assert process.returncode == 0
    assert "already" in process.stdout
    assert path.stat().st_mtime_ns == before
    process = run("train", *SMALL, "force=true", cwd=folder)
    assert process.returncode == 0
    assert path.stat().st_mtime_ns != before
    assert comparable(Record.read(path)) == comparable(record)


def test_another_seed_or_option_is_another_run(whole, tmp_path):
    _, record = whole
    process = run("train", "-m", *SMALL, "seed=0,1", "model.lambda_2=20,30", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    records = [Record.read(path) for path in (tmp_path / "runs").glob("synthetic-*/record.json")]
    assert len({(r.seed, r.config_hash) for r in records}) == 4
    assert len({r.config_hash for r in records}) == 2
    same = [r for r in records if r.seed == 0 and r.config["model"]["lambda_2"] == 20]
    assert same[0].protocols == record.protocols


@pytest.mark.parametrize("killed_in", ["pretrain", "finetune"])
@pytest.mark.parametrize("training", [1, 2])
def test_sigkill_then_the_same_command_gives_the_same_record(whole, tmp_path, training, killed_in):
    _, expected = whole
    process = subprocess.Popen(
        command("train", *SMALL),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pattern = f"runs/synthetic-*/training_{training}/{killed_in}.ckpt"
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(pattern)) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert not list(tmp_path.glob("runs/*/record.json"))
    resumed = run("train", *SMALL, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert comparable(only_record(tmp_path / "runs")) == comparable(expected)


def test_the_same_run_started_twice_runs_once(tmp_path):
    outputs = []

    def start():
        outputs.append(run("train", *SMALL, cwd=tmp_path))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.returncode for process in outputs] == [0, 0]
    assert sum("already" in process.stdout for process in outputs) == 1
    assert only_record(tmp_path / "runs").status == "done"


def test_the_lowest_seed_s_epoch_serves_the_others(tmp_path):
    options = [*SMALL, "protocol.selection=lowest_seed"]
    early = run("train", *options, "seed=1", cwd=tmp_path)
    assert early.returncode == 1
    assert "run seed=0 first" in early.stderr
    assert only_record(tmp_path / "runs").status == "failed"
    assert run("train", "-m", *options, "seed=0,1", cwd=tmp_path).returncode == 0
    first, second = sorted(
        (Record.read(path) for path in (tmp_path / "runs").glob("synthetic-*/record.json")),
        key=lambda record: record.seed,
    )
    assert "selection" in first.curves
    assert "selection" not in second.curves
    assert "held_out" not in second.protocols
    assert second.validated_epoch_from_seed == 0
    epoch = first.protocols["validated"].rmse_epoch
    assert second.protocols["validated"].rmse_epoch == epoch
    row = 3 + epoch - 1
    assert second.protocols["validated"].rmse == second.curves["final"].test_rmse[row]


def test_selection_may_be_left_out(tmp_path):
    process = run("train", *SMALL, "protocol.selection=never", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    record = only_record(tmp_path / "runs")
    assert set(record.curves) == {"final"}
    assert set(record.protocols) == {"best_test", "last", "official"}
    assert "validated" not in process.stdout


def test_a_model_reported_by_validation_needs_selection(tmp_path):
    process = run(
        "train", "data=synthetic", "model=cf_nade", "protocol.selection=never", cwd=tmp_path
    )
    assert process.returncode == 1
    assert process.stderr == (
        "synthetic cf_nade seed 0 is reported at the epoch that training 1 chooses: "
        "protocol.selection cannot be 'never'.\n"
    )


def test_a_failed_run_leaves_a_failed_record(tmp_path):
    process = run("train", *SMALL, "model.lambda_2=1e308", cwd=tmp_path)  # beyond float64
    assert process.returncode == 1
    assert process.stderr == "The loss is inf in epoch 1 of pretrain: the training has diverged.\n"
    record = only_record(tmp_path / "runs")
    assert record.status == "failed"
    assert "diverged" in record.failure.message
    assert "Traceback" in record.failure.traceback
    assert record.protocols == {}


def test_missing_data_leaves_a_failed_record(tmp_path):
    process = run("train", "data=douban", "data_dir=nowhere", cwd=tmp_path)
    assert process.returncode == 1
    record = only_record(tmp_path / "runs")
    assert record.status == "failed"
    assert record.failure.message == process.stderr.strip()


def test_a_damaged_record_is_made_again(whole, tmp_path):
    _, expected = whole
    assert run("train", *SMALL, cwd=tmp_path).returncode == 0
    (path,) = (tmp_path / "runs").glob("*/record.json")
    path.write_text(path.read_text()[:500])
    process = run("train", *SMALL, cwd=tmp_path)
    assert process.returncode == 0
    assert "does not hold a whole record" in process.stderr + process.stdout
    assert comparable(Record.read(path)) == comparable(expected)


def test_tensorboard_on_request(tmp_path):
    process = run("train", *SMALL, "logger=tensorboard", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert list(tmp_path.glob("runs/*/final/pretrain/*/events.out.tfevents.*"))
    assert list(tmp_path.glob("runs/*/final/pretrain/*/metrics.csv"))


def test_the_record_is_plain_json(whole):
    folder, record = whole
    (path,) = (folder / "runs").glob("*/record.json")
    assert json.loads(path.read_text())["config_hash"] == record.config_hash
