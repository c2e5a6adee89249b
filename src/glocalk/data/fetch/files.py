"""The files of a data set: location, expected content and sources."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from glocalk.data.fetch.checksum import Checksum
from glocalk.errors import GlocalkError, MissingDataError
from glocalk.files import replacing

_log = logging.getLogger(__name__)


class UnavailableError(Exception):
    """A place cannot provide a file; the message is a clause, which becomes part of a sentence."""


class Place(ABC):
    """A place that files can be downloaded from.

    It only delivers: `FileSet` verifies what arrives and moves it to the data folder.
    """

    name: str
    """As in `downloading it from …`."""

    @abstractmethod
    def fetch(self, file: str, target: Path) -> None:
        """Write the data set's file called `file` to `target`.

        Raises:
            UnavailableError: the place does not have the file or cannot be reached.
            OSError: `target` cannot be written.
        """

    def probe(self, file: str) -> None:  # noqa: B027 (a place need not be able to tell)
        """Check, without downloading it, that `fetch` is likely to succeed.

        Raises:
            UnavailableError: it is not.
        """


def offline() -> bool:
    """Whether GLOCALK_OFFLINE in the environment forbids downloads."""
    return os.environ.get("GLOCALK_OFFLINE", "0") not in ("", "0")


@dataclass(frozen=True)
class FileSet:
    """The files of a data set, which share one folder below the data folder.

    Attributes:
        title: the data set's name in messages.
        folder: name of its folder below the data folder.
        address: official address, given to users who download the files themselves.
        files: checksum by file name.
        places: where to download a missing file from, in the order to try them in.
        license: in a few words.
        is_optional: whether the ratings can be read without it, as without side information.
    """

    title: str
    folder: str
    address: str
    files: Mapping[str, Checksum]
    places: tuple[Place, ...] = ()
    license: str = ""
    is_optional: bool = False

    def locate(self, data_dir: Path, name: str, unreached: Mapping[str, str] | None = None) -> Path:
        """Return the path of a file that exists and is verified; download it if it is missing.

        Args:
            data_dir: the data folder.
            name: name of the file.
            unreached: by name, places that are known not to provide it, and why.

        Raises:
            MissingDataError: the file is missing and could not be downloaded.
            GlocalkError: it is damaged, cannot be read, or its folder cannot be written to.
        """
        path = self.path(data_dir, name)
        if not path.is_file():
            unreached = unreached or {}
            with self._lock(path, unreached):
                if not path.is_file():  # another process may have downloaded it meanwhile
                    self._download(path, unreached)
                    return path
        if damage := self.damage(data_dir, name):
            raise GlocalkError(damage)
        return path

    def path(self, data_dir: Path, name: str) -> Path:
        """The path of a file, whether it exists or not."""
        return data_dir / self.folder / name

    def missing(self, data_dir: Path) -> list[str]:
        """Names of the files that do not exist."""
        return [name for name in self.files if not self.path(data_dir, name).is_file()]

    def damage(self, data_dir: Path, name: str) -> str | None:
        """The error sentence for an existing file with unexpected content; None if it is intact.

        Raises:
            GlocalkError: the file cannot be read.
        """
        path = self.path(data_dir, name)
        if mismatch := self.files[name].mismatch(path):
            return (
                f"'{path}' is damaged or a different file ({mismatch}): delete it and download it "
                f"again from {self.address}."
            )
        return None

    def _lock(self, path: Path, unreached: Mapping[str, str]) -> AbstractContextManager[object]:
        """Keep other processes from downloading the same file; wait for one that already does.

        If the file system does not support locks, none is taken; the file is still moved into
        place atomically.
        """
        if offline() or all(place.name in unreached for place in self.places):
            return nullcontext()
        lock = FileLock(path.parent.parent / ".locks" / f"{self.folder}-{path.name}.lock")
        try:
            Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            try:
                held = lock.acquire(timeout=0)
            except Timeout:
                _log.info("Waiting for another process that is downloading %s.", self.title)
                held = lock.acquire()
            for left in path.parent.glob(f".{path.name}.*"):  # by a process that was killed
                left.unlink(missing_ok=True)
        except (OSError, NotImplementedError):
            return nullcontext()
        return held

    def _download(self, path: Path, unreached: Mapping[str, str]) -> None:
        """Put the file from the first place that has it at `path`, complete or not at all."""
        failures = []
        for place in () if offline() else self.places:
            reason = unreached.get(place.name)
            if reason is None:
                try:
                    self._download_from(place, path)
                except UnavailableError as error:
                    reason = str(error)
                else:
                    return
            failures.append(f"from {place.name} ({reason})")
        why = ""
        if failures:
            why = f" and could not be downloaded {' or '.join(failures)}"
        elif self.places:
            why = " and GLOCALK_OFFLINE forbids downloading it"
        raise MissingDataError(
            f"{self.title} is missing: '{path}' does not exist{why}; download it from "
            f"{self.address} into '{path.parent}', or choose another data folder than "
            f"'{path.parent.parent}' with data_dir=… or GLOCALK_DATA_DIR."
        )

    def _download_from(self, place: Place, path: Path) -> None:
        _log.info("%s is not in '%s': downloading it from %s.", self.title, path.parent, place.name)
        try:
            with replacing(path) as temporary:
                place.fetch(path.name, temporary)
                if mismatch := self.files[path.name].mismatch(temporary):
                    raise UnavailableError(f"it sent a different file: {mismatch}")
        except GlocalkError as error:
            raise GlocalkError(
                f"{str(error).removesuffix('.')}; choose another data folder with data_dir=… or "
                "GLOCALK_DATA_DIR."
            ) from error
