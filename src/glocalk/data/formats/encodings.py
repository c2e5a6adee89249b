"""Encodings of text: what a byte order mark or the option `data.encoding` says, else UTF-8."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from glocalk.errors import GlocalkError, shown

# The mark of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8",
}
_CONTROL = re.compile("[\x80-\x9f]")  # in Latin-1; in cp1252 letters, quotes and the euro sign


def check_encoding(name: str) -> str:
    """The name of an encoding of text.

    Raises:
        ValueError: Python knows no such encoding, or it is not one of text.
    """
    try:
        "0,\n".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError) as error:
        raise ValueError("give an encoding that Python knows, like cp1252 or shift_jis") from error
    return name


def as_utf_8(path: Path, blocks: Iterable[bytes], encoding: str | None = None) -> Iterator[bytes]:
    """The content as UTF-8 without a byte order mark; content in UTF-8 is not checked.

    Args:
        path: the file, for error messages.
        blocks: its content.
        encoding: its encoding; None means that of its byte order mark, or else UTF-8.

    Raises:
        GlocalkError: it is not text in this encoding, or its byte order mark contradicts it.
    """
    blocks = iter(blocks)
    first = next(blocks, b"")
    mark = next((mark for mark in _MARKS if first.startswith(mark)), b"")
    name = codecs.lookup(encoding or _MARKS.get(mark, "utf-8")).name
    if mark and not name.startswith(_MARKS[mark]):
        raise GlocalkError(
            f"'{path}' begins with the byte order mark of {_MARKS[mark].upper()}: "
            f"remove data.encoding={shown(encoding)}."
        )
    if name.startswith("utf-8"):
        yield first.removeprefix(mark)
        yield from blocks
    else:
        yield from _recoded(path, chain([first], blocks), _MARKS.get(mark, name))


def not_utf_8(path: Path, offset: int) -> GlocalkError:
    """The error of content that is not UTF-8 at a byte."""
    return GlocalkError(
        f"'{path}' is not UTF-8 text (at byte {offset}): save it as UTF-8, or name its "
        "encoding, as in data.encoding=cp1252."
    )


def _recoded(path: Path, blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(name)()
    for block in chain(blocks, [b""]):
        try:
            text = decoder.decode(block, final=not block)
            recoded = text.encode()  # an unpaired surrogate fails only here
        except UnicodeError as error:
            marked = name in _MARKS.values()
            reason = (
                f"{name.upper()} text, although its byte order mark says so: save it as UTF-8"
                if marked
                else f"{name} text: save it as UTF-8, or choose another data.encoding"
            )
            raise GlocalkError(f"'{path}' is not {reason}.") from error
        if name == "iso8859-1" and (control := _CONTROL.search(text)):
            raise GlocalkError(
                f"'{path}' is not Latin-1 text, because it contains the control "
                f"character U+{ord(control[0]):04X}: try data.encoding=cp1252."
            )
        yield recoded
