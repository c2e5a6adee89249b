"""Folders for the caches of libraries, where their usual places cannot be written to.

numba refuses to compile, and matplotlib warns and builds its list of fonts again for every
process, if neither the installed package nor the home folder is writable, as in containers. Both
read an environment variable when they are imported.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def use_writable_caches() -> None:
    """Name a temporary folder to numba and matplotlib if they need one; a set variable stays."""
    caches = _home("XDG_CACHE_HOME", ".cache")
    configs = _home("XDG_CONFIG_HOME", ".config")
    package = Path(__file__).parent
    needed = {
        # numba keeps compiled code beside the source, or else in the home folder.
        "NUMBA_CACHE_DIR": not (_is_writable(package) or _is_writable(caches)),
        "MPLCONFIGDIR": not (_is_writable(caches) and _is_writable(configs)),
    }
    for variable, is_needed in needed.items():
        if is_needed and not os.environ.get(variable):
            with suppress(OSError):  # no temporary folder either: the library names what it lacks
                os.environ[variable] = str(_own_folder() / variable.lower())


def _home(variable: str, name: str) -> Path | None:
    try:
        return Path(os.environ.get(variable) or Path.home() / name)
    except RuntimeError:  # the user has no home folder
        return None


def _is_writable(folder: Path | None) -> bool:
    """Whether files can be made in a folder, or a folder that is missing can be made."""
    if folder is None:
        return False
    existing = next((place for place in (folder, *folder.parents) if place.exists()), None)
    return existing is not None and existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _own_folder() -> Path:
    """A folder for temporary files that nobody else can write to: numba executes what is in it."""
    folder = Path(tempfile.gettempdir()) / f"glocalk-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if is_own and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return folder
    return Path(tempfile.mkdtemp(prefix="glocalk-"))
