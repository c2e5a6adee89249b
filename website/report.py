"""The two pages of the report in the site: their links lead to its pages and to the repository."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from website.links import in_repository, repository_url

PAGES = (PurePosixPath("reports/index.html"), PurePosixPath("reports/records.html"))
_LINK = re.compile(r'<a href="([^"#][^"]*)">(.*?)</a>', re.DOTALL)


def report_page(page: PurePosixPath, root: Path) -> str:
    """The text of one of `PAGES`, as it stands in the site.

    A file of the report that is no page of the site is linked in the repository; where the address
    of that is unknown, its name stands there without a link.

    Raises:
        GlocalkError: it links to a file that does not exist.
    """
    url = repository_url()

    def replaced(found: re.Match[str]) -> str:
        target = page.parent / unquote(found[1])
        if target in PAGES:
            return found[0]
        if target.suffix == ".md":
            inside = target.relative_to(page.parent).with_suffix(".html")
            return f'<a href="{inside}">{found[2]}</a>'
        link = in_repository(target, root, url)
        return f'<a href="{link}">{found[2]}</a>' if link else found[2]

    return _LINK.sub(replaced, (root / page).read_text(encoding="utf-8"))
