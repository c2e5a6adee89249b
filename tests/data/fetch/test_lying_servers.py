"""Whatever a server sends, a download ends in time with the right file or with one sentence."""

import random
import zipfile

import pytest

from data.fetch.server import CONTENT, SHA, SIZE, status, zipped
from glocalk.data.fetch.checksum import Checksum
from glocalk.data.fetch.download import Download, Patience, UnavailableError, unpack
from glocalk.data.fetch.files import FileSet
from glocalk.errors import MissingDataError

QUICK = Patience(silence=0.3, pauses=(0.01,), whole=4)


def raw(*pieces, endless=None, wait=0.05):
    """Sends these bytes and closes the connection, or sends the last piece again and again."""

    def answer(handler):
        for piece in pieces:
            handler.wfile.write(piece)
        while endless is not None and not handler.closing.wait(wait):
            handler.wfile.write(endless)
        handler.close_connection = True

    return answer


def headers(*lines):
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1")


CHUNKED = headers("Transfer-Encoding: chunked")
WHOLE_CHUNK = b"%x\r\n%s\r\n" % (SIZE, CONTENT)
ANSWERS = {
    "a trailer without end": raw(CHUNKED, WHOLE_CHUNK, b"0\r\n", endless=b"X-More: 1\r\n"),
    "a trailer line without end": raw(CHUNKED, WHOLE_CHUNK, b"0\r\nX-More: ", endless=b"a" * 99),
    "headers without end": raw(b"HTTP/1.1 200 OK\r\n", endless=b"X-More: 1\r\n"),
    "a header line without end": raw(b"HTTP/1.1 200 OK\r\nX-More: ", endless=b"a" * 9999, wait=0),
    "interim answers without end": raw(endless=b"HTTP/1.1 100 Continue\r\n\r\n"),
    "empty chunks' extensions without end": raw(CHUNKED, b"5;", endless=b"x=y;"),
    "a chunk size that is no number": raw(CHUNKED, b"zz\r\nabc\r\n0\r\n\r\n"),
    "a negative chunk size": raw(CHUNKED, b"-5\r\nabc\r\n0\r\n\r\n"),
    "a huge chunk size": raw(CHUNKED, b"f" * 40 + b"\r\nabc\r\n"),
    "a chunk cut off": raw(CHUNKED, b"%x\r\n" % SIZE, CONTENT[:50]),
    "a length that is no number": raw(headers("Content-Length: many"), b"abc"),
    "a negative length": raw(headers("Content-Length: -5"), b"abc"),
    "two lengths": raw(headers("Content-Length: 5", "Content-Length: 6"), b"abcde"),
    "a range that was not asked for": raw(
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-x/*\r\n\r\nabc"
    ),
    "an encoding that the body does not have": raw(
        headers("Content-Encoding: gzip", "Content-Length: 3"), b"abc"
    ),
    "an unknown encoding": raw(headers("Content-Encoding: br", "Content-Length: 3"), b"abc"),
    "an encoding cut off": raw(
        headers("Content-Encoding: deflate", "Content-Length: 2"), b"\x78\x9c"
    ),
    "a status that is no number": raw(b"HTTP/1.1 OK fine\r\n\r\n"),
    "no HTTP at all": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "nothing": raw(),
    "bytes that are not ASCII": raw(b"\xff\xfe\x00" * 50),
    "headers without names": raw(b"HTTP/1.1 200 OK\r\n: : :\r\n\0\r\n\r\nabc"),
    **{
        f"a redirect to {place!r}": status(302, place)
        for place in (
            *("http://[::1", "http://", "http://.example/", "http://a..b/", "//", "http://:x/"),
            *("http://127.0.0.1:99999/", "ftp://127.0.0.1/r.txt", "javascript:alert(1)", "\x01"),
            *("http://ex\tample/", "http://" + "a" * 300 + "/", "http://%00/", "http://user:p@/"),
        )
    },
    "a redirect in a circle": status(302, "/r.txt"),
    "a redirect without a place": status(302),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_wrong_answer_ends_in_one_sentence_and_in_time(name, server, tmp_path):
    server.answers = [ANSWERS[name]]
    place = Download("the server", server.address(), SIZE, patience=QUICK)
    files = FileSet("Tiny", "tiny", "https://tiny.example", {"r.txt": Checksum(SHA)}, (place,), "")
    with pytest.raises(MissingDataError) as error:
        files.locate(tmp_path, "r.txt")
    assert "\n" not in str(error.value)
    assert place.name in str(error.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize(
    "method",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflate", "bzip2", "lzma"],
)
def test_a_damaged_archive_is_refused_whatever_its_compression(method, tmp_path):
    content, rng = zipped(CONTENT[:20_000], method=method), random.Random(0)
    archive, target = tmp_path / "a.zip", tmp_path / "r.txt"
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        archive.write_bytes(
            damaged[: rng.choice([len(damaged)] * 3 + [rng.randrange(len(damaged))])]
        )
        target.unlink(missing_ok=True)
        try:
            unpack(archive, "tiny/r.txt", SIZE, target)
        except UnavailableError:
            refused += 1
            assert not target.exists()
        else:
            assert target.read_bytes() == CONTENT[:20_000]
    assert refused > 50


@pytest.mark.parametrize("name", ["http://[::1", "http://a..b/", "http://127.0.0.1:99999/"])
def test_a_probe_ends_in_one_sentence_too(name, server):
    server.head = status(302, name)
    with pytest.raises(UnavailableError):
        Download("the server", server.address(), SIZE, patience=QUICK).probe("r.txt")
