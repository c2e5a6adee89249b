"""What records and searches share: the version of their schema, and how their files are read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from glocalk.errors import GlocalkError

SCHEMA_VERSION: Final[Literal[2]] = 2


class Part(BaseModel):
    """A part of a record: frozen, and closed to unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordFile(Part):
    """What is written to a JSON file of its own, under the version of the schema."""

    kind: ClassVar[str]  # what it is called in errors
    remedy: ClassVar[str]  # what to do with an incomplete one

    schema_version: Literal[2] = SCHEMA_VERSION

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file at `path`.

        Raises:
            GlocalkError: the file cannot be read, is incomplete, or has another schema version.
        """
        try:
            text = path.read_text(encoding="utf-8")
            refuse_other_schema(path, text)
            return cls.model_validate_json(text)
        except OSError as error:
            reason = error.strerror
            raise GlocalkError(f"The {cls.kind} '{path}' cannot be read: {reason}.") from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise GlocalkError(f"'{path}' is not a complete {cls.kind}: {cls.remedy}.") from error


def refuse_other_schema(path: Path, text: str) -> None:
    """Refuse a record of another schema version; damaged text is left to the parser.

    Raises:
        GlocalkError: the record is older, or newer.
    """
    found = schema_of(text)
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


def schema_of(text: str) -> int | None:
    """The schema version of a record or search; None if the text is neither."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return version_of(content) if isinstance(content, dict) else None


def version_of(content: Mapping[str, Any]) -> int | None:
    """The schema version of a parsed record or search; None if it is neither."""
    found = content.get("schema_version", content.get("format"))
    return found if type(found) is int and found > 0 else None


def migrate_command(folder: Path) -> str:
    """The command line that migrates every record below `folder`."""
    return f"glocalk report migrate {shlex.quote(str(folder))}"
