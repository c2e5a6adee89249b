"""The version of the records' schema."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from glocalk.errors import GlocalkError

SCHEMA_VERSION: Final[Literal[2]] = 2


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
