"""The service as an ASGI application: its paths, its errors, and one thread that predicts.

All predictions are made by one thread, one request after the other: they are computations that use
the cores by themselves, not every library that makes them may be called by several threads at once,
and memory is that of a single request. Meanwhile the service reads requests and tells its health.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from glocalk.errors import GlocalkError
from glocalk.inference.predictor import Predictor
from glocalk.service.answers import Limits, best_items, predictions
from glocalk.service.body import RefusedError, read_body
from glocalk.service.docs import POLICY, docs_page
from glocalk.service.messages import BestItems, Health, Pairs, Predictions, Refusal, Users

AnswerT = TypeVar("AnswerT")

_LONGEST = 500  # characters of a sentence, which may quote what was sent
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The body is not JSON."},
    408: {"model": Refusal, "description": "The body does not arrive."},
    413: {"model": Refusal, "description": "The body is too large."},
    415: {"model": Refusal, "description": "The body is not declared as JSON."},
    422: {"model": Refusal, "description": "An option or an id is wrong, or it asks for too much."},
}


def create_app(
    model: Predictor, health: Health, limits: Limits | None = None, *, local: bool = True
) -> FastAPI:
    """The application that answers with the predictions of a model.

    Args:
        model: a fitted completer.
        health: what `GET /health` answers.
        limits: what one request may ask for.
        local: whether only this machine is meant to reach it. A browser then cannot be led here by
            the name of another site: the header Host must name this machine.
    """
    limits = limits or Limits()
    app = FastAPI(
        title="glocalk",
        version=health.version,
        description=f"Predictions of {health.model}, trained on {health.data}. A request has up to "
        f"{limits.pairs:,} pairs or {limits.top:,} users × n, and {limits.body:,} bytes.",
        docs_url=None,  # these pages load scripts of other sites
        redoc_url=None,
        dependencies=[Depends(_only_local)] if local else [],
    )
    predicting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predicting")

    async def answered(
        request: Request, answer: Callable[[Predictor, Limits, bytes], AnswerT]
    ) -> AnswerT:
        body = await read_body(request, limits.body)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(predicting, answer, model, limits, body)

    known = model.trained_on
    users = [] if known is None else known.ids.users[:2].tolist()
    items = [] if known is None else known.ids.items[:2].tolist()

    @app.post(
        "/predict",
        summary="The ratings of pairs",
        responses=_REFUSALS,
        response_model_exclude_none=True,
        openapi_extra=_body_of(Pairs, {"users": users, "items": items[: len(users)]}),
    )
    async def predict(request: Request) -> Predictions:
        """Predict the rating of each pair (users[k], items[k])."""
        return await answered(request, predictions)

    @app.post(
        "/top",
        summary="The best unrated items of users",
        responses=_REFUSALS,
        openapi_extra=_body_of(Users, {"users": users, "n": 3}),
    )
    async def top(request: Request) -> BestItems:
        """Find the items with the highest predictions among those that a user has not rated."""
        return await answered(request, best_items)

    @app.get("/health", summary="That the service is up, and with what")
    async def check() -> Health:
        """Tell the model, its data, and the version of glocalk."""
        return health

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        page = docs_page(app.openapi(), str(request.base_url))
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    _answer_errors(app)
    return app


def _body_of(asked: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """The description of a body, which the application reads itself."""
    content = {"application/json": {"schema": asked.model_json_schema(), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _only_local(request: Request) -> None:
    """Refuse a request that was not sent to a name of this machine.

    Raises:
        RefusedError: it was not (421).
    """
    host = request.headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        local = name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:  # neither a name nor an address
        local = False
    if not local:
        raise RefusedError(
            421,
            "This service answers this machine alone: ask for it at localhost, or start it with "
            "host=….",
        )


def _answer_errors(app: FastAPI) -> None:
    """Let every error be answered by one sentence."""

    @app.exception_handler(GlocalkError)
    async def refused(_: Request, error: GlocalkError) -> JSONResponse:
        return _refusal(error.status if isinstance(error, RefusedError) else 422, str(error))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        sentence = str(error.detail)
        if error.status_code == 404:
            sentence = "There is no such path: /predict, /top, /health and /docs are there."
        elif error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "another method")
            sentence = f"This path does not take {request.method}: send {allowed}."
        return _refusal(error.status_code, sentence, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def left(_: Request, __: ClientDisconnect) -> JSONResponse:
        return _refusal(400, "The client left before its request was complete.")  # nobody reads it

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> JSONResponse:
        return _refusal(500, "The prediction failed: the output of the service says why.")


def _refusal(status: int, sentence: str, headers: Any = None) -> JSONResponse:
    if len(sentence) > _LONGEST:
        half = _LONGEST // 2
        sentence = f"{sentence[:half]}…{sentence[-half:]}"
    return JSONResponse({"detail": sentence}, status, headers)
