"""The version of the records' schema."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Final, Literal

from glocalk.errors import GlocalkError

SCHEMA_VERSION: Final[Literal[2]] = 2


def refuse_other_schema(path: Path, text: str) -> None:
    """Refuse a record of another schema version; damaged text is left to whoever parses it.

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
    """The schema version of a record; None where the text names none."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    found = content.get("schema_version", content.get("format")) if isinstance(content, dict) else 0
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def migrate_command(folder: Path) -> str:
    """The command line that migrates every record below `folder`."""
    return f"glocalk report migrate {shlex.quote(str(folder))}"
