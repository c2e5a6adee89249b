"""A client of `glocalk serve`, which runs as a process or, with more to observe, in this one."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from command import call, command


class Client:
    """One connection; `post` and `get` return the status and the JSON of the answer."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def post(self, path, body, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        self.connection.request("POST", path, content, headers)
        return self._answer()

    def get(self, path, **headers):
        self.connection.request("GET", path, headers=headers)
        return self._answer()

    def _answer(self):
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())


@contextlib.contextmanager
def process(*arguments, cwd):
    """(process, port) of a service that listens."""
    started = subprocess.Popen(
        command("serve", "port=0", *arguments),
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = started.stdout.readline()
        found = re.search(r"at http://127\.0\.0\.1:(\d+) ", line)
        assert found, line + started.stderr.read()
        yield started, int(found[1])
    finally:
        started.kill()
        started.communicate()


def while_serving(work, *arguments, cwd):
    """`glocalk serve` in this process, stopped after `work(port)` in a thread.

    Returns:
        What the command left, and what `work` returned.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    results, errors = [], []

    def use():
        try:
            _wait_for(port)
            results.append(work(port))
        except BaseException as error:
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    user = threading.Thread(target=use)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # if the command has ended by itself
    try:
        user.start()
        ended = call("serve", f"port={port}", *arguments, cwd=cwd)
        user.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    if errors:
        raise errors[0]
    return ended, results[0]


def _wait_for(port):
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
