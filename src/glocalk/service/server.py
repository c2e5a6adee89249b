"""Serves an application on a socket until the command is asked to stop."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from fastapi import FastAPI

from glocalk.errors import GlocalkError, one_line

_CONNECTIONS = 128  # at once; one more is answered 503
_SECONDS_TO_END = 4  # for requests that are being answered when the service is stopped


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at a host and a port, 0 for any that is free.

    Raises:
        GlocalkError: there is no such host, or the port is taken or not allowed.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        reason = one_line(error.strerror or error).lower()
        raise GlocalkError(
            f"Port {port} of host '{host}' cannot be used ({reason}): choose another, or port=0 "
            "for any that is free."
        ) from error


def serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve until an exception ends the wait for the server: that of a signal, for example.

    The server has a thread of its own, where it leaves signals alone. When it is to end, it takes
    no more requests, and finishes those that it has.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="error",  # what clients do wrong is answered, and not printed
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )
    server = uvicorn.Server(config)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="serving") as pool:
        served = pool.submit(server.run, sockets=[listening])
        try:
            served.result()
        finally:
            server.should_exit = True
