"""Caches of libraries go to a folder that can be written to."""

import os
import stat
from pathlib import Path

import pytest

import glocalk
from glocalk.caches import use_writable_caches

VARIABLES = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR")
PACKAGE = Path(glocalk.__file__).parent


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Makes folders read-only; returns the variables that are set then."""
    for variable in (*VARIABLES, "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "home").mkdir()
    (tmp_path / "temporary").mkdir()

    def set_up(*read_only):
        # Root may write to any folder whose mode forbids it, so the answer is made up.
        monkeypatch.setattr(os, "access", lambda folder, _: Path(folder) not in read_only)
        use_writable_caches()
        return {name: os.environ[name] for name in VARIABLES if name in os.environ}

    return set_up


def test_usual_places_are_left_alone_where_they_can_be_written_to(place, tmp_path):
    assert place() == {}
    assert list((tmp_path / "temporary").iterdir()) == []


def test_numba_needs_the_package_or_the_home_folder(place, tmp_path):
    assert set(place(tmp_path / "home")) == {"MPLCONFIGDIR"}
    assert set(place(PACKAGE, tmp_path / "home")) == set(VARIABLES)


def test_the_folder_belongs_to_the_user_alone(place, tmp_path):
    found = place(PACKAGE, tmp_path / "home")
    folder = Path(found["NUMBA_CACHE_DIR"]).parent
    assert folder == tmp_path / "temporary" / f"glocalk-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("trap", ["link", "open to all", "file"])
def test_a_folder_that_another_user_may_fill_is_not_taken(trap, place, tmp_path):
    usual = tmp_path / "temporary" / f"glocalk-{os.getuid()}"
    (tmp_path / "theirs").mkdir(mode=0o700)
    if trap == "link":
        usual.symlink_to(tmp_path / "theirs")
    elif trap == "file":
        usual.write_text("")
    else:
        usual.mkdir()
        usual.chmod(0o777)
    folder = Path(place(PACKAGE, tmp_path / "home")["NUMBA_CACHE_DIR"]).parent
    assert folder != usual
    assert folder.parent == tmp_path / "temporary"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_place_that_the_user_names_stays(place, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    assert place(PACKAGE, tmp_path / "home")["NUMBA_CACHE_DIR"] == "mine"


def test_without_a_temporary_folder_nothing_is_set(place, tmp_path):
    (tmp_path / "temporary").rmdir()
    assert place(PACKAGE, tmp_path / "home") == {}


def test_a_user_without_a_home_folder(place, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert set(place(PACKAGE)) == set(VARIABLES)
