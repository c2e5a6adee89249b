"""The body of a request: JSON of a limited size, read without trusting it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from glocalk.errors import GlocalkError

_SECONDS = 30.0  # a client that takes longer to send a body has gone, or holds a connection


class RefusedError(GlocalkError):
    """A request that is refused before what it asks for is looked at.

    Attributes:
        status: status code of the response.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_body(request: Request, most: int) -> bytes:
    """The body, of which no more than `most` bytes are ever held.

    Raises:
        RefusedError: it is not declared as JSON (415), is larger (413), or does not arrive (408).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A page of another site cannot send this header without asking, and is not allowed to.
        raise RefusedError(415, "Send JSON, with the header 'Content-Type: application/json'.")
    too_large = RefusedError(
        413, f"The body is larger than {most:,} bytes: send the request in parts."
    )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:  # the length of a body in chunks is not declared
                    raise too_large
    except TimeoutError as error:
        raise RefusedError(
            408, f"The body did not arrive within {_SECONDS:.0f} seconds: send it again."
        ) from error
    return bytes(body)


def options_in(body: bytes) -> Mapping[str, Any]:
    """The options that a body holds by name.

    The parser accepts neither NaN nor infinity, and limits the depth of the nesting.

    Raises:
        RefusedError: it is not a JSON object (400).
    """
    try:
        content = from_json(body, allow_inf_nan=False, cache_strings=False)
    except ValueError as error:
        raise RefusedError(400, f"The body is not JSON ({error}): correct it.") from error
    if not isinstance(content, dict):
        raise RefusedError(400, 'The body is not a JSON object, as in {"users": [1]}: correct it.')
    return content
