"""The lines of the README and of the documentation, run as a reader would run them."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import glocalk
from glocalk.completers.registry import build_completer

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def my_models(tmp_path, monkeypatch):
    """The module that docs/completers.md shows, importable."""
    page = (ROOT / "docs" / "completers.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# my_models\.py\n.*?)```", page, flags=re.DOTALL)
    (tmp_path / "my_models.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("my_models")
    sys.modules.pop("my_models", None)


def test_the_completer_of_the_documentation_predicts_shrunken_means(my_models, tmp_path):
    ratings = glocalk.Ratings.from_arrays([1, 2, 1], [10, 10, 20], [5, 4, 1])
    model = my_models.ItemMean(damping=2).fit(ratings)
    mean = 10 / 3
    expected = [(9 + 2 * mean) / 4, (1 + 2 * mean) / 3]
    np.testing.assert_allclose(model.predict([1, 2], [10, 20]), expected)
    assert model.num_parameters == 2
    model.save(tmp_path / "model.pt")
    np.testing.assert_allclose(
        glocalk.load(tmp_path / "model.pt").predict([1, 2], [10, 20]), expected
    )


def test_the_completer_of_the_documentation_is_found_by_its_path(my_models):
    completer = build_completer({"_target_": "my_models.ItemMean", "damping": 10})
    assert isinstance(completer, my_models.ItemMean)
    assert completer.config.damping == 10


def test_the_readme_is_short_and_its_links_lead_somewhere():
    assert len(README.splitlines()) <= 250
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    broken = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert not broken


def test_every_model_and_every_folder_is_documented():
    models = {path.stem for path in (ROOT / "conf" / "model").glob("*.yaml")} - {"custom"}
    ablations = {name for name in models if name.startswith("glocal_k_")} - {"glocal_k_ensemble"}
    of_kernels = (ROOT / "docs" / "kernels.md").read_text(encoding="utf-8")
    assert not {name for name in ablations if f"`{name}`" not in of_kernels}
    of_models = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert not {name for name in models - ablations if f"`{name}`" not in of_models}
    assert not {name for name in glocalk.completers.PUBLIC if f"`{name}`" not in of_models}
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "glocalk"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert not {name for name in folders if f"`{name}/`" not in architecture}


def test_the_documentation_lists_each_of_its_pages():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    pages |= {"data_cards/README.md", "../CONTRIBUTING.md"}
    assert set(re.findall(r"^\| \[[^\]]+\]\(([^)]+)\)", index, flags=re.MULTILINE)) == pages
