"""Verification of files: what a file must contain."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glocalk.errors import GlocalkError


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Checksum:
    """What a file must contain.

    Attributes:
        expected: hexadecimal digest.
        of: computes the digest of a file. It need not cover all bytes: copies may differ in what
            the project does not read.
    """

    expected: str
    of: Callable[[Path], str] = sha256

    def mismatch(self, path: Path) -> str | None:
        """Both digests, as part of a sentence; None if the file has the expected content.

        Raises:
            GlocalkError: the file cannot be read.
        """
        try:
            found = self.of(path)
        except OSError as error:
            raise GlocalkError(f"'{path}' cannot be read: {error.strerror}.") from error
        return None if found == self.expected else f"SHA-256 {found}, expected {self.expected}"
