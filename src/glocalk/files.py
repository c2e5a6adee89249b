"""Files that are complete or absent, and archives whose damage is detected."""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from glocalk.errors import GlocalkError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, which replaces it once the body has filled it.

    The replacement is atomic: `path` holds the old content or the new, never a part, even if the
    process is killed or another one writes. If the body raises, `path` stays as it is.

    Raises:
        GlocalkError: the folder cannot be written to (before the body runs), or the disk is full.
    """
    try:
        if path.is_dir():
            raise GlocalkError(f"'{path}' cannot be written: it is a folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise GlocalkError(f"'{path}' cannot be written: {error.strerror}.") from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace `path` by `content` atomically, see `replacing`; a text is written as UTF-8.

    Raises:
        GlocalkError: the folder cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(as_bytes(content))


def as_bytes(content: str | bytes) -> bytes:
    """The bytes of a file with this content."""
    return content.encode() if isinstance(content, str) else content


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A binary file for `torch.save`, whose errors are raised once the body has ended.

    torch writes from compiled code. An exception that crosses it, such as that of a full disk,
    becomes a RuntimeError that does not say why.

    Raises:
        OSError: the file cannot be written; it holds a part.
    """
    with path.open("wb") as file:
        writer = _Writer(file)
        yield cast(BinaryIO, writer)
        if writer.error is not None:
            raise writer.error


class _Writer:
    """Writes until an error, which it keeps, and ignores the rest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(content)
            except OSError as error:
                self.error = error
        return memoryview(content).nbytes

    def flush(self) -> None:
        """Do nothing: closing the file flushes it."""


def at_home(value: str) -> str:
    """A value with the home folder for a leading `~`, which shells leave in `name=~/file`."""
    try:
        return str(Path(value).expanduser()) if value.startswith("~") else value
    except RuntimeError:  # no such user: the name of a file that begins with ~
        return value


def seal_zip(path: Path) -> None:
    """Store the SHA-256 of a zip archive in it, as its comment, where readers ignore it.

    The format's own checksums (CRC-32) cover the members alone: with one bit of the directory
    flipped, `torch.load` may return other values without an error.

    Args:
        path: an archive without a comment.
    """
    with path.open("r+b") as file:
        file.seek(-2, os.SEEK_END)  # the length of the comment, at the very end
        file.write(struct.pack("<H", _DIGEST_SIZE))
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").digest()
        file.seek(0, os.SEEK_END)
        file.write(digest)


def is_sealed_zip(path: Path) -> bool:
    """Whether the file is, to the last bit, one that `seal_zip` has sealed."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size - _DIGEST_SIZE
        while left > 0 and (block := file.read(min(left, _BLOCK))):
            digest.update(block)
            left -= len(block)
        return file.read() == digest.digest()


_BLOCK = 1 << 20
_DIGEST_SIZE = hashlib.sha256().digest_size
