"""What every data source has in common: its options, its files, their checksums."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from glocalk.data.splits import Split
from glocalk.errors import GlocalkError, MissingDataError
from glocalk.settings import Settings


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


@dataclass(frozen=True)
class FileSet:
    """The files of a data set, which lie together below the data folder.

    Attributes:
        title: the data set's name in sentences.
        folder: name of its folder.
        address: official address to get it from.
        checksums: SHA-256 by file name; over the bytes, or over what the reader says.
    """

    title: str
    folder: str
    address: str
    checksums: Mapping[str, str]

    def path(self, data_dir: Path, name: str) -> Path:
        """Where the file lies or should lie."""
        return data_dir / self.folder / name

    def read(self, data_dir: Path, name: str) -> bytes:
        """The file's bytes.

        Raises:
            MissingDataError: it is not there.
            GlocalkError: it cannot be read.
        """
        path = self.path(data_dir, name)
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise self.missing(data_dir, name) from error
        except OSError as error:
            raise GlocalkError(f"'{path}' cannot be read: {error.strerror}.") from error

    def missing(self, data_dir: Path, name: str, tried: str = "") -> MissingDataError:
        """The error that says what is missing, where to get it and where to put it."""
        path = self.path(data_dir, name)
        return MissingDataError(
            f"No {self.title}: '{path}' is not there{tried}; get it from {self.address} and put it "
            f"into '{path.parent}', or name the folder above with GLOCALK_DATA_DIR or data_dir=…"
        )

    def verify(self, data_dir: Path, name: str, content: bytes) -> None:
        """Refuse content whose SHA-256 is not the file's.

        Raises:
            GlocalkError: naming both checksums.
        """
        found, expected = hashlib.sha256(content).hexdigest(), self.checksums[name]
        if found != expected:
            raise GlocalkError(
                f"'{self.path(data_dir, name)}' is damaged or another file (SHA-256 {found}, "
                f"expected {expected}): remove it and get it again from {self.address}."
            )
