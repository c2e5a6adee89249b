"""Text in pieces of whole lines."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from glocalk.data.formats.cells import shown_path
from glocalk.errors import GlocalkError


def read_pieces(path: Path, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of a text, as UTF-8 without a byte order mark.

    Each piece ends at the end of a line; a quoted cell may continue in the next piece.

    Args:
        path: the file, for error messages.
        blocks: its content.

    Raises:
        GlocalkError: it is not text in UTF-8 or UTF-16.
    """
    offset = 0
    held: list[bytes] = []  # text after the last line end
    for block in _utf_8(path, blocks):
        # A carriage return at the end may have its newline in the next block.
        end = (block.rfind(b"\n") + 1) or (block.rfind(b"\r", 0, -1) + 1)
        if end:
            piece = b"".join([*held, block[:end]])
            _check(path, piece, offset)
            yield piece
            offset += len(piece)
            held = [block[end:]]
        else:
            held.append(block)
    if piece := b"".join(held):
        _check(path, piece, offset)
        yield piece


def _utf_8(path: Path, blocks: Iterable[bytes]) -> Iterator[bytes]:
    blocks = iter(blocks)
    first = next(blocks, b"")
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        decoder = codecs.getincrementaldecoder("utf-16")()
        try:
            for block in itertools.chain([first], blocks):
                yield decoder.decode(block).encode()
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise GlocalkError(
                f"'{shown_path(path)}' is not the UTF-16 text that it begins as: save it as UTF-8."
            ) from error
    else:
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from blocks


def _check(path: Path, piece: bytes, offset: int) -> None:
    if not piece.isascii():
        try:
            piece.decode()
        except UnicodeDecodeError as error:
            raise GlocalkError(
                f"'{shown_path(path)}' is not UTF-8 text (at byte {offset + error.start}): save it "
                "as UTF-8."
            ) from error
    if b"\0" in piece:
        raise GlocalkError(
            f"'{shown_path(path)}' is not a table of text, because it holds zero bytes: give a "
            "csv, tsv or parquet file."
        )
