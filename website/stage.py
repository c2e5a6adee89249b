"""The sources of the site: copies of the repository's pages, and those that are generated.

They lie as in the repository, so that links from page to page stay as they are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from glocalk.errors import GlocalkError
from glocalk.files import write_atomically
from website.api_pages import api_pages
from website.catalog import ROOT, models
from website.chart import alternative, charts
from website.links import in_repository, repository_url, rewritten
from website.model_pages import model_pages
from website.report import PAGES

NOTEBOOK = PurePosixPath("docs/quick_start.ipynb")
# Two sources of one name would be one page.
_NOTEBOOK_PAGE = PurePosixPath("docs/quick_start_notebook.ipynb")
_SINGLE = ("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md")
_SECONDS = 300
# Of tables in `reports/` that have no titles of their own.
_TITLES = {
    "around": "Models that the paper leaves out",
    "cold_start": "New users and items",
    "combined": "Combinations of models",
    "costs": "Time and memory of trainings",
    "cross_validation": "Cross-validation",
    "fig2": "Fig. 2: fewer training ratings",
    "fig3": "Fig. 3: epochs of pre-training",
    "fold_in": "New users and items without training",
    "folds": "Other splits",
    "gap": "What selecting on the test set is worth",
    "monti": "Flixster and YahooMusic",
    "seeds": "GLocal-K over many seeds",
    "table1": "Table 1: test RMSE of every model",
    "table2": "Table 2: kernels and convolutions",
    "tuned": "Equal searches",
    "uncertainty": "Predictive distributions",
}


def stage(folder: Path) -> None:
    """Fill an empty folder with the sources of the site.

    Raises:
        GlocalkError: a page links to a file that does not exist, or the notebook fails.
    """
    pages = sorted(_pages())
    for page in pages:
        text = (ROOT / page).read_text(encoding="utf-8")
        if page == PurePosixPath("docs/models.md"):
            text = _linked_models(text)
        if page.parts[0] == "reports" and not text.startswith("# "):
            text = f"# {_TITLES.get(page.stem, page.stem)}\n\n{text}"
        _write(folder / page, _with_links(text, page, pages))
    for name, text in model_pages().items():
        page = PurePosixPath("models", name)
        _write(folder / page, _with_links(text, page, pages))
    for name, text in api_pages().items():
        _write(folder / "api" / name, text)
    for name, svg in charts().items():
        _write(folder / "charts" / name, svg)
    for path in sorted((ROOT / "reports").glob("*.[sp][vn]g")):
        shutil.copy(path, folder / "reports" / path.name)
    _write(folder / "index.md", _first_page())
    notebook = executed(ROOT / NOTEBOOK)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _with_links(cell.source, NOTEBOOK, pages)
    _write(folder / _NOTEBOOK_PAGE, nbformat.writes(notebook))


def _pages() -> Iterator[PurePosixPath]:
    """The Markdown files of the repository that are pages of the site."""
    yield from map(PurePosixPath, _SINGLE)
    for pattern in ("docs/*.md", "docs/data_cards/*.md", "reports/*.md"):
        yield from (PurePosixPath(path.relative_to(ROOT)) for path in ROOT.glob(pattern))


def _first_page() -> str:
    template = (Path(__file__).parent / "pages" / "index.md").read_text(encoding="utf-8")
    for data in ("ml_100k", "ml_1m", "douban"):
        template = template.replace(f"{{{{ {data} }}}}", alternative(data))
    return template


def _linked_models(text: str) -> str:
    """The table of models with a link to the page of each."""
    lines = []
    names = {model.name for model in models()}
    for line in text.splitlines():
        if line.startswith("| `"):
            _, first, rest = line.split("|", 2)
            for name in names & {each.strip(" `") for each in first.split(",")}:
                first = first.replace(f"`{name}`", f"[`{name}`](../models/{name}.md)")
            line = f"|{first}|{rest}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _with_links(text: str, page: PurePosixPath, pages: list[PurePosixPath]) -> str:
    url = repository_url()

    def place(path: PurePosixPath) -> str | None:
        if path in pages or path.parts[0] == "models":
            return None
        if path == NOTEBOOK:
            return os.path.relpath(_NOTEBOOK_PAGE, page.parent)
        if path in PAGES:
            return f"site:{path}"
        if path.parts[0] == "reports" and path.suffix in (".svg", ".png"):
            return None
        return in_repository(path, ROOT, url)

    return rewritten(text, page, place)


def executed(path: Path) -> nbformat.NotebookNode:
    """A notebook with the outputs of its cells, which are run afresh.

    Raises:
        GlocalkError: a cell fails.
    """
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=_SECONDS, resources={"metadata": {"path": str(path.parent)}}
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise GlocalkError(f"'{path.name}' fails: {error.ename}, {error.evalue}.") from error
    return notebook


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
