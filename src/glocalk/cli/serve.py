"""`glocalk serve run=runs/…`: predictions of a run over HTTP."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from glocalk.cli.arguments import read_arguments, refuse_words, wants_help
from glocalk.cli.help import Help, fields
from glocalk.config import BaseConfig
from glocalk.errors import GlocalkError

if TYPE_CHECKING:
    from glocalk.completers.base import Completer
    from glocalk.service.messages import Health

_HELP = Help(
    command="serve",
    does="predict with the model of a run over HTTP, in JSON: POST /predict for the ratings of "
    "pairs, POST /top for the best unrated items of users, GET /health, and a description of all "
    "of them at /docs. It is meant for programs of this machine, and has no authentication.",
    usage=["serve run=FOLDER [name=value ...]"],
    examples={
        "serve run=runs/ml_100k-bias-1f0c-seed0": "at http://127.0.0.1:8000, until Ctrl-C",
        "serve run=model.pt port=0 threads=4": "a model file, at any free port, which is printed",
    },
    flags={},
)


class ServeConfig(BaseConfig):
    """The model, where it is served, and what a request may ask for."""

    run: Path = Field(description="folder of the run whose model predicts, or a model file")
    host: str = Field(
        default="127.0.0.1",
        description="address or name to listen at; any but this machine's own lets others in",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="port; 0: any that is free")
    threads: int = Field(default=1, ge=1, description="threads that a prediction is computed on")
    max_pairs: int = Field(default=10_000, ge=1, description="pairs in a request")
    max_top: int = Field(
        default=10_000, ge=1, description="users times items for each in a request"
    )
    max_bytes: int = Field(default=1 << 20, ge=1, description="bytes in the body of a request")
    module: str | None = Field(
        default=None, description="import this module first, for a completer outside glocalk"
    )


def serve(config: ServeConfig) -> None:
    """Serve the model that `config` names until a signal asks to stop.

    Raises:
        GlocalkError: an error that the user can fix.
        StoppedError: the command was asked to stop.
    """
    _require_extra()
    # They import torch, which the help text does without.
    from glocalk.cli.loading import load_model

    model = load_model(config.run, config.module)
    import torch

    from glocalk.service import server
    from glocalk.service.answers import Limits
    from glocalk.service.app import create_app

    torch.set_num_threads(config.threads)
    health = _health(model)
    with server.listen(config.host, config.port) as listening:
        address, port = listening.getsockname()[:2]
        local = ipaddress.ip_address(address).is_loopback
        if not local:
            print(
                f"Warning: whoever reaches port {port} of this machine can ask for predictions, "
                "because there is no authentication.",
                file=sys.stderr,
            )
        shown = f"[{address}]" if ":" in address else address
        print(
            f"Serving {health.model}, trained on {health.data}, at http://{shown}:{port} (see "
            "/docs); Ctrl-C stops it.",
            flush=True,
        )
        limits = Limits(config.max_pairs, config.max_top, config.max_bytes)
        server.serve(create_app(model, health, limits, local=local), listening)


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    if wants_help(arguments):
        print(_HELP.text(("Options", fields(ServeConfig))))
        return 0
    try:
        words, options = read_arguments("serve", arguments)
        refuse_words(words)
        serve(ServeConfig.check(options, ""))
    except GlocalkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def completions() -> list[str]:
    """What the shell may complete an argument to."""
    return [f"{name}=" for name in ServeConfig.model_fields]


def _health(model: Completer) -> Health:
    from importlib.metadata import version

    from glocalk.run.provenance import commit
    from glocalk.service.messages import Health

    assert model.trained_on is not None
    head, dirty = commit()
    return Health(
        model=type(model).__name__,
        data=model.trained_on.title,
        users=len(model.trained_on.ids.users),
        items=len(model.trained_on.ids.items),
        scale=model.trained_on.scale,
        gives_distribution=model.gives_distribution,
        version=version("glocalk"),
        commit=head,
        dirty=dirty,
        loaded=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _require_extra() -> None:
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise GlocalkError(
            "A service needs FastAPI and uvicorn: pip install 'glocalk[serve]', then start it "
            "again."
        ) from error
