"""Compressed files."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from data.tables import EXPECTED, everything, lines, refusal, split


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/ratings.csv", content)
        archive.writestr("__MACOSX/._ratings.csv", "x")
    return buffer.getvalue()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zipped])
@pytest.mark.parametrize("name", ["r.csv", "r.gz"])
def test_compression_by_content(compress, name, tmp_path):
    assert everything(split(tmp_path / name, compress(lines(",").encode()))) == EXPECTED


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (
            gzip.compress(b"1,7,5\n" * 99)[:-9],
            {},
            "'r.csv' is compressed but damaged: download or create",
        ),
        (bz2.compress(b"1,7,5\n" * 99)[:-9], {}, "'r.csv' is compressed but damaged"),
        (lzma.compress(b"1,7,5\n" * 99)[:-9], {}, "'r.csv' is compressed but damaged"),
        (zipped("1,7,5\n" * 99)[:-9], {}, "'r.csv' is compressed but damaged"),
    ],
    # Of the content, which holds the time of compression, each worker would make another name.
    ids=["gzip", "bzip2", "xz", "zip"],
)
def test_a_damaged_archive_is_refused_in_one_sentence(content, options, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r.csv", content, **options)


def test_an_archive_of_several_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("a.csv", "1,7,5\n")
        archive.writestr("b.csv", "1,7,5\n")
    assert "'r.zip' is an archive of 2 files" in refusal(tmp_path / "r.zip")
