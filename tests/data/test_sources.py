import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from glocalk.data.datasets.douban import DOUBAN, Douban
from glocalk.data.datasets.movielens import ML_1M, MovieLens1M
from glocalk.data.fetch.files import Checksum, FileSet, UnavailableError
from glocalk.errors import GlocalkError, MissingDataError

CONTENT = b"1\t2\t3\n"
SHA = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Shelf:
    """A place that has one content, or none."""

    content: bytes | None
    name: str = "the shelf"
    asked: list[str] = field(default_factory=list)

    def fetch(self, file, target):
        self.asked.append(file)
        if self.content is None:
            raise UnavailableError("it is empty")
        target.write_bytes(self.content)


@pytest.fixture(autouse=True)
def _online(monkeypatch):
    """These places lie in this file."""
    monkeypatch.delenv("GLOCALK_OFFLINE")


def files(*places):
    return FileSet("Tiny", "tiny", "https://tiny.example", {"r.txt": Checksum(SHA)}, places)


def put(data_dir, content):
    path = data_dir / "tiny" / "r.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_file_that_is_there_is_asked_of_no_place(tmp_path):
    path, shelf = put(tmp_path, CONTENT), Shelf(CONTENT)
    assert files(shelf).locate(tmp_path, "r.txt") == path
    assert shelf.asked == []


def test_missing_file(tmp_path):
    with pytest.raises(MissingDataError) as error:
        files().locate(tmp_path, "r.txt")
    assert str(error.value) == (
        f"Tiny is missing: there is no '{tmp_path}/tiny/r.txt'; get it from https://tiny.example "
        f"and put it into '{tmp_path}/tiny', or choose another data folder than '{tmp_path}' with "
        "data_dir=… or GLOCALK_DATA_DIR."
    )
    assert not (tmp_path / "tiny").exists()


def test_damaged_file_names_both_checksums_and_stays(tmp_path):
    path, shelf = put(tmp_path, CONTENT[:-3]), Shelf(CONTENT)
    with pytest.raises(GlocalkError) as error:
        files(shelf).locate(tmp_path, "r.txt")
    found = hashlib.sha256(CONTENT[:-3]).hexdigest()
    assert str(error.value) == (
        f"'{path}' is damaged or another file (SHA-256 {found}, expected {SHA}): remove it and get "
        "it again from https://tiny.example."
    )
    assert path.read_bytes() == CONTENT[:-3]


def test_unreadable_file(tmp_path, monkeypatch):
    put(tmp_path, CONTENT)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(GlocalkError, match=r"tiny/r.txt' cannot be read: Permission denied\.$"):
        files().locate(tmp_path, "r.txt")


def test_places_are_tried_in_order_until_one_has_the_file(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    empty, wrong, right, last = (
        Shelf(None),
        Shelf(b"x", "the wrong shelf"),
        Shelf(CONTENT),
        Shelf(b""),
    )
    path = files(empty, wrong, right, last).locate(tmp_path, "r.txt")
    assert path.read_bytes() == CONTENT
    assert [len(place.asked) for place in (empty, wrong, right, last)] == [1, 1, 1, 0]
    assert caplog.messages[0] == f"Tiny is not in '{tmp_path}/tiny': getting it from the shelf."
    assert [p.name for p in path.parent.iterdir()] == ["r.txt"]  # no temporary file is left
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_the_places_said_is_part_of_the_one_sentence(tmp_path):
    wrong = hashlib.sha256(b"x").hexdigest()
    with pytest.raises(MissingDataError) as error:
        files(Shelf(None), Shelf(b"x", "the wrong shelf")).locate(tmp_path, "r.txt")
    assert (
        f"there is no '{tmp_path}/tiny/r.txt', the shelf does not give it (it is empty), the wrong "
        f"shelf gives another file (SHA-256 {wrong}, expected {SHA}); get it from"
    ) in str(error.value)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_a_second_run_that_comes_first_spoils_nothing(tmp_path):
    class Slow(Shelf):
        def fetch(self, file, target):
            put(tmp_path, CONTENT)  # the other run, where no lock can be had
            super().fetch(file, target)

    path = files(Slow(CONTENT)).locate(tmp_path, "r.txt")
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["r.txt"]


def test_folder_that_cannot_be_written_to_is_found_before_fetching(tmp_path):
    (tmp_path / "file").write_text("")
    shelf = Shelf(CONTENT)
    with pytest.raises(GlocalkError, match=r"file/tiny' cannot be written to \(Not a directory\)"):
        files(shelf).locate(tmp_path / "file", "r.txt")
    assert shelf.asked == []


@pytest.mark.parametrize(
    ("source", "file_set"), [(MovieLens1M, ML_1M), (Douban, DOUBAN)], ids=["ml-1m", "douban"]
)
def test_sources_name_their_official_address_when_missing(source, file_set, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOCALK_OFFLINE", "1")
    with pytest.raises(MissingDataError) as error:
        source(source.Config()).split(tmp_path)
    assert file_set.address in str(error.value)
    assert str(tmp_path / file_set.folder) in str(error.value)
    assert "GLOCALK_DATA_DIR" in str(error.value)
