"""A service process under load and under attack: no answer is wrong or lost, and it stays up."""

import contextlib
import random
import signal
import socket
import threading
import time

import psutil
import pytest

from inference.fitted import NUM_USERS, TEXT_IDS, fitted
from service.client import Client, process

GLOCAL_K = {
    "_target_": "glocalk.GLocalK",
    "hidden_size": 8,
    "pretrain": {"epochs": 2, "iterations": 3},
    "finetune": {"epochs": 2, "iterations": 3},
}
USERS, ITEMS = TEXT_IDS.users.tolist(), TEXT_IDS.items.tolist()


@pytest.fixture(scope="module")
def model():
    return fitted(GLOCAL_K)


@pytest.fixture(scope="module")
def service(model, tmp_path_factory):
    """(process, port) of the service, which all tests of this module ask."""
    folder = tmp_path_factory.mktemp("served")
    model.save(folder / "model.pt")
    with process("run=model.pt", cwd=folder) as started:
        yield started


def questions(seed, number):
    """Paths and bodies: pairs, best items and, one in ten, an unknown id."""
    draw = random.Random(seed)
    for _ in range(number):
        users = draw.choices(USERS, k=draw.randint(1, 40))
        kind = draw.random()
        if kind < 0.3:
            yield "/top", {"users": users[:5], "n": draw.randint(1, 7)}
        else:
            items = draw.choices(ITEMS, k=len(users))
            if kind > 0.9:
                items[-1] = f"nothing {draw.random()}"
            yield "/predict", {"users": users, "items": items}


def is_right(model, path, body, answer):
    """Whether the answer is that of the model in this process."""
    status, content = answer
    if path == "/top":
        best = model.top(body["users"], body["n"])
        texts = all(content[name] == best[name].tolist() for name in ("user", "item", "rank"))
        return status == 200 and texts and content["rating"] == pytest.approx(best["rating"])
    if body["items"][-1].startswith("nothing"):
        return status == 422 and f"'{body['items'][-1]}' " in content["detail"]
    return status == 200 and content == {
        "rating": pytest.approx(model.predict(body["users"], body["items"]))
    }


def ask(port, seed, number, answered):
    client = Client(port)
    for path, body in questions(seed, number):
        answered.append((path, body, client.post(path, body)))


def test_a_thousand_requests_of_eight_clients_are_answered_right_in_flat_memory(service, model):
    started, port = service
    answered, resident = [], []
    for number in (25, 100):  # 200 requests to warm up, 800 more
        clients = [
            threading.Thread(target=ask, args=(port, f"{number} {seed}", number, answered))
            for seed in range(8)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        resident.append(psutil.Process(started.pid).memory_info().rss)
    assert len(answered) == 1000
    wrong = [each for each in answered if not is_right(model, *each)]
    assert wrong == []
    assert resident[1] - resident[0] < 8e6


DEEP = b"[" * 100_000
LONG = "x" * 500_000


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "The body is not JSON (EOF"),
        (b'{"users": [1', 400, "The body is not JSON (EOF"),
        (b"users=1&items=2", 400, "The body is not JSON (expected"),
        (b'{"users": [NaN], "items": [1]}', 400, "The body is not JSON (expected"),
        (b'{"users": [Infinity], "items": [1]}', 400, "The body is not JSON (expected"),
        (b'{"users": ["\xff"], "items": [1]}', 400, "The body is not JSON (invalid unicode"),
        (b'{"users": ["\\ud800"], "items": [1]}', 400, "The body is not JSON ("),
        (b"\x80\x04cos\nsystem\n", 400, "The body is not JSON (expected"),  # a pickle
        (DEEP, 400, "The body is not JSON (recursion limit"),
        (b'{"users": ' + DEEP, 400, "The body is not JSON (recursion limit"),
        (b"[1, 2]", 400, "The body is not a JSON object"),
        (b"null", 400, "The body is not a JSON object"),
        ({}, 422, "Option 'users' is missing"),
        ({"users": ["u1"], "itmes": [1]}, 422, "Unknown option 'itmes': did you mean 'items'?"),
        ({"users": ["u1"], "items": ["item 1"], LONG: 1}, 422, "Unknown option 'xxx"),
        ({"users": LONG, "items": []}, 422, "Option 'users' cannot be 'xxx"),
        ({"users": [LONG], "items": ["item 1"]}, 422, "The user id 'xxx"),
        ({"users": "u1", "items": ["item 1"]}, 422, "Option 'users' cannot be 'u1': input should"),
        ({"users": [True], "items": ["item 1"]}, 422, "The user id True is neither"),
        ({"users": [0.5], "items": ["item 1"]}, 422, "The user id 0.5 is neither"),
        ({"users": [None], "items": ["item 1"]}, 422, "The user id at position 0 is missing"),
        ({"users": [{"a": 1}], "items": ["item 1"]}, 422, "The user id {'a': 1} is neither"),
        ({"users": [[["u1"]]], "items": ["item 1"]}, 422, "The user ids must be one-dimensional"),
        ({"users": ["u1"], "items": []}, 422, "Users and items must be two lists of the same"),
        ({"users": ["u1"] * 10_001, "items": []}, 422, "A request may have 10,000 pairs, not 10,0"),
        ({"users": [], "items": [], "return_std": "yes"}, 422, "Option 'return_std' cannot be"),
        ({"users": [], "items": [], "unknown": "skip"}, 422, "Option 'unknown' cannot be 'skip'"),
        ({"users": ["u1"], "items": ["item 1"], "return_std": True}, 422, "GLocalK predicts a me"),
        ({"users": ["u1"], "items": [LONG] * 3}, 413, "The body is larger than 1,048,576 bytes"),
    ],
)
def test_a_request_that_is_wrong_is_refused_in_one_sentence(body, status, sentence, service):
    client = Client(service[1])
    found, answer = client.post("/predict", body)
    assert (found, list(answer)) == (status, ["detail"])
    assert answer["detail"].startswith(sentence)
    assert len(answer["detail"]) <= 501
    assert "\n" not in answer["detail"]
    assert client.get("/health")[0] == 200  # on the same connection


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"users": ["u1"], "n": 0}, "Option 'n' cannot be 0: "),
        ({"users": ["u1"], "n": True}, "Option 'n' cannot be True: "),
        ({"users": ["u1"], "n": 2.5}, "Option 'n' cannot be 2.5: "),
        ({"users": ["u1"] * 5, "n": 2001}, "A request may have 10,000 users times n, not 5 × 2,0"),
        ({"users": ["u1"], "n": 10**4000}, "A request may have 10,000 users times n, not 1 × 10,"),
        (
            {"users": ["nobody"]},
            "The user id 'nobody' is not in tiny: correct it, or",
        ),
    ],
)
def test_a_wrong_question_for_the_best_items_is_refused(body, sentence, service):
    status, answer = Client(service[1]).post("/top", body)
    assert status == 422
    assert answer["detail"].startswith(sentence)


def test_other_content_methods_paths_and_hosts_are_refused(service):
    client = Client(service[1])
    body = {"users": USERS[:1], "items": ITEMS[:1]}
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/octet-stream"):
        assert client.post("/predict", body, **{"Content-Type": kind})[0] == 415
    kind = {"Content-Type": "application/json; charset=utf-8"}
    assert client.post("/predict", body, **kind)[0] == 200
    assert client.get("/predict")[0] == 405
    status, answer = client.get("/predictions")
    assert (status, answer["detail"][:21]) == (404, "There is no such path")
    for host in ("rebound.example", "127.0.0.1.example", "[", ""):
        assert client.get("/health", Host=host)[0] == 421, host
    for host in ("localhost", "localhost:8000", "127.0.0.1", "[::1]:80"):
        assert client.get("/health", Host=host)[0] == 200, host


def test_a_large_body_is_refused_before_all_of_it_has_arrived(service):
    for header in ("Content-Length: 1000000000000", "Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", service[1]), timeout=60) as connection:
            connection.sendall(
                f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"{header}\r\n\r\n".encode()
            )
            if "chunked" in header:
                connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                for _ in range(16):
                    connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            assert connection.recv(12) == b"HTTP/1.1 413"


def test_what_is_not_http_and_clients_that_leave_do_no_harm(service):
    started, port = service
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(sent)
            assert connection.recv(12) == b"HTTP/1.1 400", sent[:40]
    head = b"POST /top HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head + b'Content-Length: 100\r\n\r\n{"users": [')
    answer = Client(port).post("/predict", {"users": USERS[:1], "items": ITEMS[:1]})
    assert answer[0] == 200
    assert started.poll() is None


def status_of_health(address):
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection.recv(12)


def test_more_connections_than_the_service_takes_are_turned_away(service):
    address = ("127.0.0.1", service[1])
    with contextlib.ExitStack() as idle:
        for _ in range(130):
            idle.enter_context(socket.create_connection(address))
        assert status_of_health(address) == b"HTTP/1.1 503"
    deadline = time.monotonic() + 60
    while (status := status_of_health(address)) != b"HTTP/1.1 200":
        assert status == b"HTTP/1.1 503"
        assert time.monotonic() < deadline


def test_the_health_is_that_of_the_model(service, model):
    status, health = Client(service[1]).get("/health")
    assert status == 200
    assert (health["status"], health["model"], health["data"]) == ("ok", "GLocalK", "tiny")
    assert (health["users"], health["scale"]) == (NUM_USERS, list(model.trained_on.scale))
    assert health["gives_distribution"] is False
    assert {"version", "commit", "dirty", "loaded"} <= health.keys()


def test_the_description_has_the_paths_and_their_options(service):
    status, described = Client(service[1]).get("/openapi.json")
    assert status == 200
    assert set(described["paths"]) == {"/predict", "/top", "/health"}
    asked = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert set(asked["schema"]["properties"]) == {"users", "items", "unknown", "return_std"}
    assert Client(service[1]).post("/predict", asked["example"])[0] == 200


def test_a_signal_ends_the_process_with_its_code(service):
    """The last one of this module: it stops what the others ask."""
    started, port = service
    client = Client(port)
    assert client.get("/health")[0] == 200  # and the connection stays open
    started.send_signal(signal.SIGTERM)
    out, err = started.communicate(timeout=120)
    assert (started.returncode, out, err) == (128 + signal.SIGTERM, "", "Stopped.\n")
