"""Fills the templates of the page: whatever is put into one is escaped there."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from glocalk.errors import printable


def fill(template: str, **values: object) -> Markup:
    """The text of a template, in which every value that is not markup itself is escaped."""
    return Markup(_environment().get_template(template).render(values).strip())


def with_code(text: str) -> Markup:
    """A sentence in which words in backticks are code."""
    escaped = str(escape(printable(text)))
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", escaped))


def asset(name: str) -> str:
    """The text of a style sheet or script of the page."""
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}
    environment.filters["code"] = with_code
    return environment


def _shown(value: object) -> object:
    """Text from outside without characters that change the direction of what follows."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
