import pytest

from data.fetch.server import Server


@pytest.fixture(autouse=True)
def _online(monkeypatch):
    """Downloads are allowed; the only servers are on this machine."""
    monkeypatch.delenv("GLOCALK_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()
