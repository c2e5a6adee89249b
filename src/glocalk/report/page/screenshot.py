"""The picture of the page's first screen, `page.png`, and whether it shows the page as it is.

A browser draws it, and browsers on two machines draw the same page differently. So the picture is
not compared: it carries the SHA-256 of that part of the page which it shows.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, PngImagePlugin

from glocalk.errors import GlocalkError
from glocalk.files import replacing

PICTURE = "page.png"
SIZE = (1280, 800)

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_LABEL = "page"
_SECONDS = 120


def shown_part(page: str) -> str:
    """SHA-256 of the page up to the heading of its second section, which is below the picture."""
    end, place = 0, 0
    for _ in range(2):
        place = page.find("</h2>", place)
        if place < 0:
            break
        place += len("</h2>")
        end = place
    return hashlib.sha256(page[: end or None].encode()).hexdigest()


def is_stale(picture: Path, page: str) -> bool:
    """Whether the picture shows another page, or is not a picture that `take` has made."""
    try:
        with Image.open(picture) as image:
            return image.info.get(_LABEL) != shown_part(page)
    except OSError:
        return True


def take(folder: Path, browser: Path | None = None) -> Path:
    """Draw the first screen of `index.html` in `folder`; returns the path of the picture.

    Args:
        folder: the folder of the report.
        browser: the program, by its path or its name on the PATH; None looks for a Chromium there.

    Raises:
        GlocalkError: there is no page or no browser, or the browser does not draw the page.
    """
    page = folder / "index.html"
    if not page.is_file():
        raise GlocalkError(f"There is no page '{page}' to draw: run `make report` first.")
    program = _found() if browser is None else shutil.which(browser) or browser.absolute()
    with tempfile.TemporaryDirectory() as scratch:
        drawn = Path(scratch, "drawn.png")
        command = [
            str(program),
            *("--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            # A browser that runs as root refuses to start inside its sandbox.
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            *("--force-device-scale-factor=1", f"--window-size={SIZE[0]},{SIZE[1]}"),
            *(f"--user-data-dir={Path(scratch, 'profile')}", f"--screenshot={drawn}"),
            page.resolve().as_uri(),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
            image = Image.open(drawn)
        except (OSError, subprocess.SubprocessError) as error:
            raise GlocalkError(
                f"'{program}' did not draw the page: name a working Chromium with browser=PROGRAM."
            ) from error
        label = PngImagePlugin.PngInfo()
        label.add_text(_LABEL, shown_part(page.read_text(encoding="utf-8")))
        picture = folder / PICTURE
        with image, replacing(picture) as temporary:
            # The rarest colors, those of the marks, stay what they are.
            few = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
            few.save(temporary, format="PNG", optimize=True, pnginfo=label)
    return picture


def _found() -> str:
    for name in _BROWSERS:
        program = shutil.which(name)
        if program:
            return program
    raise GlocalkError(
        "The picture of the page needs a Chromium or Chrome, and none is on the PATH: install one, "
        "or name it with browser=PROGRAM."
    )
