"""Tables inside Markdown documents, each between two marks of its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from glocalk.errors import GlocalkError


@dataclass(frozen=True)
class Embedded:
    """A text that belongs in a document.

    Attributes:
        document: the Markdown file.
        mark: the text replaces what is between `<!-- mark:begin -->` and `<!-- mark:end -->`.
        content: the text.
    """

    document: Path
    mark: str
    content: str


def with_embedded(parts: Iterable[Embedded]) -> dict[Path, str]:
    """The new text of each document, by its path; nothing is written.

    Raises:
        GlocalkError: a document cannot be read, or does not hold both marks once and in order.
    """
    texts: dict[Path, str] = {}
    for part in parts:
        text = texts[part.document] if part.document in texts else _read(part.document)
        texts[part.document] = _replace(text, part)
    return texts


def _read(document: Path) -> str:
    try:
        return document.read_text(encoding="utf-8")
    except OSError as error:
        raise GlocalkError(f"'{document}' cannot be read: {error.strerror}.") from error


def _replace(text: str, part: Embedded) -> str:
    begin, end = f"<!-- {part.mark}:begin -->", f"<!-- {part.mark}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed) or text.count(begin) > 1 or text.count(end) > 1:
        raise GlocalkError(
            f"'{part.document}' needs exactly one pair of markers for its table {part.mark}: put "
            f"{begin} and {end} there, each on a separate line."
        )
    return f"{before}{begin}\n{part.content}{end}{after}"
