"""Encodings: text is read as what it is, or refused; ids are never read as other characters."""

import codecs

import pytest

from data.tables import EXPECTED, HEADER, everything, lines, refusal, split
from glocalk.data.datasets.table import RatingTable
from glocalk.data.formats import compression
from glocalk.errors import GlocalkError

TEXT = HEADER + "Zoë,Crème brûlée,4\nØrn,Œuf,2\n"
READ = {("Zoë", "Crème brûlée"): 4, ("Ørn", "Œuf"): 2}


@pytest.mark.parametrize("block", [5, 16, 1 << 20])
@pytest.mark.parametrize(
    ("encoding", "option"),
    [
        ("utf-8", None),
        ("utf-8-sig", "UTF8"),
        ("utf-16", None),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf_16_be"),
        ("utf-32", None),
        ("cp1252", "cp1252"),
        ("iso8859-15", "latin9"),
    ],
)
def test_the_encoding_is_recognized_or_chosen(encoding, option, block, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_BLOCK", block)
    made = split(tmp_path / "r.csv", TEXT.encode(encoding), encoding=option)
    assert everything(made) == READ


def test_text_in_encodings_of_other_alphabets_is_read(tmp_path):
    text = HEADER + "花子,寿司,4\n太郎,寿司,2\n"
    for encoding in ("shift_jis", "euc_jp", "gb18030"):
        made = split(tmp_path / "r.csv", text.encode(encoding), encoding=encoding)
        assert everything(made) == {("花子", "寿司"): 4, ("太郎", "寿司"): 2}


def test_json_in_another_encoding(tmp_path):
    rows = '{"user": "Zoë", "item": 1, "rating": 4}\n{"user": "Ann", "item": 1, "rating": 2}\n'
    made = split(tmp_path / "r.json", rows.encode("latin-1"), encoding="latin-1")
    assert everything(made) == {("Zoë", 1): 4, ("Ann", 1): 2}
    assert "'r.json' is not UTF-8 text (at byte 12): save it as" in refusal(tmp_path / "r.json")


@pytest.mark.parametrize(
    ("content", "encoding", "sentence"),
    [
        (
            TEXT.encode("cp1252"),
            None,
            "'r.csv' is not UTF-8 text (at byte 19): save it as UTF-8, or name its encoding, as in "
            "data.encoding=cp1252.",
        ),
        (
            TEXT.encode("cp1252"),
            "latin-1",
            "'r.csv' is not Latin-1 text, because it contains the control character U+008C: try "
            "data.encoding=cp1252.",
        ),
        (TEXT.encode("utf-8"), "ascii", "'r.csv' is not ascii text: save it as UTF-8, or choose"),
        (
            TEXT.encode("utf-8-sig"),
            "latin-1",
            "'r.csv' begins with the byte order mark of UTF-8: remove data.encoding=latin-1.",
        ),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "cp1252", "byte order mark of UTF-16"),
        (
            HEADER.encode("utf-16-le") + "1,2,3\n".encode("utf-16-le"),
            None,
            "'r.csv' seems to be UTF-16 without a byte order mark: save it as UTF-8, or choose "
            "data.encoding=utf-16-le or utf-16-be.",
        ),
        (b"user,item,rating\na\x1fb,2,3\n", None, "contains the control character U+001F: remove"),
    ],
)
def test_text_in_another_encoding_is_refused(content, encoding, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r.csv", content, encoding=encoding)


@pytest.mark.parametrize("name", ["klingon", "rot13", "zlib_codec", "base64", "", "undefined"])
def test_an_encoding_must_be_one_of_text(name):
    with pytest.raises(GlocalkError, match=r"Option 'data.encoding' cannot be .*: give an enc"):
        RatingTable.Config.check({"path": "r.csv", "encoding": name}, "data")


def test_errors_after_recoding_name_the_row(tmp_path):
    content = (HEADER + "Zoë,1,4\nØrn,1,bad\n").encode("cp1252")
    sentence = refusal(tmp_path / "r.csv", content, encoding="cp1252")
    assert "The rating 'bad' in row 3 of 'r.csv'" in sentence


def test_ascii_reads_the_same_in_every_encoding(tmp_path):
    for encoding in ("ascii", "latin-1", "cp1252", "gb18030"):
        assert everything(split(tmp_path / "r", lines(","), encoding=encoding)) == EXPECTED
