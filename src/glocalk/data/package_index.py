"""MovieLens 100K from the Python package index, for machines that reach nothing else.

The wheel of RecBole (`RUCAIBox/RecBole`) ships all 100,000 ratings in the order of `u.data`. Only
the wheel is downloaded, pinned by its hash; it is read as an archive and never installed.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from glocalk.data.source import FileSet
from glocalk.errors import GlocalkError

_log = logging.getLogger(__name__)
_REQUIREMENT = (
    "recbole==1.2.1 --hash=sha256:9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
)
_MEMBER = "recbole/dataset_example/ml-100k/ml-100k.inter"
_TIMEOUT = 300  # seconds, for a slow connection; the wheel has 2 MB


def fetch_ml_100k(files: FileSet, data_dir: Path) -> None:
    """Put `u.data`, rebuilt byte for byte, into the data folder.

    Raises:
        MissingDataError: the index cannot be reached.
        GlocalkError: what it gave is not MovieLens 100K, or the folder cannot be written to.
    """
    target = files.path(data_dir, "u.data")
    _log.info("No %s in '%s': getting it from the package index.", files.title, data_dir)
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download(Path(folder))
        if wheel is None:
            raise files.missing(data_dir, "u.data", ", nor can the Python package index be reached")
        content = rebuild(wheel)
    files.verify(data_dir, "u.data", content)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".u.data.{os.getpid()}")
        try:
            temporary.write_bytes(content)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise GlocalkError(
            f"{files.title} cannot be put into '{target.parent}' ({error.strerror}): choose "
            "another folder with GLOCALK_DATA_DIR or data_dir=…"
        ) from error


def rebuild(wheel: Path) -> bytes:
    """`u.data` from the wheel: `user TAB item TAB rating TAB timestamp` in its own order.

    Raises:
        GlocalkError: the archive is damaged or does not hold the ratings.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            lines = archive.read(_MEMBER).decode("ascii").splitlines()[1:]  # one header line
        rows = [[float(field) for field in line.split("\t")] for line in lines]
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise GlocalkError(
            f"The archive '{wheel.name}' from the package index holds no ratings of MovieLens "
            "100K: start again, or get the data from its official place."
        ) from error
    return "".join("\t".join(f"{field:.0f}" for field in row) + "\n" for row in rows).encode()


def _download(folder: Path) -> Path | None:
    """The wheel, downloaded by pip into `folder`; None where pip fails."""
    requirements = folder / "requirements.txt"
    requirements.write_text(_REQUIREMENT + "\n")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT)
    except subprocess.CalledProcessError as error:
        _log.info("pip: %s", error.stderr.strip().splitlines()[-1] if error.stderr else error)
        return None
    except subprocess.TimeoutExpired:
        return None
    return next(folder.glob("*.whl"), None)
