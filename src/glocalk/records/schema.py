"""The version of the records' schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

from glocalk.errors import GlocalkError

SCHEMA_VERSION: Final[Literal[2]] = 2


def refuse_other_schema(path: Path, text: str) -> None:
    """Refuse a record of another schema version; damaged text is left to whoever parses it.

    Raises:
        GlocalkError: the record is older, or newer.
    """
    try:
        content = json.loads(text)
    except ValueError:
        return
    if not isinstance(content, dict):
        return
    found = content.get("schema_version", content.get("format"))
    if found == SCHEMA_VERSION or not isinstance(found, int):
        return
    if found < SCHEMA_VERSION:
        raise GlocalkError(
            f"'{path}' is a record of schema {found}, and this glocalk reads schema "
            f"{SCHEMA_VERSION}: migrate its folder with `glocalk report migrate {path.parent}`."
        )
    raise GlocalkError(
        f"'{path}' is a record of schema {found}, and this glocalk reads schema "
        f"{SCHEMA_VERSION}: use the glocalk that made it, or a newer one."
    )
