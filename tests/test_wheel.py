"""The package as others get it: a wheel, installed elsewhere, away from the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from command import SMALL

ROOT = Path(__file__).resolve().parents[1]


def test_every_package_is_in_the_list_of_packages():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for path in (ROOT / "src").rglob("*.py")}
    found = [".".join(folder.relative_to(ROOT / "src").parts) for folder in folders]
    assert options["packages"] == sorted([*found, "glocalk.conf"])
    assert all((folder / "__init__.py").exists() for folder in folders)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"  # setuptools leaves build folders beside what it builds
    checkout.mkdir()
    for name in ("src", "conf", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, checkout / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "-w", folder]
    subprocess.run([*pip, "wheel", *options, checkout], check=True)
    (wheel,) = folder.glob("glocalk-*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    return site


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist and the wheel of the last commit, from two builds."""
    builds = []
    for name in ("first", "second"):
        out = tmp_path_factory.mktemp(name)
        command = [sys.executable, ROOT / ".ci" / "dist.py", out]
        subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1"})
        builds.append({path.name: path for path in out.iterdir()})
    return builds


@pytest.mark.slow
def test_a_commit_gives_the_same_bytes_each_time(built):
    first, second = built
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    names = {f"glocalk-{version}.tar.gz", f"glocalk-{version}-py3-none-any.whl"}
    assert first.keys() == second.keys() == names
    for name in names:
        assert first[name].read_bytes() == second[name].read_bytes(), name


@pytest.mark.slow
def test_the_sdist_builds_and_tests_the_package_and_holds_no_records_and_no_ratings(built):
    (path,) = (path for name, path in built[0].items() if name.endswith(".tar.gz"))
    with tarfile.open(path) as sdist:
        members = {member.name.partition("/")[2]: member for member in sdist.getmembers()}
    tracked = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    folders = ("src/", "conf/", "docs/", "tests/")
    wanted = {name for name in tracked if name.startswith(folders)}
    assert wanted <= members.keys()
    assert {"Makefile", "constraints.txt", "build-constraints.txt", "LICENSE"} <= members.keys()
    others = {name for name in members if name not in tracked and "egg-info" not in name}
    assert others == {"PKG-INFO", "setup.cfg"}
    assert not any(name.startswith(("reports/", "data/", "runs/")) for name in members)
    assert {member.mtime for member in members.values()} == {commit_time()}
    assert path.stat().st_size < 5e6


@pytest.mark.slow
def test_the_tests_of_the_sdist_can_be_started(built, tmp_path):
    (path,) = (path for name, path in built[0].items() if name.endswith(".tar.gz"))
    with tarfile.open(path) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "--quiet",
        "-p",
        "no:cacheprovider",
    ]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout[-2000:]
    assert "tests/metrics/" in process.stdout
    assert "tests/documentation/" not in process.stdout  # website/ is not there


def commit_time():
    command = ["git", "-C", ROOT, "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_a_tag_that_is_not_the_version_is_refused(tmp_path):
    command = [sys.executable, ROOT / ".ci" / "dist.py", tmp_path / "dist", "v99.0.0"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()
    assert line.startswith("The tag is 'v99.0.0', and the version in pyproject.toml is ")
    assert not (tmp_path / "dist").exists()


def installed(site, *command, cwd):
    process = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_the_installed_command_trains_from_elsewhere(site, tmp_path):
    where = "import glocalk, glocalk.conf; print(glocalk.__file__, *glocalk.conf.__path__)"
    for path in installed(site, sys.executable, "-c", where, cwd=tmp_path).split():
        assert path.startswith(str(site))
    # A package in the working directory is found by the command, too.
    text = "from glocalk.completers.baselines import Bias\nclass Mine(Bias): ...\n"
    (tmp_path / "mypackage.py").write_text(text)
    model = ["model._target_=mypackage.Mine", "model.item_damping=2"]
    command = site / "bin" / "glocalk"
    printed = installed(site, command, "train", *model, *SMALL[:4], cwd=tmp_path)
    assert printed.startswith("synthetic mine seed 0 (variant ")
    (path,) = tmp_path.glob("runs/*/record.json")
    assert path.parent.name.startswith("synthetic-mine-")


def test_the_wheel_holds_every_config_and_table(site):
    for pattern in ("*/*.yaml", "*.yaml", "*/*/*.yaml"):
        for path in (ROOT / "conf").glob(pattern):
            copy = site / "glocalk" / "conf" / path.relative_to(ROOT / "conf")
            assert copy.read_bytes() == path.read_bytes()
    report = ROOT / "src" / "glocalk" / "report"
    templates = [report / "page" / "templates", report.parent / "service" / "templates"]
    tables = [*report.rglob("*.csv"), *(path for folder in templates for path in folder.iterdir())]
    assert "published.csv" in {path.name for path in tables}
    for path in tables:
        assert (site / path.relative_to(ROOT / "src")).read_bytes() == path.read_bytes()
    assert (site / "glocalk" / "py.typed").exists()
