"""`python -m website.screenshots SITE FOLDER`: pictures of pages, wide and narrow."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

from glocalk.errors import GlocalkError, one_line

PAGES = {"first_page": "index.html", "model_page": "models/glocal_k.html"}
WIDTHS = {1280: 900, 390: 844}  # and heights, in CSS pixels
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium: that on the PATH, or playwright's own.

    Raises:
        GlocalkError: there is none.
    """
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    with sync_playwright() as playwright:
        program = found or playwright.chromium.executable_path
        try:
            launched = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        except Error as error:
            raise GlocalkError(
                "Screenshots need a Chromium: install one, or run playwright install chromium "
                f"({one_line(error)[:80]})."
            ) from error
        yield launched
        launched.close()


def take(launched: Browser, site: Path, folder: Path) -> list[Path]:
    """Draw the first screen of each page at each width; returns the files.

    Raises:
        GlocalkError: there is no site.
    """
    if not (site / "index.html").is_file():
        raise GlocalkError(f"There is no site in '{site}': run make docs first.")
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for width, height in WIDTHS.items():
        page = launched.new_page(viewport={"width": width, "height": height})
        for name, path in PAGES.items():
            page.goto((site / path).resolve().as_uri())
            made.append(folder / f"{name}_{width}.png")
            page.screenshot(path=made[-1])
        page.close()
    return made


def main(arguments: list[str]) -> int:
    """Draw the pages; returns the exit code."""
    if len(arguments) != 2:
        print("Usage: python -m website.screenshots SITE FOLDER", file=sys.stderr)
        return 2
    try:
        with browser() as launched:
            made = take(launched, *map(Path, arguments))
    except GlocalkError as error:
        print(error, file=sys.stderr)
        return 1
    print(*made, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
