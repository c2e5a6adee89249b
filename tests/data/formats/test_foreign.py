"""Files in formats that are not read: each is named, and nothing of it is taken for ratings."""

import gzip
import io
import pickle
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io

from data.tables import refusal

INPUTS = Path(__file__).parents[2] / "inputs"
FRAME = pd.DataFrame({"user": [1, 2], "item": [10, 11], "rating": [4, 5]})
ROWS = "user,item,rating\n1,10,4\n2,11,5\n"


def archive(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in files.items():
            made.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def hdf5(path):
    with h5py.File(path, "w") as file:
        file["ratings"] = FRAME.to_numpy()
    return path.read_bytes()


def sqlite(path):
    with sqlite3.connect(path) as connection:
        FRAME.to_sql("ratings", connection)
    connection.close()
    return path.read_bytes()


def feather(path):
    pytest.importorskip("pyarrow")
    FRAME.to_feather(path)
    return path.read_bytes()


def npy(path):
    np.save(path.with_suffix(".npy"), FRAME)
    return path.with_suffix(".npy").read_bytes()


def npz(path):
    np.savez(path.with_suffix(".npz"), user=[1], item=[2])
    return path.with_suffix(".npz").read_bytes()


def matlab(path):
    scipy.io.savemat(path, {"M": np.eye(2)})
    return path.read_bytes()


def tar(path):
    path.write_text(ROWS)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        made.add(path, "ratings.csv")
    return buffer.getvalue()


MADE = {
    "an HDF5 or MATLAB file": hdf5,
    "an HDF5 or MATLAB file: save": matlab,
    "an SQLite database": sqlite,
    "a Feather or Arrow file": feather,
    "a NumPy file": npy,
    "a NumPy file: save": npz,
    "a tar archive": tar,
    "a Python pickle, which can run code": lambda _: pickle.dumps(FRAME),
}


@pytest.mark.parametrize("what", MADE)
def test_files_of_other_tools_are_named(what, tmp_path):
    content = MADE[what](tmp_path / "made")
    assert f"'r' is {what}" in refusal(tmp_path / "r", content)


FOREIGN = [
    ((INPUTS / "ratings.xlsx").read_bytes(), "'r' is an Excel workbook: save it as CSV."),
    (archive(xl__workbook="", a=""), "'r' is an Excel workbook: save it as CSV."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "'r' is an Excel workbook: save it as"),
    (
        archive(**{"content.xml": "", "META-INF__manifest.xml": ""}),
        "is an OpenDocument spreadsheet",
    ),
    (archive(word__document=""), "is a Word document"),
    (archive(model__data=b"", **{"model__data.pkl": b""}), "is a PyTorch file"),
    (b"%PDF-1.7\n1 0 obj\n", "is a PDF document"),
    (gzip.compress(b"RDX3\nX\n\0\0\0\3"), "is an R data file: save the table with write.csv."),
    (b"\x28\xb5\x2f\xfd rest", "is compressed by Zstandard, which is not supported: unpack"),
    (b"7z\xbc\xaf\x27\x1c rest", "is compressed by 7-Zip"),
    (gzip.compress(gzip.compress(ROWS.encode())), "contains another compressed file"),
    (archive(inner=archive(r=ROWS)), "contains another compressed file: unpack it once."),
    ("\n<!DOCTYPE html>\n<p>1,2,3", "is an HTML page: download the file itself."),
    ("<?xml version='1.0'?>\n<r>1,2,3</r>", "is an XML document"),
    ("\ufeff<html>\n", "is an HTML page"),
    ("{\\rtf1 1,2,3}", "is an RTF document"),
    (
        "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n",
        "is a pointer of Git LFS, not the file itself: run git lfs pull.",
    ),
    ("1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n", "format of the Netflix Prize"),
    ("1:\r\n30878\r\n2647871\r\n", "format of the Netflix Prize"),
    ("5 1:1 20:1\n3 1:1 21:1\n", "format of libFM and SVMlight: write rows of user,"),
    ("4.5 0:1:1 1:20:1\n", "format of libFM and SVMlight"),
    (
        "%%MatrixMarket matrix coordinate real general\n% made\n2 20 2\n1 10 4\n2 11 5\n",
        "is a Matrix Market file: remove its header and the line with its size",
    ),
    ("% made\n@RELATION ratings\n@DATA\n1,10,4\n", "is a Weka file (ARFF): save it as CSV."),
    ("-- dump\n\nCREATE TABLE r (u int);\nINSERT INTO r VALUES (1,2,3);\n", "is an SQL script"),
]


@pytest.mark.parametrize(("content", "sentence"), FOREIGN, ids=[named for _, named in FOREIGN])
def test_other_formats_are_named(content, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r", content)


def test_a_zip_archive_with_a_password(tmp_path):
    content = bytearray(archive(r=ROWS))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    assert "'r' is protected by a password: unpack it." in refusal(tmp_path / "r", bytes(content))


def test_a_zip_archive_of_many_files(tmp_path):
    content = archive(**{f"r{number}.csv": "1,2,3\n" for number in range(3000)})
    assert "'r' is an archive of 3000 files" in refusal(tmp_path / "r", content)
