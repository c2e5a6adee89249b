"""Files that are whole or absent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glocalk.errors import GlocalkError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, which replaces it once the body has filled it.

    One step, which a kill or a second writer cannot split: `path` holds the old content or the
    new, never a part. Where the body raises, `path` stays as it is.

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
    """Replace `path` by `text` in one step that a kill or a second writer cannot split.

    Raises:
        GlocalkError: the folder cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
