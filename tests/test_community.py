"""What surrounds the code: comparison, checklists, citation, forms, container."""

import fnmatch
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMPARISON = (DOCS / "comparison.md").read_text(encoding="utf-8")
CHECKLIST = (DOCS / "reproducibility.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "CODE_OF_CONDUCT.md",
    DOCS / "comparison.md",
    DOCS / "reproducibility.md",
    DOCS / "data_cards" / "README.md",
]


def rows(text):
    """The cells of each row of a page's tables, without headers."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        is_rule, is_header = line.startswith("| :-"), following.startswith(("| :-", "| -"))
        if line.startswith("|") and not (is_rule or is_header or line.startswith("| -")):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_local_links_lead_to_a_file_and_to_a_heading(page):
    links = re.findall(r"\]\((?!http)([^)]+)\)", page.read_text(encoding="utf-8"))
    assert links or page.name == "CODE_OF_CONDUCT.md"
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


# The comparison


def test_every_entry_of_the_comparison_has_a_reference():
    defined = dict(re.findall(r"^\[(\w+)\]: (https://\S+)$", COMPARISON, flags=re.MULTILINE))
    notes = re.findall(r"^(\d+)\. ", COMPARISON, flags=re.MULTILINE)
    assert notes == [str(k) for k in range(1, len(notes) + 1)]
    used, told = set(), set()
    entries = [cell for name, *cells in rows(COMPARISON) if name != "Commit of" for cell in cells]
    assert len(entries) > 200
    for entry in entries:
        match = re.fullmatch(
            r"(?:not found|\[[^]]+\](?:\[(\w+)\]|\([^)]+\)))(?: <sup>(\d+)</sup>)?", entry
        )
        assert match, entry
        label, note = match.groups()
        assert note or not entry.startswith("not found"), entry
        used |= {label} - {None}
        told |= {note} - {None}
    assert used | {"codex"} == set(defined)
    assert told == set(notes)


def test_the_comparison_links_to_the_commits_that_were_read():
    links = re.findall(r"https://github\.com/[\w-]+/([\w-]+)/(?:blob|tree)/(\S+?)[/\s]", COMPARISON)
    assert len({repository for repository, _ in links}) == 6
    assert len(set(links)) == 6
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for _, commit in links)


@pytest.mark.parametrize(
    ("feature", "page", "word"),
    [
        ("Distributions over ratings", "python.md", "return_std"),
        ("Combines models", "models.md", "ensemble"),
        ("MLflow, W&B", "command_line.md", "mlflow"),
        ("HTTP service", "command_line.md", "glocalk serve"),
        ("Documentation as a site, with the API", "development.md", "make docs"),
        ("Installed from a package index", "../README.md", "pip install glocalk\n"),
    ],
)
def test_the_comparison_denies_nothing_that_is_documented(feature, page, word):
    (ours,) = (cells[0] for name, *cells in rows(COMPARISON) if name == feature)
    documented = word in (DOCS / page).read_text(encoding="utf-8")
    assert ours.startswith("[no]") is not documented


def test_the_comparison_counts_our_models():
    (ours,) = (cells[0] for name, *cells in rows(COMPARISON) if name.startswith("Number of models"))
    models = (DOCS / "models.md").read_text().partition("## Combinations")[0]
    names = re.findall(r"^\| ((?:`\w+`(?:, )?)+)", models, re.MULTILINE)
    assert int(re.match(r"\[(\d+)\]", ours)[1]) == sum(each.count("`") // 2 for each in names)


# The checklist


def test_every_item_of_the_checklist_has_an_answer_and_a_place():
    items = list(rows(CHECKLIST))
    assert len(items) > 50
    for *_, answer, where in items:
        assert re.match("yes|no|partly", answer, re.IGNORECASE), answer
        is_shown = "](" in where
        assert is_shown or re.match("No|Not applicable|Yes, as far", answer, re.IGNORECASE), answer


def test_the_checklist_says_what_is_not_there():
    for missing in ("doi:", "identifiers:"):
        assert missing not in (ROOT / "CITATION.cff").read_text().split("preferred-citation")[0]
    assert "no archived release with a DOI" in CHECKLIST
    is_committed = (ROOT / "reports" / "tuned.md").exists()
    assert ("its table is not committed" in CHECKLIST) is not is_committed


# Citation and metadata


def test_citation_and_zenodo_agree_with_the_project():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    zenodo = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == zenodo["version"] == PROJECT["version"]
    assert citation["license"] == zenodo["license"] == PROJECT["license"]
    assert citation["title"] == zenodo["title"]
    assert citation["title"].startswith(f"{PROJECT['name']}: ")
    assert citation["keywords"] == zenodo["keywords"]
    names = [author["name"] for author in citation["authors"]]
    assert names == [creator["name"] for creator in zenodo["creators"]]
    assert names[0] in (ROOT / "LICENSE").read_text(encoding="utf-8")
    dois = [each["identifier"] for each in zenodo["related_identifiers"]]
    assert citation["preferred-citation"]["doi"] in dois
    assert citation["abstract"].strip() in zenodo["description"]


# Forms


def test_issue_forms_ask_for_what_an_answer_needs():
    forms = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")
    }
    assert forms.keys() == {"bug", "wrong_figure", "new_completer", "config"}
    assert forms.pop("config") == {"blank_issues_enabled": True}
    for form in forms.values():
        assert form["name"]
        assert form["description"]
        ids = [field["id"] for field in form["body"]]
        assert len(ids) == len(set(ids))
        assert all(field["attributes"]["label"] for field in form["body"])
        assert any(field.get("validations", {}).get("required") for field in form["body"])
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"*{forms['wrong_figure']['name']}*" in contributing
    assert f"*{forms['wrong_figure']['name']}*" in COMPARISON


def test_commands_that_a_contributor_is_told_exist():
    targets = set(re.findall(r"^([a-z0-9 -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {word for target in targets for word in target.split()}
    for path in ("CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md", "docs/reproducibility.md"):
        told = re.findall(r"(?:^|`)make ([a-z0-9-]+)", (ROOT / path).read_text(), re.MULTILINE)
        assert set(told) <= known, path


def test_the_code_of_conduct_attributes_its_source():
    text = (ROOT / "CODE_OF_CONDUCT.md").read_text(encoding="utf-8")
    assert "Contributor Covenant, version 2.1" in text
    assert "creativecommons.org/licenses/by/4.0" in text


# The container


def instructions():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def sources(copied):
    return [] if "--from=" in copied else copied.split()[:-1]


def test_the_container_is_what_make_setup_gives_and_runs_without_privileges():
    found = instructions()
    bases = [value.split()[0] for name, value in found if name == "FROM"]
    assert len(set(bases)) == 1  # the virtual environment links to the interpreter of the base
    assert any(value.startswith("make setup") for name, value in found if name == "RUN")
    assert [value for name, value in found if name == "USER"] == ["1000"]
    assert [value for name, value in found if name == "ENTRYPOINT"] == ['["glocalk"]']
    copied = {each for name, value in found if name == "COPY" for each in sources(value)}
    rule = re.search(r"^\$\(READY\): (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    packaged = set(PROJECT["license-files"]) | {PROJECT["readme"], "src", "conf", "Makefile"}
    assert copied == {*rule.split(), *packaged}


def test_the_container_is_built_from_what_it_needs_alone():
    first, *rest = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert first == "*"
    allowed = {line[1:] for line in rest if line.startswith("!")}
    copied = {each for name, value in instructions() if name == "COPY" for each in sources(value)}
    assert allowed == copied
    assert not any(fnmatch.fnmatch(name, pattern) for name in ("data", "runs", "reports", ".git")
                   for pattern in allowed)  # fmt: skip
