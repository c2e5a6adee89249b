"""What the trackers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from urllib3.exceptions import HTTPError

from glocalk.errors import GlocalkError, without_secrets
from glocalk.records.run import RunName

End: TypeAlias = Literal["finished", "failed", "stopped"]

Columns: TypeAlias = Mapping[str, Sequence[Any]]
"""The curves of a training, as the columns of `glocalk.records.run.Curves`."""


@dataclass(frozen=True)
class Tracked:
    """What a tracker is told of one training when it begins.

    Attributes:
        name: `ml_100k glocal_k seed 0 final`.
        group: what the trainings of all seeds have in common.
        training: `selection` or `final`.
        tags: what it is found by.
        parameters: everything that can change the result, by dotted name.
    """

    name: str
    group: str
    training: RunName
    tags: Mapping[str, str]
    parameters: Mapping[str, Any]


class Tracker(ABC):
    """Shows trainings, one after another; `logger=` makes it of the options in `conf/logger`."""

    key: ClassVar[str]
    """Its config name, which is also the name of the extra that it needs."""
    title: ClassVar[str]
    others: ClassVar[str] = ""
    """What else may have to be installed, as a clause."""
    remedy: ClassVar[str] = "check its address and that it is running"
    """What to do if it cannot be used."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it keeps what it is told, without credentials."""

    @abstractmethod
    def check(self) -> None:
        """Find out whether a training can be tracked, and make what is missing.

        Raises:
            ImportError: a package is missing.
            Exception: any other, if it cannot be reached.
        """

    @abstractmethod
    def begin(self, tracked: Tracked, held: str | None) -> str:
        """Begin a tracked run, or continue it.

        Args:
            tracked: the training.
            held: id of the tracked run to continue, if there is one at this address.

        Returns:
            The id of the tracked run.
        """

    @abstractmethod
    def follow(self, columns: Columns) -> None:
        """Log the rows of the curves that the tracked run lacks."""

    @abstractmethod
    def end(self, how: End, results: Mapping[str, float], record: Path | None) -> None:
        """End the tracked run; `begin` continues one that did not finish.

        Args:
            how: how the training ended.
            results: the figures of the record, by name.
            record: file of the record, which becomes an artifact.
        """

    def unavailable(self, error: Exception) -> GlocalkError:
        """One sentence for an error of `check` or `begin`."""
        if isinstance(error, ImportError):
            return GlocalkError(
                f"logger={self.key} cannot be imported ({without_secrets(error)}): "
                f"pip install 'glocalk[{self.key}]'{self.others}, or choose logger=csv."
            )
        return GlocalkError(
            f"{self.title} at '{self.address}' cannot be used ({reason_of(error)}): "
            f"{self.remedy}, or choose logger=csv."
        )


def reason_of(error: BaseException) -> str:
    """Why a call failed, in a clause: what the network or the database says, if it does."""
    causes = [error]
    while following := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(following)
    told = [
        getattr(cause, "orig", cause)  # SQLAlchemy's error, which has that of the database
        for cause in causes
        if isinstance(cause, OSError | HTTPError) or getattr(cause, "orig", None)
    ]
    cause = [error, *told][-1]
    said = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
    text = without_secrets(said).rstrip(".") or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"


def rows_of(columns: Columns) -> list[tuple[str, int | None, dict[str, float]]]:
    """(stage, epoch, figures) of each row of the curves; figures without a value are left out."""
    named = {name: column for name, column in columns.items() if name not in ("stage", "epoch")}
    return [
        (
            stage,
            epoch,
            {
                f"{stage}/{name}": float(column[row])
                for name, column in named.items()
                if column[row] is not None
            },
        )
        for row, (stage, epoch) in enumerate(zip(columns["stage"], columns["epoch"], strict=True))
    ]
