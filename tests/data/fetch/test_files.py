import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from glocalk.data.fetch.checksum import Checksum
from glocalk.data.fetch.files import FileSet, Place, UnavailableError
from glocalk.errors import GlocalkError, MissingDataError

CONTENT = b"1\t2\t3\n"
SHA = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Shelf(Place):
    """A place that has one content, or none."""

    content: bytes | None
    name: str = "the shelf"
    asked: list[str] = field(default_factory=list)

    def fetch(self, file, target):
        self.asked.append(file)
        if self.content is None:
            raise UnavailableError("it is empty")
        target.write_bytes(self.content)


def files(*places):
    return FileSet("Tiny", "tiny", "https://tiny.example", {"r.txt": Checksum(SHA)}, places)


def put(data_dir, content):
    path = data_dir / "tiny" / "r.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_an_existing_file_is_not_downloaded(tmp_path):
    path, shelf = put(tmp_path, CONTENT), Shelf(CONTENT)
    assert files(shelf).locate(tmp_path, "r.txt") == path
    assert shelf.asked == []


def test_missing_file(tmp_path):
    with pytest.raises(MissingDataError) as error:
        files().locate(tmp_path, "r.txt")
    assert str(error.value) == (
        f"Tiny is missing: '{tmp_path}/tiny/r.txt' does not exist; download it from "
        f"https://tiny.example into '{tmp_path}/tiny', or choose another data folder than "
        f"'{tmp_path}' with data_dir=… or GLOCALK_DATA_DIR."
    )
    assert not (tmp_path / "tiny").exists()


def test_damaged_file_names_both_checksums_and_stays(tmp_path):
    path, shelf = put(tmp_path, CONTENT[:-3]), Shelf(CONTENT)
    with pytest.raises(GlocalkError) as error:
        files(shelf).locate(tmp_path, "r.txt")
    found = hashlib.sha256(CONTENT[:-3]).hexdigest()
    assert str(error.value) == (
        f"'{path}' is damaged or a different file (SHA-256 {found}, expected {SHA}): delete it and "
        "download it again from https://tiny.example."
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
    assert caplog.messages[0] == f"Tiny is not in '{tmp_path}/tiny': downloading it from the shelf."
    assert [p.name for p in path.parent.iterdir()] == ["r.txt"]  # no temporary file is left
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_error_says_why_each_place_failed(tmp_path):
    wrong = hashlib.sha256(b"x").hexdigest()
    with pytest.raises(MissingDataError) as error:
        files(Shelf(None), Shelf(b"x", "the wrong shelf")).locate(tmp_path, "r.txt")
    assert (
        "does not exist and could not be downloaded from the shelf (it is empty) or from the wrong "
        f"shelf (it sent a different file: SHA-256 {wrong}, expected {SHA}); download it from"
    ) in str(error.value)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_a_second_run_that_finishes_first_does_no_harm(tmp_path):
    class Slow(Shelf):
        def fetch(self, file, target):
            put(tmp_path, CONTENT)  # the other run, on a file system without locks
            super().fetch(file, target)

    path = files(Slow(CONTENT)).locate(tmp_path, "r.txt")
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["r.txt"]


def test_a_folder_that_cannot_be_written_to_is_found_before_downloading(tmp_path):
    (tmp_path / "file").write_text("")
    shelf = Shelf(CONTENT)
    with pytest.raises(GlocalkError, match=r"tiny/r.txt' cannot be written: Not a directory;"):
        files(shelf).locate(tmp_path / "file", "r.txt")
    assert shelf.asked == []


def test_places_known_to_fail_are_not_asked(tmp_path):
    empty, full = Shelf(None, "the empty shelf"), Shelf(CONTENT)
    file_set = files(empty, full)
    path = file_set.locate(tmp_path, "r.txt", {"the empty shelf": "it is far away"})
    assert path.read_bytes() == CONTENT
    assert empty.asked == []
    path.unlink()
    with pytest.raises(MissingDataError, match=r"from the shelf \(it is far away\); download it"):
        files(full).locate(tmp_path, "r.txt", {"the shelf": "it is far away"})


def test_other_files_of_the_folder_are_left_alone(tmp_path):
    put(tmp_path, b"").rename(tmp_path / "tiny" / "r.txt.mine")
    files(Shelf(CONTENT)).locate(tmp_path, "r.txt")
    assert sorted(p.name for p in (tmp_path / "tiny").iterdir()) == ["r.txt", "r.txt.mine"]
