"""The page as a file: well-formed, complete, of one piece, and deaf to what records say."""

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from glocalk.cli.report import main
from glocalk.report.page.markup import with_code
from report.factory import README, record, write

VOID = {"meta", "input", "br", "hr", "img", "link"}
COMMITTED = Path(__file__).resolve().parents[3] / "reports" / "index.html"


class Tree(HTMLParser):
    """Every element with its attributes; refuses tags that do not match."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names), (tag, names)
        self.elements.append((tag, dict(attributes), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not set(self.open) & {"script", "style"}:
            self.text.append(data)

    def all(self, *tags):
        return [attributes for tag, attributes, _ in self.elements if tag in tags]


@pytest.fixture(scope="module")
def tree(page):
    return Tree(page)


@pytest.fixture(scope="module")
def listed(records_page):
    return Tree(records_page)


def test_tags_match_and_every_id_is_there_once(tree):
    ids = [attributes["id"] for _, attributes, _ in tree.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    named = [
        name
        for _, attributes, _ in tree.elements
        for key in ("aria-labelledby", "aria-describedby", "for")
        for name in attributes.get(key, "").split()
    ]
    assert named
    assert set(named) <= set(ids)
    anchors = {link["href"][1:] for link in tree.all("a") if link["href"].startswith("#")}
    assert anchors <= set(ids)


def test_the_parts_come_in_order(tree):
    shown = [attributes["id"] for attributes in tree.all("section")]
    assert shown == [
        *("result", "table1", "table2", "fig2", "fig3", "curves", "claims", "gap"),
        *("costs", "notes", "records"),
    ]


def test_headings_go_down_one_level_at_a_time(tree):
    levels = [int(tag[1]) for tag, _, _ in tree.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_it_has_a_language_landmarks_and_names(tree):
    assert tree.all("html") == [{"lang": "en"}]
    for landmark in ("main", "nav", "header", "footer"):
        assert len(tree.all(landmark)) == 1
    tables = [place for place, (tag, _, _) in enumerate(tree.elements) if tag == "table"]
    assert all(tree.elements[place + 1][0] == "caption" for place in tables)
    assert all("scope" in attributes for attributes in tree.all("th"))
    drawings = [made for made in tree.all("svg") if made.get("class") == "drawing"]
    assert drawings
    assert all(made["role"] == "img" and "aria-labelledby" in made for made in drawings)
    decoration = [
        made
        for tag, made, within in tree.elements
        if tag == "svg" and "svg" not in within and made.get("class") != "drawing"
    ]
    assert all(made["aria-hidden"] == "true" for made in decoration)


def test_the_committed_page_is_small_and_its_links_lead_somewhere():
    text = COMMITTED.read_text(encoding="utf-8")
    assert len(text.encode()) < 1_500_000
    check_links(Tree(text), COMMITTED.parent)


def test_the_committed_list_of_records_leads_to_every_one():
    listed = Tree((COMMITTED.parent / "records.html").read_text(encoding="utf-8"))
    check_links(listed, COMMITTED.parent)
    check_records(listed, COMMITTED.parent)


def test_links_lead_to_files_beside_the_page(tree, site):
    check_links(tree, site)


def test_the_list_of_records_is_a_page_that_leads_to_each_once(tree, listed, site):
    assert "records.html" in {link["href"] for link in tree.all("a")}
    check_links(listed, site)
    check_records(listed, site)
    shown = [attributes["id"] for attributes in listed.all("section")]
    assert shown == ["table1", "fig2", "fig3", "gaps", "table2"]
    assert [link["href"][1:] for link in listed.all("a") if link["href"][0] == "#"][1:] == shown
    ids = [attributes["id"] for _, attributes, _ in listed.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert set(ids) >= {part["aria-labelledby"] for part in listed.all("section", "div")}


def check_records(listed, folder):
    links = [link["href"] for link in listed.all("a") if link["href"].startswith("records/")]
    files = {path.relative_to(folder).as_posix() for path in folder.glob("records/**/*.json")}
    assert {unquote(href) for href in links} == files
    assert len(links) == len(files)


def check_links(tree, folder):
    targets = {link["href"] for link in tree.all("a") if not link["href"].startswith("#")}
    assert targets
    assert not {href for href in targets if re.match("[a-z]+:|/", href)}
    assert not {href for href in targets if not (folder / unquote(href)).is_file()}


@pytest.mark.parametrize("name", ["index.html", "records.html"])
def test_nothing_is_loaded(site, name):
    page = (site / name).read_text(encoding="utf-8")
    tree = Tree(page)
    loading = {"src", "srcset", "data", "poster", "action", "formaction", "background", "style"}
    for tag, attributes, _ in tree.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert not loading & attributes.keys() or attributes.get("src", "").startswith("data:")
        assert not [name for name in attributes if name.startswith("on")]
    style = re.search("<style>(.*?)</style>", page, flags=re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize(
    ("name", "inline"), [("index.html", ("style", "script")), ("records.html", ("style",))]
)
def test_the_policy_allows_its_own_style_and_script_alone(site, name, inline):
    page = (site / name).read_text(encoding="utf-8")
    tree = Tree(page)
    (policy,) = (
        made["content"]
        for made in tree.all("meta")
        if made.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert rules.pop("img-src") == "data:"
    for tag in inline:
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert rules == {}


def test_a_record_cannot_write_markup(page, records_page, listed):
    for text in (page, records_page):
        assert "<img" not in text
        assert "<!--" not in text
    assert "onerror" in "".join(listed.text)
    assert "<script" not in records_page
    assert page.count("</script>") == 2
    (block,) = re.findall(r'id="page-data">(.*?)</script>', page)
    assert json.loads(block)["charts"]


def test_words_in_backticks_are_code_and_the_rest_is_text():
    assert with_code("a `b<c>` & d") == "a <code>b&lt;c&gt;</code> &amp; d"
    assert with_code("x\u202ey") == r"x\u202ey"


def test_the_same_records_give_the_same_bytes_and_a_changed_page_is_noticed(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "reports" / "records", record())
    (tmp_path / "README.md").write_text(README)
    assert main([]) == 0
    page = tmp_path / "reports" / "index.html"
    first = page.read_bytes()
    assert main([]) == 0
    assert page.read_bytes() == first
    assert str(tmp_path).encode() not in first
    assert main(["check"]) == 0
    page.write_bytes(first.replace(b"measured", b"Measured"))
    capsys.readouterr()
    assert main(["check"]) == 1
    assert "'reports/index.html'" in capsys.readouterr().err


def test_without_a_record_there_is_no_page_and_an_old_one_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "reports" / "records").mkdir(parents=True)
    page = tmp_path / "reports" / "index.html"
    page.write_text("old")
    assert main([]) == 0
    assert not page.exists()
