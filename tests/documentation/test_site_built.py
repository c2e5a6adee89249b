"""The site as it is built: strictly, offline, with links that lead somewhere, wide and narrow."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image

import glocalk
from glocalk.errors import GlocalkError
from website.__main__ import build, main
from website.catalog import ROOT
from website.screenshots import browser, take

pytestmark = pytest.mark.slow


class Links(HTMLParser):
    """The links, the anchors and what a page loads."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.loads = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "link" and given.get("href"):
            self.loads.append(given["href"])
        elif given.get("src"):
            self.loads.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOCALK_REPOSITORY_URL", "https://example.org/us/glocalk")
        build(folder)
    return folder


@pytest.fixture(scope="module")
def pages(site):
    made = site.rglob("*.html")
    return {path: Links(path.read_text(encoding="utf-8")) for path in made}


def test_internal_links_lead_to_a_page_and_to_an_anchor(site, pages):
    anchors = {path: page.anchors for path, page in pages.items()}
    broken, checked = [], 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            checked += 1
            if (
                not target.is_file()
                or not target.is_relative_to(site.resolve())
                or (parts.fragment and unquote(parts.fragment) not in anchors.get(target, set()))
            ):
                broken.append((path.name, link))
    assert broken == []
    assert checked > 1000


def test_the_report_leads_to_pages_of_the_site_and_to_records_of_the_repository(pages, site):
    report = pages[site / "reports" / "index.html"].links
    assert {"claims.html", "records.html"} <= set(report)
    assert "https://example.org/us/glocalk/blob/main/reports/claims.csv" in report
    listed = pages[site / "reports" / "records.html"].links
    records = [link for link in listed if "/reports/records/" in link]
    files = list((ROOT / "reports" / "records").rglob("*.json"))
    assert len(records) == len(files) > 1000
    assert all(link.startswith("https://example.org/us/glocalk/blob/main/") for link in records)


def test_pages_load_nothing_from_elsewhere(pages, site):
    for path, page in pages.items():
        for loaded in page.loads:
            if loaded.startswith("data:"):
                continue
            assert not urlsplit(loaded).scheme, (path.name, loaded)
            assert not loaded.startswith("//"), (path.name, loaded)
            if not urlsplit(loaded).path:  # the page itself
                continue
            assert (path.parent / unquote(urlsplit(loaded).path)).is_file(), (path.name, loaded)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", sheet.read_text()), sheet


def test_files_of_the_repository_are_linked_there(pages, site):
    links = pages[site / "docs" / "architecture.html"].links
    assert "https://example.org/us/glocalk" not in links
    completers = pages[site / "docs" / "completers.html"].links
    assert any(
        link == "https://example.org/us/glocalk/blob/main/src/glocalk/completers/baselines.py"
        for link in completers
    )


def test_the_reference_describes_every_public_name(site):
    anchors = set()
    for path in (site / "api").glob("*.html"):
        anchors |= Links(path.read_text(encoding="utf-8")).anchors
    assert not {name for name in glocalk.__all__ if f"glocalk.{name}" not in anchors}
    assert {"glocalk.Completer.fit", "glocalk.Completer.top", "glocalk.Split.hold_out"} <= anchors


def test_the_notebook_is_shown_with_its_outputs(site):
    text = (site / "docs" / "quick_start_notebook.html").read_text(encoding="utf-8")
    assert "50% of the pairs are rated" in text  # 1,200 of 80 × 30
    errors = re.search(r"'rmse'</span>: ([\d.]+)|rmse(?:&#39;|'): ([\d.]+)", text)
    assert errors
    assert 0.6 < float(errors[1] or errors[2]) < 0.9  # the noise is 0.7, the means' error 1.4
    assert "True" in text  # the model file gives the same predictions


def test_a_folder_with_other_files_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").touch()
    assert main([str(tmp_path)]) == 1
    assert "holds something else than a site" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_warning_is_an_error(tmp_path, monkeypatch):
    def broken(folder):
        folder.mkdir()
        (folder / "index.md").write_text("# Title\n\n[nowhere](none.md)\n", encoding="utf-8")

    monkeypatch.setattr("website.__main__.stage", broken)
    with pytest.raises(GlocalkError, match="The site was not built"):
        build(tmp_path / "site")
    assert not (tmp_path / "site").exists()


@pytest.fixture(scope="module")
def chromium():
    opened = browser()
    try:
        launched = opened.__enter__()
    except GlocalkError as error:
        pytest.skip(str(error))
    yield launched
    opened.__exit__(None, None, None)


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_scrolls_sideways(width, site, chromium):
    names = ["index", "models/index", "models/glocal_k", "models/stack", "docs/protocols"]
    names += [
        "docs/comparison",
        "docs/quick_start_notebook",
        "api/data",
        "reports/table1",
        "README",
    ]
    page = chromium.new_page(viewport={"width": width, "height": 900})
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    wide = {}
    for name in names:
        page.goto((site / f"{name}.html").as_uri())
        room, needed = page.evaluate(
            "() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]"
        )
        if needed > room:
            wide[name] = needed
        assert page.locator("h1").first.is_visible(), name
    page.close()
    assert wide == {}
    assert said == []


def test_screenshots_have_the_widths_that_were_asked_for(site, chromium, tmp_path):
    made = take(chromium, site, tmp_path)
    assert {path.name for path in made} == {
        f"{name}_{width}.png" for name in ("first_page", "model_page") for width in (1280, 390)
    }
    for path in made:
        with Image.open(path) as drawn:
            assert f"_{drawn.width}." in path.name
            assert len(drawn.convert("RGB").getcolors(1 << 21)) > 50  # not a blank page
