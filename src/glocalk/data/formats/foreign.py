"""Formats that are recognized but not read: the error says what the file is, and what to do."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

from glocalk.errors import GlocalkError

_EXCEL = "is an Excel workbook: save it as CSV"
_HDF5 = (
    "is an HDF5 or MATLAB file: save its table as CSV or parquet, or choose data=monti if it is in "
    "the format of Monti et al"
)
_R = "is an R data file: save the table with write.csv"
_ARROW = "is a Feather or Arrow file: save it as parquet or CSV"
_NUMPY = "is a NumPy file: save its rows of user, item and rating as CSV"
_NESTED = "contains another compressed file: unpack it once"


def _compressed(by: str) -> str:
    return f"is compressed by {by}, which is not supported: unpack it"


# First bytes of files, and what they are.
_BINARY = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": _EXCEL,  # before 2007; Word's files begin like this too
    b"%PDF-": "is a PDF document: give the table itself, as CSV",
    b"SQLite format 3\0": "is an SQLite database: export its table of ratings as CSV",
    b"\x93NUMPY": _NUMPY,
    b"\x89HDF\r\n\x1a\n": _HDF5,
    b"MATLAB 5.0": _HDF5,
    b"MATLAB 7": _HDF5,
    **dict.fromkeys((b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n", b"X\n\0\0", b"A\n2\n"), _R),
    **dict.fromkeys((b"ARROW1", b"FEA1"), _ARROW),
    b"ORC": "is an ORC file: save it as parquet or CSV",
    b"Obj\x01": "is an Avro file: save it as parquet or CSV",
    b"<stata_dta>": "is a Stata file: save it as CSV",
    b"$FL": "is an SPSS file: save it as CSV",
    b"\x28\xb5\x2f\xfd": _compressed("Zstandard"),
    b"7z\xbc\xaf\x27\x1c": _compressed("7-Zip"),
    b"Rar!\x1a\x07": _compressed("RAR"),
    b"\x04\x22\x4d\x18": _compressed("LZ4"),
    b"\x1f\x9d": _compressed("compress"),
    **dict.fromkeys((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"PK\x03\x04"), _NESTED),
}
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_TAR = slice(257, 262)

# First lines of text, and what they are.
_NUMBER = r"[+-]?\d+(\.\d+)?"
_TEXT = {
    r"(?i)<(!doctype html|html|head|body)\b": "is an HTML page: download the file itself",
    r"(?i)<(\?xml|!doctype|!--|table|svg|rss)\b": "is an XML document: save its ratings as CSV",
    r"\{\\rtf": "is an RTF document: save the table as plain text",
    r"version https://git-lfs\.github\.com/": (
        "is a pointer of Git LFS, not the file itself: run git lfs pull"
    ),
    r"%%MatrixMarket": (
        "is a Matrix Market file: remove its header and the line with its size, and give rows of "
        "user, item and rating"
    ),
    r"(?i)(%.*\n)*\s*@relation\b": "is a Weka file (ARFF): save it as CSV",
    r"(?i)(--.*\n|/\*.*\n|\s*\n)*\s*(create table|insert into|drop table)\b": (
        "is an SQL script: export the table of ratings as CSV"
    ),
    r"\d+:\s*\n\d+(,|\s*\n)": (
        "is in the format of the Netflix Prize, where a line like '1:' names the movie of the rows "
        "below: write the movie into each row"
    ),
    rf"{_NUMBER}([ \t]+\d+:({_NUMBER}:)?{_NUMBER})+[ \t]*\r?(\n|$)": (
        "is in the format of libFM and SVMlight: write rows of user, item and rating"
    ),
}
_SEEN = 1 << 16  # bytes


def refuse_foreign(path: Path, start: bytes) -> None:
    """Refuse content whose first bytes belong to another format.

    Args:
        path: the file.
        start: the first bytes of its content, decompressed.

    Raises:
        GlocalkError: they do.
    """
    found = next((what for magic, what in _BINARY.items() if start.startswith(magic)), None)
    if _PICKLE.match(start):
        found = (
            "is a Python pickle, which can run code and is not read: save the table with to_csv or "
            "to_parquet"
        )
    elif start[_TAR] == b"ustar":
        found = "is a tar archive: unpack it, and give the file that contains the ratings"
    elif found is None:
        text = _text(start[:_SEEN]).lstrip()
        found = next((what for form, what in _TEXT.items() if re.match(form, text)), None)
    if found is not None:
        raise GlocalkError(f"'{path}' {found}.")


def refuse_document(path: Path, names: Sequence[str]) -> None:
    """Refuse a zip archive that is a document.

    Args:
        path: the archive.
        names: names of its files.

    Raises:
        GlocalkError: it is one.
    """
    if any(name.startswith("xl/") for name in names):
        found = _EXCEL
    elif any(name.startswith("word/") for name in names):
        found = "is a Word document: save the table as CSV"
    elif "META-INF/manifest.xml" in names and "content.xml" in names:
        found = "is an OpenDocument spreadsheet: save it as CSV"
    elif any(name.endswith(".iwa") for name in names):
        found = "is an Apple Numbers document: export it as CSV"
    elif len(names) > 1 and all(name.endswith(".npy") for name in names):
        found = _NUMPY
    elif any(name.endswith("/data.pkl") for name in names):
        found = "is a PyTorch file: save its rows of user, item and rating as CSV"
    else:
        return
    raise GlocalkError(f"'{path}' {found}.")


def _text(start: bytes) -> str:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return start.decode("utf-16", errors="ignore")
    return start.removeprefix(codecs.BOM_UTF8).decode(errors="ignore")
