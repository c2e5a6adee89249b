"""The picture of the first screen: made by a browser, checked by what it says of the page."""

import re
import sys

import pytest
from PIL import Image

from glocalk.cli.report import main
from glocalk.report.page.screenshot import is_stale, shown_part
from report.factory import README, record, write

# A program that writes a picture where a Chromium would.
BROWSER = """#!{python}
import sys
from PIL import Image
(target,) = [each.split("=", 1)[1] for each in sys.argv if each.startswith("--screenshot=")]
assert sys.argv[-1].startswith("file:///") and sys.argv[-1].endswith("/reports/index.html")
assert "--window-size=1280,800" in sys.argv
Image.new("RGBA", (1280, 800), "white").save(target)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a report and a browser, the current one."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "reports" / "records", record())
    (tmp_path / "README.md").write_text(README)
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(python=sys.executable))
    browser.chmod(0o755)
    assert main([]) == 0
    return tmp_path


def test_a_picture_is_checked_against_the_page_that_it_shows(project, capsys):
    assert main(["screenshot", "browser=browser"]) == 0
    assert "Made 'reports/page.png'" in capsys.readouterr().out
    with Image.open(project / "reports" / "page.png") as image:
        assert image.size == (1280, 800)
    assert main(["check"]) == 0
    write(project / "reports" / "records", record(best=0.85, seed=1))
    assert main([]) == 0
    capsys.readouterr()
    assert main(["check"]) == 1
    assert capsys.readouterr().err == (
        "'reports/page.png' does not show the first screen of the page as it is now: run `make "
        "screenshot`, which needs a Chromium and no rating data.\n"
    )
    assert main(["screenshot", "browser=browser"]) == 0
    assert main(["check"]) == 0


def test_a_picture_that_the_readme_shows_must_exist(project, capsys):
    assert main(["check"]) == 0
    (project / "README.md").write_text(README + "\n![The first screen](reports/page.png)\n")
    assert main([]) == 0
    assert main(["check"]) == 1
    assert "'reports/page.png' does not show the first screen" in capsys.readouterr().err
    assert main(["screenshot", "browser=browser"]) == 0
    assert main(["check"]) == 0


def test_it_shows_the_page_up_to_its_second_heading(page):
    first, second, third = re.findall("<h2.*?</h2>", page)[:3]
    assert shown_part(page) == shown_part(page.replace(third, "<h2>Other</h2>"))
    assert shown_part(page) != shown_part(page.replace(second, "<h2>Other</h2>"))
    assert shown_part(page) != shown_part(page.replace(first, "<h2>Other</h2>"))


def test_a_picture_of_another_origin_is_stale(tmp_path):
    picture = tmp_path / "page.png"
    Image.new("RGB", (2, 2)).save(picture)
    assert is_stale(picture, "<h2>A</h2>")
    picture.write_text("not a picture")
    assert is_stale(picture, "<h2>A</h2>")


@pytest.mark.parametrize("browser", ["missing", "README.md", "false"])
def test_a_browser_that_draws_nothing_is_one_sentence(project, capsys, browser):
    (project / "false").write_text("#!/bin/sh\nexit 1\n")
    (project / "false").chmod(0o755)
    assert main(["screenshot", f"browser={project / browser}"]) == 1
    assert "did not draw the page: name a working Chromium" in capsys.readouterr().err
    assert not (project / "reports" / "page.png").exists()


def test_without_a_browser_or_a_page_there_is_no_picture(project, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(project / "nothing"))
    assert main(["screenshot"]) == 1
    assert "none is on the PATH" in capsys.readouterr().err
    (project / "reports" / "index.html").unlink()
    assert main(["screenshot"]) == 1
    assert "There is no page 'reports/index.html'" in capsys.readouterr().err
