"""Trackers that cannot be used: one sentence before the training begins, and nothing secret."""

import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from small_run import config
from tracked import MLFLOW, QUIET, WANDB, mlflow

from glocalk.errors import GlocalkError, without_secrets
from glocalk.records.run import Record
from glocalk.run.execute import execute


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_server_that_is_not_there_is_one_sentence_before_training_begins(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="pip install 'glocalk[mlflow]'")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://me:secret@127.0.0.1:{_free_port()}"
    with pytest.raises(
        GlocalkError, match=r"^MLflow at .* cannot be used \(Connection refused\)"
    ) as it:
        execute(config(tmp_path / "runs", logger=mlflow(uri)))
    assert "\n" not in str(it.value)
    assert not list(tmp_path.glob("runs/*/selection"))
    (path,) = tmp_path.glob("runs/*/record.json")
    assert Record.read(path).status == "failed"
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"secret" not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("sqlite:////proc/no.db", "unable to open database file"),
        ("sqlite:///text.db", "file is not a database"),
        ("sqlite:///file:made.db?mode=ro&uri=true", "unable to open database file"),
        ("htp://x", ".*unsupported URI 'htp://x'.*"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_sentence_at_once(tmp_path, uri, reason):
    pytest.importorskip("mlflow", reason="pip install 'glocalk[mlflow]'")
    (tmp_path / "text.db").write_text("neither a database nor empty")
    began = time.monotonic()
    with pytest.raises(GlocalkError, match=rf"^MLflow at '.*' cannot be used \({reason}\): check"):
        execute(config(tmp_path / "runs", logger=mlflow(uri)))
    assert time.monotonic() - began < 30  # MLflow itself tries for 100 seconds


class _Refusing(BaseHTTPRequestHandler):
    """A server that answers every request with an error."""

    def do_GET(self):
        self.send_error(500)

    def do_POST(self):
        self.send_error(500)

    def log_message(self, *_):
        """Print nothing."""


def test_a_server_that_answers_with_errors_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="pip install 'glocalk[mlflow]'")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(GlocalkError, match=rf"^MLflow at '{uri}' cannot be used \(.*500"):
            execute(config(tmp_path / "runs", logger=mlflow(uri)))
        server.shutdown()


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


def test_wandb_without_a_key_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="pip install 'glocalk[wandb]'")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE")
    logger = {"wandb": {**WANDB, "mode": "online"}}
    with pytest.raises(GlocalkError, match=r"W&B at 'glocalk' cannot be used .*(?i:api key)"):
        execute(config(tmp_path / "runs", logger=logger))


def test_wandb_in_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    pytest.importorskip("wandb", reason="pip install 'glocalk[wandb]'")
    (tmp_path / "file").touch()
    logger = {"wandb": {**WANDB, "mode": "offline", "save_dir": str(tmp_path / "file" / "x")}}
    with pytest.raises(GlocalkError, match=r"W&B at 'glocalk' cannot be used \(Not a directory\)"):
        execute(config(tmp_path / "runs", logger=logger))
