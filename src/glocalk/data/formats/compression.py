"""Opening of files that may be compressed: gzip, bzip2, xz, or a zip archive of one file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, BinaryIO, cast

from glocalk.data.formats.foreign import refuse_document
from glocalk.data.formats.sizes import MAX_BYTES, check_unpacked
from glocalk.errors import GlocalkError, MissingDataError

_BLOCK = 1 << 23
_ENCRYPTED = 1  # bit of a zip member's flags


def check_is_file(path: Path) -> None:
    """Refuse a path that is not a file.

    Raises:
        MissingDataError: it is not.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise MissingDataError(f"The file '{path}' {what}: fix its path.")


def read_blocks(path: Path, max_bytes: int = MAX_BYTES) -> Iterator[bytes]:
    """A file's content, decompressed, in blocks; compression is recognized by content.

    Args:
        path: the file.
        max_bytes: the largest decompressed size; see `glocalk.data.formats.sizes`.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it cannot be read, is damaged, is an archive of several files, or becomes too
            large.
    """
    check_is_file(path)
    compressed, size = False, 0
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            start = file.read(6)
            file.seek(0)
            compressed = start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04"))
            opened = (
                stack.enter_context(_decompressed(path, file, start, max_bytes))
                if compressed
                else file
            )
            while block := opened.read(_BLOCK):
                if compressed:
                    size += len(block)
                    check_unpacked(path, size, max_bytes, packed=file.tell())
                yield block
        except GlocalkError:
            raise
        except Exception as error:  # a damaged archive makes each module raise half a dozen kinds
            if not compressed and not isinstance(error, OSError):
                raise
            raise GlocalkError(_unreadable(path, error, compressed)) from error


def _decompressed(path: Path, file: BinaryIO, start: bytes, max_bytes: int) -> IO[bytes]:
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(file))
    if start.startswith(b"BZh"):
        return bz2.open(file)
    if start.startswith(b"PK"):
        return _only_member(path, file, max_bytes)
    return cast(IO[bytes], lzma.open(file))


def _only_member(path: Path, file: BinaryIO, max_bytes: int) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    # macOS adds a folder with metadata.
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not member.filename.startswith("__MACOSX/")
    ]
    refuse_document(path, [member.filename for member in members])
    if len(members) != 1:
        raise GlocalkError(
            f"'{path}' is an archive of {len(members)} files: give the one that "
            "contains the ratings."
        )
    (member,) = members
    check_unpacked(path, member.file_size, max_bytes, member.compress_size)
    if member.flag_bits & _ENCRYPTED:
        raise GlocalkError(f"'{path}' is protected by a password: unpack it.")
    try:
        return archive.open(member)
    except NotImplementedError as error:
        raise GlocalkError(
            f"'{path}' is a zip archive of an uncommon kind, which is not supported: unpack it."
        ) from error


def _unreadable(path: Path, error: Exception, compressed: bool) -> str:
    if compressed:
        return f"'{path}' is compressed but damaged: download or create it again."
    reason = error.strerror if isinstance(error, OSError) else error
    return f"'{path}' cannot be read: {reason}."
