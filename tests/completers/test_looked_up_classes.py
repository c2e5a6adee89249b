"""The class that a model file names: imported only from `glocalk.completers`, else looked up where
the caller has imported it.
"""

import sys
import types

import pytest
import torch
from cases import LABELED

import glocalk
import hostile
from glocalk.completers.baselines import Bias
from glocalk.errors import GlocalkError


@pytest.fixture
def named(tmp_path):
    """A function that loads a model file with the class that it is given the name of."""
    path = tmp_path / "model.pt"
    Bias().fit(LABELED).save(path)
    content = torch.load(path, weights_only=True)

    def load(name):
        path.write_bytes(hostile.sealed({**content, "class_name": name}))
        with hostile.Watch(tmp_path) as watch:
            try:
                return glocalk.load(path)
            finally:
                assert not watch.seen or name.startswith("glocalk.completers."), watch.seen

    return load


@pytest.mark.parametrize("name", ["glocalk.Bias", "glocalk.completers.baselines.Bias"])
def test_classes_of_glocalk_are_imported(named, name):
    assert type(named(name)) is Bias


def test_a_class_of_the_caller_is_looked_up(named, monkeypatch):
    module = types.ModuleType("theirs")
    module.Mine = type("Mine", (Bias,), {})
    monkeypatch.setitem(sys.modules, "theirs", module)
    assert type(named("theirs.Mine")) is module.Mine


@pytest.mark.parametrize(
    "name",
    [
        "unittest.__main__",  # runs the tests of the current folder
        "unittest.__main__.main",
        "antigravity.Bias",
        "tests_of_somebody.Bias",
        "json.tool.main",
        "xml.etree.cElementTree.Bias",
        "glocalk.cli.main.main",
        "glocalk.completers..baselines.Bias",
        "glocalk.completers./tmp/x.Bias",
        "no_module",
        "",
    ],
)
def test_nothing_else_is_imported(named, name):
    before = set(sys.modules)
    with pytest.raises(GlocalkError) as error:
        named(name)
    assert set(sys.modules) == before
    assert "a class outside glocalk: if you trust it, import" in str(error.value) or (
        "which is not a completer" in str(error.value)
    )


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.exec",
        "glocalk.load",
        "glocalk.Ratings",
        "glocalk.completers.base.Path",
        "glocalk.completers.baselines.BiasConfig",
        "glocalk.completers.baselines.nothing",
        "sys.modules",
        "unittest.__main__:main",  # unittest itself may be imported
        "json.tool:main",
    ],
)
def test_what_is_imported_but_no_completer_is_refused(named, name):
    with pytest.raises(GlocalkError, match=r"which is not a completer|a class outside glocalk"):
        named(name)


def test_a_module_s_getattr_is_not_called(named, monkeypatch):
    module = types.ModuleType("lazy")
    module.__getattr__ = lambda name: pytest.fail(f"asked for {name}")
    monkeypatch.setitem(sys.modules, "lazy", module)
    with pytest.raises(GlocalkError, match="which is not a completer"):
        named("lazy.Mine")


def test_a_module_below_an_imported_package_is_not_imported(named, tmp_path, monkeypatch):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "trap.py").write_text("raise SystemExit('executed')")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("package")
    try:
        with pytest.raises(GlocalkError, match=r"import 'package\.trap' before"):
            named("package.trap.Mine")
        with pytest.raises(GlocalkError, match="which is not a completer"):
            named("package.trap")
    finally:
        sys.modules.pop("package")
