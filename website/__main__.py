"""`python -m website [FOLDER]`: build the site, by default in `build/site`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import build_main

from glocalk.errors import GlocalkError
from website.catalog import ROOT
from website.report import PAGES, report_page
from website.stage import stage

_USAGE = "Usage: python -m website [FOLDER]"


def build(folder: Path) -> None:
    """Build the site in `folder`, in place of what is there; a warning is an error.

    Raises:
        GlocalkError: a source is wrong, or Sphinx warns.
    """
    if folder.exists() and not (folder / "objects.inv").exists() and any(folder.iterdir()):
        raise GlocalkError(f"'{folder}' holds something else than a site: name another folder.")
    with tempfile.TemporaryDirectory() as scratch:
        source, made = Path(scratch, "source"), Path(scratch, "site")
        stage(source)
        config = str(Path(__file__).parent)
        code = build_main(
            ["-q", "-W", "--keep-going", "-b", "html", "-c", config, str(source), str(made)]
        )
        if code:
            raise GlocalkError("The site was not built: correct what Sphinx names above.")
        shutil.rmtree(made / ".doctrees")
        (made / ".buildinfo").unlink(missing_ok=True)
        (made / ".nojekyll").touch()  # GitHub Pages would leave out folders that begin with `_`
        for page in PAGES:
            (made / page).write_text(report_page(page, ROOT), encoding="utf-8")
        _replace(folder, made)


def _replace(folder: Path, made: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
    except OSError as error:
        raise GlocalkError(f"'{folder}' cannot be written: {error.strerror}.") from error


def main(arguments: list[str]) -> int:
    """Build the site; returns the exit code."""
    if len(arguments) > 1 or any(each.startswith("-") for each in arguments):
        print(_USAGE, file=sys.stderr)
        return 2
    folder = Path(arguments[0]) if arguments else ROOT / "build" / "site"
    try:
        build(folder)
    except GlocalkError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The site is in '{folder}': open {(folder / 'index.html').resolve().as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
