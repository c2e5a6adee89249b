"""Why a transfer failed, as a clause of a sentence."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from glocalk.errors import one_line

TEMPORARY = {408, 425, 429, 500, 502, 503, 504}
"""Status codes of a server that may soon give another answer."""


def explain(error: requests.RequestException, address: str, silence: float) -> tuple[str, bool]:
    """Why a request failed; whether another attempt may succeed.

    Args:
        error: what requests raised.
        address: what was asked for.
        silence: seconds that were waited for each piece of an answer.
    """
    host, causes = urlsplit(address).hostname, list(_causes(error))

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    answer = error.response
    if isinstance(error, requests.HTTPError) and answer is not None:
        return f"it answers {answer.status_code} {answer.reason}", answer.status_code in TEMPORARY
    # A server that was never reached is not asked again: there are other places.
    if isinstance(error, requests.exceptions.ProxyError):
        return f"no connection to {host}: {_said(causes[-1])}, via the proxy", False
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection to {host} within {silence:g} s", False
    if caused_by(socket.gaierror):
        return f"the name {host} cannot be resolved", False
    if caused_by(ssl.SSLError, NewConnectionError):
        return f"no connection to {host}: {_said(causes[-1])}", False
    if caused_by(requests.ReadTimeout, ReadTimeoutError):
        return f"it sent nothing for {silence:g} s", True
    if caused_by(requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return "the connection broke", True
    return one_line(error), False  # a redirect to something that is not HTTP, say


def malformed(error: Exception) -> str:
    """Why there is no file for an answer that breaks the rules of HTTP."""
    return f"its answer is malformed: {one_line(error)[:100]}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _said(cause: BaseException) -> str:
    """What the operating system or the TLS library says."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({cause.verify_message})"
    return one_line(cause.strerror if isinstance(cause, OSError) and cause.strerror else cause)
