"""A page with its style and its script, under a policy that lets nothing be loaded."""

from __future__ import annotations

import base64
import hashlib

from markupsafe import Markup

from glocalk.report.page.markup import asset, fill


def document(template: str, script: str = "", **values: object) -> str:
    """The text of a page, made from a template that extends `base.html`.

    Style and script are part of it. Its policy names their hashes and forbids everything else, so
    that no text from a record can run or load anything.

    Args:
        template: name of the template.
        script: name of the script that the template holds; empty for none.
        values: what the template shows.
    """
    style, program = asset("page.css"), asset(script) if script else ""
    rules = [
        "default-src 'none'",
        f"style-src {_source(style)}",
        *([f"script-src {_source(program)}"] if program else []),
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    shown = {"style": Markup(style), "script": Markup(program), **values}
    return fill(template, policy="; ".join(rules), **shown) + "\n"


def _source(text: str) -> str:
    """The hash of an inline style or script, as a policy names it."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
