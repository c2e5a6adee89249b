"""Names that files and folders are called after, and the folder that they must stay in.

Records, searches and configs may come from others: `Name`, `Label`, `Seed` and `Hexadecimal`
are the types of their fields, and `inside` checks the place that follows from them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from glocalk.errors import GlocalkError, printable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=-]{0,99}")
_LONGEST_LABEL = 4000


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            "a name has at most 100 letters (a to z), digits and characters _ . , = -, and begins "
            "with a letter, a digit or _"
        )
    return name


def _checked_label(label: str) -> str:
    if not 0 < len(label) <= _LONGEST_LABEL or printable(label) != label:
        raise ValueError(f"a label is one line of at most {_LONGEST_LABEL} printable characters")
    return label


Name: TypeAlias = Annotated[str, AfterValidator(_checked_name)]
"""A part of a path: of an experiment, a data set, a model. It is safe in every format of a report,
and no spreadsheet takes it for a formula."""

Label: TypeAlias = Annotated[str, AfterValidator(_checked_label)]
"""One line of free text. A report escapes it."""

Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**32)]

Hexadecimal: TypeAlias = Annotated[str, Field(pattern="^[0-9a-f]{0,64}$")]
"""A checksum or a commit; empty where there is none."""


def snake_case(cls: str) -> str:
    """The config name that follows from the name of a class: `MyModel` is `my_model`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls).lower()


def inside(root: Path, *parts: str) -> Path:
    """The path of `parts` below `root`.

    Raises:
        GlocalkError: it would lie elsewhere, because of `..`, an absolute path or a symbolic link.
    """
    place = root.joinpath(*parts)
    if not place.resolve().is_relative_to(root.resolve()):
        raise GlocalkError(
            f"'{place}' leads out of the folder '{root}', so nothing is written there: remove the "
            "symbolic link, or the file with this name in it."
        )
    return place


def refuse_links(root: Path, *replaced: str) -> None:
    """Refuse a folder in which something is a link that leads out of it.

    Args:
        root: the folder, whose files are written and removed.
        replaced: files in it that are never written through a link, but replaced.

    Raises:
        GlocalkError: there is one.
    """
    for path in root.rglob("*"):
        part = str(path.relative_to(root))
        if path.is_symlink() and part not in replaced:
            inside(root, part)
