"""Docstrings as Markdown and as reStructuredText.

They are plain text with single backticks around code, equations in indented blocks, and sections
in Google's style. Nothing else in them is markup, so everything that a renderer would take for it
is escaped.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

_SECTION = re.compile(r"(Args|Attributes|Example|Raises|Returns|Yields):")
_CODE = re.compile(r"(`[^`]+`)")
_PAPER = re.compile(r"\barXiv (\d{4}\.\d{4,5})")
_REPOSITORY = re.compile(r"\b(code|library)(\s+)`([\w-]+/[\w.-]+)`")


class Part(NamedTuple):
    """A part of a docstring.

    Attributes:
        kind: `text`, `code` for an indented block, or the name of a section.
        lines: its lines, without the indentation of a block or section.
    """

    kind: str
    lines: list[str]


def parts(text: str) -> Iterator[Part]:
    """The parts of a docstring, in order; blank lines at their ends are left out."""
    kind = "text"
    kinds = []
    lines = inspect.cleandoc(text).splitlines()
    for line in lines:
        found = _SECTION.fullmatch(line)
        if found:
            kind = found[1]
        elif line and not line.startswith(" "):
            kind = "text"
        elif line and kind == "text":
            kind = "code" if line.startswith("    ") else "text"
        elif line and kind == "code" and not line.startswith("    "):
            kind = "text"
        kinds.append(kind)
    for kind, group in groupby(zip(kinds, lines, strict=True), key=lambda pair: pair[0]):
        body = [line for _, line in group]
        if kind not in ("text", "code"):
            body = body[1:]
        made = inspect.cleandoc("\n" + "\n".join(body)).splitlines()
        if made:
            yield Part(kind, made)


def summary(of: Any) -> str:
    """The first sentence of a docstring, on one line, as Markdown."""
    first = inspect.getdoc(of) or ""
    return _escaped(" ".join(first.split("\n\n")[0].split()), r"\`*_[]<>|$")


def as_markdown(text: str, *, without: str = "") -> str:
    """A docstring as Markdown; papers and repositories that it names become links.

    Args:
        text: the docstring.
        without: a section to leave out.
    """
    return "\n\n".join(_markdown(part) for part in parts(text) if part.kind != without) + "\n"


def example(text: str) -> str:
    """The example in a docstring as Markdown; empty without one."""
    return "".join(f"{_markdown(part)}\n" for part in parts(text) if part.kind == "Example")


def _markdown(part: Part) -> str:
    body = "\n".join(part.lines)
    if part.kind == "code":
        return f"```text\n{body}\n```"
    if part.kind == "Example":
        return f"```pycon\n{body}\n```"
    linked = _REPOSITORY.sub(r"\1\2[`\3`](https://github.com/\3)", body)
    linked = _PAPER.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", linked)
    kept = re.compile(r"(`[^`]+`|\[`?[^\]]+`?\]\(https://[^)]+\))")
    escaped = _escaped(linked, r"\*_[]<>|$", kept)
    return escaped if part.kind == "text" else f"**{part.kind}**\n\n{escaped}"


def as_rst(lines: list[str]) -> list[str]:
    """The lines of a docstring for autodoc and napoleon, which read reStructuredText."""
    made: list[str] = []
    for part in parts("\n".join(lines)):
        if part.kind == "code":
            made += [".. code-block:: text", "", *_indented(part.lines), ""]
        elif part.kind == "Example":
            made += ["Example:", *_indented(part.lines), ""]
        else:
            body = [_rst(line) for line in _joined_code(part.lines)]
            made += body if part.kind == "text" else [f"{part.kind}:", *_indented(body)]
            made += [""]
    return made


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def _joined_code(lines: list[str]) -> Iterator[str]:
    """The lines; those between which a piece of code is broken are joined."""
    open_line = ""
    for line in lines:
        joined = f"{open_line} {line.strip()}" if open_line else line
        if joined.count("`") % 2:
            open_line = joined
        else:
            open_line = ""
            yield joined
    if open_line:
        yield open_line


def _rst(line: str) -> str:
    made = _escaped(line, r"\*_|", _CODE)
    # `**options: …` names a parameter, and napoleon escapes it by itself.
    made = re.sub(r"^(\s*)\\\*\\\*", r"\1**", made)
    # A letter right after code, as in a plural, needs a separator.
    return re.sub(r"`([^`]+)`(?=(\w?))", lambda at: f"``{at[1]}``" + "\\ " * bool(at[2]), made)


def _escaped(text: str, characters: str, kept: re.Pattern[str] = _CODE) -> str:
    """The text with a backslash before each of these characters, except in what is kept."""
    marks = re.compile(f"([{re.escape(characters.replace('`', ''))}])")
    pieces = kept.split(text)
    return "".join(
        piece if index % 2 else marks.sub(r"\\\1", piece) for index, piece in enumerate(pieces)
    )
