"""Files that are complete or absent, and archives whose damage is detected."""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text` atomically, see `replacing`.

    Raises:
        GlocalkError: the folder cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


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
    content = memoryview(path.read_bytes())
    body, digest = content[:-_DIGEST_SIZE], content[-_DIGEST_SIZE:]
    return hashlib.sha256(body).digest() == digest


_DIGEST_SIZE = hashlib.sha256().digest_size
