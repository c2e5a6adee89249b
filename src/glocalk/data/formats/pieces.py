"""Text in pieces of whole lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from glocalk.data.formats.encodings import as_utf_8, not_utf_8
from glocalk.errors import GlocalkError

LONGEST = 1 << 25
"""Bytes of the longest line, and of the longest run of blank lines or comments at the top."""


def read_pieces(
    path: Path, blocks: Iterable[bytes], encoding: str | None = None
) -> Iterator[bytes]:
    """Pieces of a text, as UTF-8 without a byte order mark.

    Each piece ends at the end of a line; a quoted cell may continue in the next piece.

    Args:
        path: the file, for error messages.
        blocks: its content.
        encoding: see `glocalk.data.formats.encodings.as_utf_8`.

    Raises:
        GlocalkError: it is not text in this encoding, or has a line that is too long for a table.
    """
    offset = 0
    held: list[bytes] = []  # text after the last line end
    for block in as_utf_8(path, blocks, encoding):
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
            if sum(map(len, held)) > LONGEST:
                raise GlocalkError(
                    f"'{path}' has a line of more than {LONGEST:,} bytes: give one row per rating."
                )
    if piece := b"".join(held):
        _check(path, piece, offset)
        yield piece


def _check(path: Path, piece: bytes, offset: int) -> None:
    if not piece.isascii():
        try:
            piece.decode()
        except UnicodeDecodeError as error:
            raise not_utf_8(path, offset + error.start) from error
    if b"\0" in piece:
        if piece.count(b"\0") >= len(piece) // 3:  # every second byte of plain letters and digits
            raise GlocalkError(
                f"'{path}' seems to be UTF-16 without a byte order mark: save it as "
                "UTF-8, or choose data.encoding=utf-16-le or utf-16-be."
            )
        raise GlocalkError(
            f"'{path}' is not a table of text, because it holds zero bytes: give a "
            "csv, tsv or parquet file."
        )
    if b"\x1f" in piece:  # stands for `::` in what follows
        raise GlocalkError(f"'{path}' contains the control character U+001F: remove it.")
