"""What every data source has in common: its options, its files, the places they come from."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from glocalk.data.ids import Ids
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError, MissingDataError
from glocalk.settings import Settings

_log = logging.getLogger(__name__)


class Source(ABC):
    """Gives a data set's split; a `conf/data/*.yaml` names the class and its options.

    Args:
        config: its options, an instance of `Config`.
    """

    Config: ClassVar[type[Settings]]
    """The options and their bounds."""

    @abstractmethod
    def __init__(self, config: Any) -> None: ...

    @abstractmethod
    def split(self, data_dir: Path) -> Split:
        """The data set, divided.

        Args:
            data_dir: folder that holds a folder of files for each data set.

        Raises:
            MissingDataError: a file is not there and cannot be had.
            GlocalkError: a file is damaged, or cannot be read.
        """


class Place(Protocol):
    """Somewhere that files missing from the data folder can be had from.

    A place only delivers: `FileSet` verifies what it gives and puts it where it belongs.
    """

    name: str
    """As in `getting it from …`."""

    def fetch(self, file: str, target: Path) -> None:
        """Write the data set's file called `file` to `target`.

        Raises:
            UnavailableError: the place does not have it or cannot be reached.
        """


class UnavailableError(Exception):
    """A place cannot give a file; the message, a clause, becomes part of an error sentence."""


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
    """

    title: str
    folder: str
    address: str
    files: Mapping[str, Checksum]
    places: tuple[Place, ...] = ()

    def locate(self, data_dir: Path, name: str) -> Path:
        """The path of a file that is there and verified, got from a place if need be.

        Raises:
            MissingDataError: it is neither in the data folder nor to be had from a place.
            GlocalkError: it is damaged, cannot be read, or its folder cannot be written to.
        """
        path = data_dir / self.folder / name
        if not path.is_file():
            self._get(path)
            return path
        if mismatch := self.files[name].mismatch(path):
            raise GlocalkError(
                f"'{path}' is damaged or another file ({mismatch}): remove it and get it again "
                f"from {self.address}."
            )
        return path

    def _get(self, path: Path) -> None:
        """Put the file from the first place that has it at `path`, whole or not at all."""
        tried = ""
        for place in self.places:
            _log.info("%s is not in '%s': getting it from %s.", self.title, path.parent, place.name)
            with _written_aside(path) as temporary:
                try:
                    place.fetch(path.name, temporary)
                except (UnavailableError, OSError) as error:
                    tried += f", {place.name} does not give it ({error})"
                    continue
                if mismatch := self.files[path.name].mismatch(temporary):
                    tried += f", {place.name} gives another file ({mismatch})"
                    continue
                # Atomic: a second run at the same time meets no file or this one, whole.
                temporary.chmod(0o644)
                temporary.replace(path)
                return
        raise MissingDataError(
            f"{self.title} is missing: there is no '{path}'{tried}; get it from {self.address} and "
            f"put it into '{path.parent}', or choose another data folder than "
            f"'{path.parent.parent}' with data_dir=… or GLOCALK_DATA_DIR."
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
        raise GlocalkError(
            f"'{path.parent}' cannot be written to ({error.strerror}): put '{path.name}' there "
            "yourself, or choose another data folder with data_dir=… or GLOCALK_DATA_DIR."
        ) from error
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def divide(
    name: str,
    triples: tuple[Indices, Indices, Values],
    test: NDArray[np.bool_],
    shape: tuple[int, int],
    scale: tuple[float, float],
    ids: Ids | None = None,
) -> Split:
    """The split whose test ratings a mask marks; the others train.

    Args:
        name: of the split.
        triples: user indices, item indices and ratings, [n] each.
        test: [n] true for a test rating.
        shape: (number of users, number of items).
        scale: (lowest, highest) rating.
        ids: labels of users and items, where there are some.
    """
    users, items, ratings = triples

    def part(chosen: NDArray[np.bool_]) -> RatingMatrix:
        return RatingMatrix(users[chosen], items[chosen], ratings[chosen], shape, scale)

    return Split(name, part(~test), part(test), ids=ids)
