"""Links of Markdown files that leave the site: to files of the repository."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from glocalk.errors import GlocalkError

BRANCH = "main"
_VARIABLE = "GLOCALK_REPOSITORY_URL"
_FENCED = re.compile(r"^(```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)
# The text of a link may be an image, which has brackets of its own.
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\](?:\([^)]*\))?)*)\]\(([^()\s]+)\)")
_SCHEME = re.compile(r"[a-z]+:|#")


def repository_url() -> str | None:
    """The address of the repository; None if neither the environment nor git knows it.

    `GLOCALK_REPOSITORY_URL` comes first, then the remote `origin`, if that is a web address.
    """
    if given := os.environ.get(_VARIABLE):
        return given.rstrip("/")
    asked = subprocess.run(
        ["git", "config", "--get", "remote.origin.url"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    origin = asked.stdout.strip().removesuffix(".git")
    return origin if re.fullmatch(r"https://[\w.-]+/[\w./-]+", origin) else None


def rewritten(text: str, page: PurePosixPath, place: Callable[[PurePosixPath], str | None]) -> str:
    """The text of a page with its links to files replaced by where these are in the site.

    Args:
        text: the Markdown text.
        page: the page's path in the repository.
        place: for a path in the repository, a link to it; "" for none; None leaves it as it is.
    """

    def replaced(found: re.Match[str]) -> str:
        shown, target = found[1], found[2]
        # An image within the text of a link has a file of its own.
        shown = _LINK.sub(replaced, shown)
        path, _, anchor = target.partition("#")
        if _SCHEME.match(target):
            return f"[{shown}]({target})"
        inside = PurePosixPath(os.path.normpath(page.parent / path))
        link = place(inside)
        if link is None:
            return f"[{shown}]({target})"
        return f"[{shown}]({link}{'#' * bool(anchor)}{anchor})" if link else shown

    pieces = _FENCED.split(text)
    return "".join(
        piece if index % 2 else _LINK.sub(replaced, piece) for index, piece in enumerate(pieces)
    )


def in_repository(path: PurePosixPath, root: Path, url: str | None) -> str:
    """A link to a file or folder of the repository; "" if its address is unknown.

    Raises:
        GlocalkError: there is no such file.
    """
    if not (root / path).exists():
        raise GlocalkError(f"A page links to '{path}', which is not in the repository.")
    kind = "tree" if (root / path).is_dir() else "blob"
    return f"{url}/{kind}/{BRANCH}/{path}" if url else ""
