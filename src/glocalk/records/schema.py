"""What records and searches share: the version of their schema, and how their files are read."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from glocalk.config import reason_of
from glocalk.errors import GlocalkError
from glocalk.files import write_atomically
from glocalk.records.json_text import read_json, to_json

SCHEMA_VERSION: Final[Literal[2]] = 2

Count: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
Error: TypeAlias = Annotated[float, Field(ge=0)]
Seconds: TypeAlias = Annotated[float, Field(ge=0)]

# Beyond it, the square of an error and the sum of squares are not finite.
LARGEST_ERROR = 1e100


class Part(BaseModel):
    """A part of a record: frozen, closed to unknown fields, its numbers finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RecordFile(Part):
    """What is written to a JSON file of its own, under the version of the schema."""

    kind: ClassVar[str]  # what it is called in errors
    remedy: ClassVar[str]  # what to do with an incomplete one
    indent: ClassVar[int | None] = None  # of its JSON

    schema_version: Literal[2] = SCHEMA_VERSION

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file at `path`.

        Raises:
            GlocalkError: the file cannot be read, is incomplete, contradicts itself, or has another
                schema version.
        """
        try:
            content = read_json(path)
            refuse_other_schema(path, content)
            return cls.checked(content)
        except OSError as error:
            reason = error.strerror
            raise GlocalkError(f"The {cls.kind} '{path}' cannot be read: {reason}.") from error
        except ValueError as error:
            raise GlocalkError(
                f"'{path}' is not a complete {cls.kind} ({reason_of(error)}): {cls.remedy}."
            ) from error

    @classmethod
    def checked(cls, content: Any) -> Self:
        """The record with this content, which may come from others.

        Raises:
            ValueError: a field is missing, unknown or of another type, or the fields contradict one
                another.
        """
        record = cls.model_validate(content, strict=True)
        for fault in record.faults():
            raise ValueError(fault)
        return record

    def faults(self) -> Iterable[str]:
        """What contradicts itself in the record, beyond the types of single fields."""
        return ()

    def write(self, path: Path) -> None:
        """Write the record atomically: `path` holds the old text or the new, never a part.

        Raises:
            GlocalkError: a value that JSON cannot hold, or the folder cannot be written to.
        """
        write_atomically(path, to_json(self.model_dump(), self.indent))


def refuse_other_schema(path: Path, content: Any) -> None:
    """Refuse a record of another schema version.

    Raises:
        GlocalkError: the record is older, or newer.
    """
    found = version_of(content)
    if found is None or found == SCHEMA_VERSION:
        return
    if found < SCHEMA_VERSION:
        raise GlocalkError(
            f"'{path}' is a record of schema {found}, and this glocalk reads schema "
            f"{SCHEMA_VERSION}: migrate it with `{migrate_command(path.parent)}`."
        )
    raise GlocalkError(
        f"'{path}' is a record of schema {found}, and this glocalk reads schema "
        f"{SCHEMA_VERSION}: use the glocalk that made it, or a newer one."
    )


def schema_of(path: Path) -> int | None:
    """The schema version of a record or search; None if the file is neither."""
    try:
        return version_of(read_json(path))
    except (OSError, ValueError):
        return None


def version_of(content: Any) -> int | None:
    """The schema version of a parsed record or search; None if it is neither."""
    if not isinstance(content, Mapping):
        return None
    found = content.get("schema_version", content.get("format"))
    return found if type(found) is int and found > 0 else None


def migrate_command(folder: Path) -> str:
    """The command line that migrates every record below `folder`."""
    return f"glocalk report migrate {shlex.quote(str(folder))}"
