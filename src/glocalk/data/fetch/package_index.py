"""MovieLens 100K from the Python package index, for machines that do not reach GroupLens.

The wheel of RecBole (`RUCAIBox/RecBole`) ships the 100,000 ratings in the order of `u.data`. The
wheel alone is downloaded, pinned by its hash, read as an archive, and never installed.
"""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from glocalk.data.fetch.files import UnavailableError

_REQUIREMENT = (
    "recbole==1.2.1 --hash=sha256:9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
)
_MEMBER = "recbole/dataset_example/ml-100k/ml-100k.inter"
_TIMEOUT = 300  # seconds; the wheel has 2 MB


def download(folder: Path) -> Path:
    """The wheel, downloaded by pip into `folder`.

    pip and not a bare request: it knows the mirrors and proxies that the user has set up.

    Raises:
        UnavailableError: there is no pip, or it fails.
    """
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError(f"pip is not installed for '{sys.executable}'")
    requirements = folder / "requirements.txt"
    requirements.write_text(_REQUIREMENT + "\n")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--quiet"]
    options += [
        "--disable-pip-version-check",
        "--retries",
        "1",
        "--timeout",
        "10",
        "--dest",
        str(folder),
        "--requirement",
        str(requirements),
    ]
    try:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", *options],
            check=True,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"pip did not end within {_TIMEOUT} s") from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.startswith("ERROR: ")]
        said = lines[0].removeprefix("ERROR: ") if lines else f"exit status {error.returncode}"
        raise UnavailableError(f"pip cannot download it: {said}") from error
    return next(folder.glob("*.whl"))


def rebuild_u_data(wheel: Path) -> bytes:
    """`u.data`, byte for byte: `user TAB item TAB rating TAB timestamp`, without a header.

    Raises:
        UnavailableError: the archive is damaged or does not hold the ratings.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(_MEMBER)
        ratings = pd.read_csv(io.BytesIO(content), sep="\t").astype(np.int64)  # 3 or 3.0
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UnavailableError(f"'{wheel.name}' holds no ratings of MovieLens 100K") from error
    return ratings.to_csv(sep="\t", header=False, index=False, lineterminator="\n").encode()


@dataclass(frozen=True)
class PackageIndex:
    """The Python package index as a place to get MovieLens 100K's `u.data` from.

    Attributes:
        download: puts the wheel into a folder and gives its path.
    """

    name = "the Python package index"
    download: Callable[[Path], Path] = download

    def fetch(self, file: str, target: Path) -> None:
        """Write `u.data` to `target`; see `glocalk.data.sources.Place`."""
        if file != "u.data":
            raise UnavailableError(f"it has no '{file}'")
        with tempfile.TemporaryDirectory() as folder:
            target.write_bytes(rebuild_u_data(self.download(Path(folder))))
