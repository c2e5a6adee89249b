"""The page at /docs: the paths of the service, with lines to paste; it loads nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy of the page."""


@dataclass(frozen=True)
class _Path:
    method: str
    path: str
    summary: str
    command: str
    options: Mapping[str, Mapping[str, Any]]


def docs_page(openapi: Mapping[str, Any], base_url: str) -> str:
    """The page as HTML.

    Args:
        openapi: the OpenAPI document of the application.
        base_url: where the reader has found it, with a slash at the end.
    """
    info = openapi["info"]
    return _template().render(info=info, paths=list(_paths(openapi, base_url)))


def _paths(openapi: Mapping[str, Any], base_url: str) -> Iterator[_Path]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            command = f"curl {shlex.quote(base_url.rstrip('/') + path)}"
            options: Mapping[str, Any] = {}
            if "requestBody" in operation:
                ((kind, content),) = operation["requestBody"]["content"].items()
                example = json.dumps(content["example"], ensure_ascii=False)
                command += f" \\\n  -H 'Content-Type: {kind}' \\\n  -d {shlex.quote(example)}"
                options = content["schema"]["properties"]
            yield _Path(method.upper(), path, operation["summary"], command, options)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("docs.html")
