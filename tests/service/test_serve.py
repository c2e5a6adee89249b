"""`glocalk serve`: its options, where it listens, and how it ends."""

import os
import signal
import socket
import sys
import threading
import time
import urllib.request

import pytest
import torch

from command import call
from glocalk.completers.baselines import GlobalMean
from glocalk.inference.model_file import MODEL_FILE
from glocalk.service import body, server
from inference.fitted import MEAN, TEXT_IDS, fitted
from service.client import Client, while_serving

PAIRS = {"users": TEXT_IDS.users[:3].tolist(), "items": TEXT_IDS.items[:3].tolist()}

HEAD = b"POST /top HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the model of a completer that gives a distribution."""
    folder = tmp_path_factory.mktemp("run")
    fitted(MEAN).save(folder / MODEL_FILE)
    return folder


def test_standard_deviations_are_those_of_the_model(folder):
    _, (status, answer) = while_serving(
        lambda port: Client(port).post("/predict", {**PAIRS, "return_std": True}),
        f"run={folder}",
        cwd=folder,
    )
    rating, std = fitted(MEAN).predict(PAIRS["users"], PAIRS["items"], return_std=True)
    assert status == 200
    assert answer == {"rating": pytest.approx(rating), "std": pytest.approx(std)}


def test_the_limits_and_the_threads_are_options(folder):
    threads = torch.get_num_threads()

    def ask(port):
        client = Client(port)
        return (
            client.post("/predict", PAIRS)[1]["detail"],
            client.post("/top", {"users": PAIRS["users"], "n": 2})[1]["detail"],
            client.post("/predict", {"users": ["x" * 300], "items": []})[1]["detail"],
            torch.get_num_threads(),
        )

    try:
        limits = ("max_pairs=2", "max_top=5", "max_bytes=200", "threads=3")
        _, answers = while_serving(ask, f"run={folder}", *limits, cwd=folder)
    finally:
        torch.set_num_threads(threads)
    assert answers == (
        "A request may have 2 pairs, not 3: send it in parts.",
        "A request may have 5 users times n, not 3 × 2: send it in parts, or choose a smaller n.",
        "The body is larger than 200 bytes: send the request in parts.",
        3,
    )


def test_the_page_about_the_service_loads_nothing(folder):
    def read(port):
        with urllib.request.urlopen(f"http://localhost:{port}/docs") as page:
            return port, page.headers["Content-Security-Policy"], page.read().decode()

    _, (port, policy, page) = while_serving(read, f"run={folder}", cwd=folder)
    assert policy.startswith("default-src 'none'")
    addresses = page.count("http://") + page.count("https://")
    assert addresses == page.count(f"curl http://localhost:{port}/") == 3
    assert "src=" not in page
    for name in ("return_std = false", "unknown = ", "n = 10"):
        assert name in page


def test_a_failing_prediction_is_an_answer_too(folder, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(GlobalMean, "predict_pairs", fail)

    def ask(port):
        return Client(port).post("/predict", PAIRS), Client(port).get("/health")[0]

    _, ((status, answer), health) = while_serving(ask, f"run={folder}", cwd=folder)
    assert (status, health) == (500, 200)
    assert answer == {"detail": "The prediction failed: the output of the service says why."}


def test_a_stop_waits_for_the_answers_under_way_and_health_needs_no_prediction(folder, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    predict = GlobalMean.predict_pairs

    def slow(self, users, items):
        begun.set()
        assert go_on.wait(60)
        return predict(self, users, items)

    monkeypatch.setattr(GlobalMean, "predict_pairs", slow)

    def ask(port):
        answers = []
        client = threading.Thread(
            target=lambda: answers.append(Client(port).post("/predict", PAIRS))
        )
        client.start()
        assert begun.wait(60)
        health = Client(port).get("/health")[0]
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)
        go_on.set()
        client.join()
        return health, answers[0][0]

    ended, statuses = while_serving(ask, f"run={folder}", cwd=folder)
    assert statuses == (200, 200)
    assert (ended.returncode, ended.stderr) == (143, "Stopped.\n")


def test_a_client_that_sends_nothing_more_does_not_hold_up_the_stop(folder, monkeypatch):
    monkeypatch.setattr(server, "_SECONDS_TO_END", 1)
    connections = []

    def ask(port):
        connections.append(socket.create_connection(("127.0.0.1", port)))
        connections[0].sendall(HEAD + b'Content-Length: 100\r\n\r\n{"users": [')
        return Client(port).get("/health")[0]

    ended, status = while_serving(ask, f"run={folder}", cwd=folder)
    connections[0].close()
    assert (status, ended.returncode) == (200, 143)


def test_a_body_that_does_not_arrive_is_answered(folder, monkeypatch):
    monkeypatch.setattr(body, "_SECONDS", 0.3)

    def ask(port):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"users": [')
            return connection.recv(12)

    _, status = while_serving(ask, f"run={folder}", cwd=folder)
    assert status == b"HTTP/1.1 408"


def test_another_host_is_warned_of(folder):
    ended, status = while_serving(
        lambda port: Client(port).get("/health", Host="machine.example")[0],
        f"run={folder}",
        "host=0.0.0.0",
        cwd=folder,
    )
    assert status == 200
    assert ended.stderr.startswith("Warning: whoever reaches port ")
    assert "there is no authentication" in ended.stderr


def test_the_command_says_where_it_listens(folder):
    ended, port = while_serving(lambda port: port, f"run={folder}", cwd=folder)
    assert ended.stdout == (
        f"Serving GlobalMean, trained on tiny, at http://127.0.0.1:{port} (see /docs); Ctrl-C "
        "stops it.\n"
    )


def refused(*arguments, cwd):
    process = call("serve", *arguments, cwd=cwd)
    assert (process.returncode, process.stdout) == (1, "")
    (line,) = process.stderr.splitlines()
    return line


def test_a_taken_port_is_one_sentence(folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refused(f"run={folder}", f"port={port}", cwd=folder)
    assert line.startswith(f"Port {port} of host '127.0.0.1' cannot be used (address already in ")
    assert line.endswith("choose another, or port=0 for any that is free.")


def test_wrong_options_are_one_sentence(folder, monkeypatch):
    assert refused(cwd=folder) == "Option 'run' is missing: give it a value."
    assert refused("run=nowhere", cwd=folder).startswith("Unknown run 'nowhere': ")
    assert refused("run=a", "port=70000", cwd=folder).startswith("Option 'port' cannot be '70000'")
    assert refused("run=a", "prot=1", cwd=folder) == "Unknown option 'prot': did you mean 'port'?"
    line = refused(f"run={folder}", "host=256.0.0.1", "port=0", cwd=folder)
    assert line.startswith("Port 0 of host '256.0.0.1' cannot be used (")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert "pip install 'glocalk[serve]'" in refused(f"run={folder}", cwd=folder)
