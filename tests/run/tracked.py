"""What the tests of trackers read back: MLflow by its client, the run files of W&B."""

import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress

MLFLOW = {"_target_": "glocalk.run.trackers.mlflow.MlflowTracker"}
WANDB = {"_target_": "glocalk.run.trackers.wandb.WandbTracker"}

NAMES = ("loss", "valid_rmse", "test_rmse", "test_mae", "test_ndcg")

# Neither program tells its makers that it is used, nor asks the network for anything.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "WANDB_MODE": "offline",
    "WANDB_ERROR_REPORTING": "false",
    "MLFLOW_ALLOW_FILE_STORE": "true",
}


def mlflow(uri):
    return {"mlflow": {**MLFLOW, "tracking_uri": uri}}


def rows(curves, name):
    """(stage, epoch, value) of a curve of a record, where there is a value."""
    listed = zip(curves.stage, curves.epoch, getattr(curves, name), strict=True)
    return [(stage, epoch, value) for stage, epoch, value in listed if value is not None]


def mlflow_runs(uri):
    """The tracked runs at an address by the tag `training`, and the client that found them."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("glocalk")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == len({run.data.tags["run"] + run.data.tags["training"] for run in runs})
    return {run.data.tags["training"]: run for run in runs}, client


def mlflow_curve(client, run, name):
    """(step, value) of each entry of a metric."""
    history = client.get_metric_history(run.info.run_id, name)
    return [(entry.step, entry.value) for entry in history]


def wandb_segments(folder):
    """What each run file below a folder holds, by id: the run, its history and its summary."""
    from wandb.proto import wandb_internal_pb2

    segments = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        found = {"history": [], "summary": {}, "exit": None, "files": []}
        for data in _entries(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                found["run"] = record.run
                found["config"] = _items(record.run.config.update)
            elif kind == "config":
                found["config"] |= _items(record.config.update)
            elif kind == "history":
                found["history"].append(_items(record.history.item))
            elif kind == "summary":
                found["summary"] |= _items(record.summary.update)
            elif kind == "artifact":
                found["files"] += [entry.path for entry in record.artifact.manifest.contents]
            elif kind == "exit":
                found["exit"] = record.exit.exit_code
        segments.append(found)
    return segments


def _entries(content):
    """The entries of a log in the format of LevelDB, after W&B's header of seven bytes.

    W&B has no reader of it in Python any more. An entry is cut where a block of 32 KiB ends; each
    part has a header of checksum (4 bytes), length (2) and kind (1): 1 whole, 2 first, 3 middle,
    4 last.
    """
    assert content[:4] == b":W&B"
    place, parts = 7, []
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # no room for a header: the rest of the block is zero
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        parts.append(content[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):
            yield b"".join(parts)
            parts = []


def _items(items):
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


@contextmanager
def mlflow_server(folder):
    """The address of an MLflow server of this test's own, at this machine's own address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **QUIET},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 240
            while not _answers(port):
                assert process.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < deadline, (folder / "server.log").read_text()
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()


def _answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
