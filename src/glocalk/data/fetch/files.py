"""The files of a data set: where they lie, what they must hold, where to get them from."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from filelock import FileLock, Timeout

from glocalk.errors import GlocalkError, MissingDataError

_log = logging.getLogger(__name__)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class Place(Protocol):
    """Somewhere that files missing from the data folder can be had from.

    A place only delivers: `FileSet` verifies what it gives and puts it where it belongs.
    """

    @property
    def name(self) -> str:
        """As in `getting it from …`."""

    def fetch(self, file: str, target: Path) -> None:
        """Write the data set's file called `file` to `target`.

        Raises:
            UnavailableError: the place does not have it or cannot be reached.
        """


@runtime_checkable
class Probed(Protocol):
    """A place that can tell at once whether it would give a file."""

    def probe(self, file: str) -> None:
        """Ask for the data set's file called `file`, and take none of it.

        Raises:
            UnavailableError: the place does not have it or cannot be reached.
        """


class UnavailableError(Exception):
    """A place cannot give a file; the message, a clause, becomes part of an error sentence."""


def offline() -> bool:
    """Whether GLOCALK_OFFLINE in the environment forbids to get anything from a place."""
    return os.environ.get("GLOCALK_OFFLINE", "0") not in ("", "0")


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Checksum:
    """What a file must hold.

    Attributes:
        expected: hexadecimal digest.
        of: takes the digest of a file. Not over its bytes where copies of equal content differ.
    """

    expected: str
    of: Callable[[Path], str] = sha256

    def mismatch(self, path: Path) -> str | None:
        """Both digests, as a part of a sentence; None where the file holds what it must.

        Raises:
            GlocalkError: the file cannot be read.
        """
        try:
            found = self.of(path)
        except OSError as error:
            raise GlocalkError(f"'{path}' cannot be read: {error.strerror}.") from error
        return None if found == self.expected else f"SHA-256 {found}, expected {self.expected}"


@dataclass(frozen=True)
class FileSet:
    """The files of a data set, which lie together in one folder below the data folder.

    Attributes:
        title: the data set's name in sentences.
        folder: name of its folder below the data folder.
        address: official address, the one to send a user to.
        files: checksum by file name.
        places: where to get a missing file from, in the order to try them in.
        license: in a few words.
        unreached: why a place is not to be asked, by its name.
    """

    title: str
    folder: str
    address: str
    files: Mapping[str, Checksum]
    places: tuple[Place, ...] = ()
    license: str = ""
    unreached: Mapping[str, str] = field(default_factory=dict)

    def locate(self, data_dir: Path, name: str) -> Path:
        """The path of a file that is there and verified, got from a place if need be.

        Raises:
            MissingDataError: it is neither in the data folder nor to be had from a place.
            GlocalkError: it is damaged, cannot be read, or its folder cannot be written to.
        """
        path = self.path(data_dir, name)
        if not path.is_file():
            with self._alone(path):
                if not path.is_file():
                    self._get(path)
                    return path
        if damage := self.damage(data_dir, name):
            raise GlocalkError(damage)
        return path

    def path(self, data_dir: Path, name: str) -> Path:
        """Where a file is, or belongs."""
        return data_dir / self.folder / name

    def missing(self, data_dir: Path) -> list[str]:
        """Names of the files that are not there."""
        return [name for name in self.files if not self.path(data_dir, name).is_file()]

    def damage(self, data_dir: Path, name: str) -> str | None:
        """The sentence about a file that is there but not what it must be; None where it is.

        Raises:
            GlocalkError: it cannot be read.
        """
        path = self.path(data_dir, name)
        if mismatch := self.files[name].mismatch(path):
            return (
                f"'{path}' is damaged or another file ({mismatch}): remove it and get it again "
                f"from {self.address}."
            )
        return None

    def _alone(self, path: Path) -> AbstractContextManager[object]:
        """Holds off other processes that would get the file at `path` too; waits for one that is.

        Without a lock where none can be had: a file is put in its place atomically all the same.
        """
        if offline() or all(place.name in self.unreached for place in self.places):
            return nullcontext()
        lock = FileLock(path.parent.parent / ".locks" / f"{self.folder}-{path.name}.lock")
        try:
            Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            try:
                held = lock.acquire(timeout=0)
            except Timeout:
                _log.info("%s is being got by another process: waiting for it.", self.title)
                held = lock.acquire()
            for left in path.parent.glob(f".{path.name}.*"):  # by a process that was killed
                left.unlink(missing_ok=True)
        except (OSError, NotImplementedError):
            return nullcontext()
        return held

    def _get(self, path: Path) -> None:
        """Put the file from the first place that has it at `path`, whole or not at all."""
        tried = ", GLOCALK_OFFLINE forbids getting it" if self.places and offline() else ""
        for place in () if offline() else self.places:
            if reason := self.unreached.get(place.name):
                tried += f", {place.name} does not give it ({reason})"
                continue
            _log.info("%s is not in '%s': getting it from %s.", self.title, path.parent, place.name)
            with _written_aside(path) as temporary:
                try:
                    place.fetch(path.name, temporary)
                except (UnavailableError, OSError) as error:
                    if isinstance(error, OSError) and error.errno in _NO_ROOM:
                        raise _cannot_write(path, error) from error
                    tried += f", {place.name} does not give it ({error})"
                    continue
                if mismatch := self.files[path.name].mismatch(temporary):
                    tried += f", {place.name} gives another file ({mismatch})"
                    continue
                # Atomic: a second run at the same time meets no file or this one, whole.
                try:
                    temporary.chmod(0o644)
                    temporary.replace(path)
                except OSError as error:
                    raise _cannot_write(path, error) from error
                return
        raise MissingDataError(
            f"{self.title} is missing: there is no '{path}'{tried}; get it from {self.address} and "
            f"put it into '{path.parent}', or choose another data folder than "
            f"'{path.parent.parent}' with data_dir=… or GLOCALK_DATA_DIR."
        )


def _cannot_write(path: Path, error: OSError) -> GlocalkError:
    return GlocalkError(
        f"'{path.parent}' cannot be written to ({error.strerror}): put '{path.name}' there "
        "yourself, or choose another data folder with data_dir=… or GLOCALK_DATA_DIR."
    )


@contextmanager
def _written_aside(path: Path) -> Iterator[Path]:
    """A temporary file in the folder of `path`, made before anything is fetched for it.

    Raises:
        GlocalkError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _cannot_write(path, error) from error
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
