"""Damaged files of every reader: correct ratings or one sentence, never another error or a hang.

What is correct is found by plain loops, which share nothing with the readers.
"""

import bz2
import contextlib
import gzip
import io
import itertools
import lzma
import re
import signal
import zipfile
from collections import Counter

import h5py
import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.matlab import write_full, write_mat, write_sparse
from glocalk.data.datasets import movielens, movielens_rows
from glocalk.data.datasets.monti import read_monti
from glocalk.data.datasets.movielens import MovieLens1M
from glocalk.data.datasets.table import RatingTable
from glocalk.data.fetch.checksum import Checksum
from glocalk.data.fetch.files import FileSet
from glocalk.errors import GlocalkError

pytestmark = pytest.mark.slow

INPUTS = 1500
LIMIT = 20  # seconds for a file of a few rows


@st.composite
def damage(draw, whole):
    """The file with one to four bytes or runs of bytes changed, removed, repeated or inserted."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        size = draw(st.integers(1, 12))
        kind = draw(st.sampled_from(["byte", "bit", "text", "cut", "double", "end", "swap"]))
        if kind == "byte":
            content[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "bit" and at < len(content):
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "text":
            content[at:at] = draw(st.sampled_from(TEXTS))
        elif kind == "cut":
            del content[at : at + size]
        elif kind == "double":
            content[at:at] = content[at : at + size]
        elif kind == "end":
            del content[at:]
        elif kind == "swap":
            content[at : at + size] = content[at : at + size][::-1]
    return bytes(content)


TEXTS = [
    *(b"\n", b"\r", b"\r\n", b"\t", b",", b";", b"::", b":", b'"', b" ", b"\0", b"-", b".", b"0"),
    *(b"nan", b"inf", b"1e999", b"99999999999999999999", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1f"),
    *("é".encode(), "٣".encode(), "\u2028".encode(), b"user", b"\x85", b"\x1a"),
]


class Tally:
    """Feeds damaged inputs to a reader, and counts the results."""

    def __init__(self, name):
        self.name, self.counts = name, Counter()

    def read(self, reader):
        """What the reader returns; None if it raises an error of one sentence."""

        def too_long(*_):
            raise AssertionError(f"{self.name} hangs")

        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(LIMIT)
        try:
            made = reader()
        except GlocalkError as error:
            sentence = str(error)
            assert len(sentence.splitlines()) == 1, sentence
            assert sentence.endswith((".", "…")), sentence
            self.counts["refused"] += 1
            return None
        finally:
            signal.alarm(0)
        self.counts["read"] += 1
        return made


@contextlib.contextmanager
def tally(name, capsys):
    counted = Tally(name)
    yield counted
    total = counted.counts.total()
    with capsys.disabled():
        print(f"\n{name}: {total} damaged inputs, {dict(counted.counts)}")
    assert total >= 1000
    assert counted.counts["refused"] > 100  # otherwise nothing was damaged


def many(test):
    suppressed = list(HealthCheck)
    return settings(
        max_examples=INPUTS, deadline=None, database=None, suppress_health_check=suppressed
    )(test)


def labeled(split):
    """[(user id, item id, rating)] as text, in order."""
    rows = []
    for part in (split.train, split.test):
        users, items = split.ids.users[part.users], split.ids.items[part.items]
        rows += zip(map(str, users), map(str, items), part.ratings.tolist(), strict=True)
    return sorted(rows)


ROWS = [(3, 70, 5), (12, 8, 1), (3, 8, 2.5), (40, 70, 4), (12, 900, 3)]


@pytest.mark.parametrize(
    ("separator", "header"), [(",", "user,item,rating\n"), ("\t", ""), ("::", ""), (";", "")]
)
def test_csv(separator, header, tmp_path, capsys):
    whole = header + "".join(separator.join(map(str, row)) + "\n" for row in ROWS)
    path = tmp_path / "r.csv"
    reader = RatingTable(RatingTable.Config(path=path))

    with tally(f"csv {separator!r}", capsys) as counted:

        @many
        @given(damage(whole.encode()))
        def feed(content):
            path.write_bytes(content)
            made = counted.read(lambda: reader.split(tmp_path))
            if made is None:
                return
            # Damage may result in another well-formed table: then that one must be read.
            expected = plain_rows(content, separator)
            if expected is not None:
                assert labeled(made) == expected

        feed()


def plain_rows(content, separator):
    """[(user, item, rating)] of a file in the format that was written; None if it has another."""
    text = content.decode("utf-8-sig")
    if '"' in text or separator not in text:
        return None
    rows = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # Comments at the top are no rows.
    for line in itertools.dropwhile(lambda line: line.strip()[:1] in ("", "#", "%"), lines):
        cells = [cell.strip() for cell in line.split(separator)]
        if any(cells):
            rows.append(cells)
    if any(len(row) != 3 for row in rows):
        return None
    if not any(character.isdigit() for character in "".join(rows[0])):
        del rows[0]
    try:
        return sorted((same_id(user), same_id(item), float(rating)) for user, item, rating in rows)
    except ValueError:
        return None


def same_id(cell):
    """`12.0` is the id `12`."""
    whole = re.fullmatch(r"(0|-?[1-9][0-9]{0,14})\.0", cell)
    return cell[:-2] if whole else cell


@pytest.mark.parametrize("how", ["gz", "bz2", "xz", "zip"])
def test_compressed_csv(how, tmp_path, capsys):
    text = "".join(",".join(map(str, row)) + "\n" for row in ROWS).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("r.csv", text)
    whole = {
        "gz": gzip.compress(text),
        "bz2": bz2.compress(text),
        "xz": lzma.compress(text),
        "zip": archive.getvalue(),
    }[how]
    path = tmp_path / "r"
    reader = RatingTable(RatingTable.Config(path=path))
    expected = sorted((str(user), str(item), float(rating)) for user, item, rating in ROWS)
    with tally(f"csv in {how}", capsys) as counted:

        @many
        @given(damage(whole))
        def feed(content):
            path.write_bytes(content)
            made = counted.read(lambda: reader.split(tmp_path))
            if made is not None:
                assert labeled(made) == expected  # the format's own checksum finds other damage

        feed()


@pytest.mark.parametrize("separator", ["\t", "::"])
def test_movielens_rows(separator, tmp_path, capsys):
    rows = [(196, 242, 3, 881250949), (186, 302, 3, 891717742), (22, 377, 1, 878887116)]
    whole = "".join(separator.join(map(str, row)) + "\n" for row in rows).encode()
    path = tmp_path / "rows"
    with tally(f"MovieLens rows with {separator!r}", capsys) as counted:

        @many
        @given(damage(whole))
        def feed(content):
            path.write_bytes(content)
            made = counted.read(lambda: movielens_rows.read_rows(path, separator))
            if made is not None:
                lines = content.decode("ascii").splitlines()
                cells = [[int(cell) for cell in line.split(separator)] for line in lines]
                assert {len(row) for row in cells} <= {3, 4}
                rows = [[row[0], row[1], float(row[2])] for row in cells]
                *triples, times = made
                assert [list(row) for row in zip(*triples, strict=True)] == rows
                assert (times is None) == any(len(row) == 3 for row in cells)
                assert times is None or times.tolist() == [row[3] for row in cells]

        feed()


def test_ml_1m(tmp_path, monkeypatch, capsys):
    # The checksum of the official file would reject all others: here every file passes.
    files = {"ratings.dat": Checksum("", lambda _: "")}
    monkeypatch.setattr(movielens, "ML_1M", FileSet("Made up", "ml-1m", "nowhere", files))
    whole = "".join(f"{u}::{i}::{r}::97830{u}\n" for u in range(1, 9) for i, r in ((7, 5), (70, 2)))
    path = tmp_path / "ml-1m" / "ratings.dat"
    path.parent.mkdir()
    with tally("ml-1m", capsys) as counted:

        @many
        @given(damage(whole.encode()))
        def feed(content):
            path.write_bytes(content)
            made = counted.read(lambda: MovieLens1M(MovieLens1M.Config()).split(tmp_path))
            if made is not None:
                rows = [line.split("::") for line in content.decode("ascii").splitlines()]
                assert labeled(made) == sorted(
                    (str(int(user)), str(int(item)), float(rating))
                    for user, item, rating, *_ in rows
                )

        feed()


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
def test_monti(write_matrix, tmp_path, capsys):
    matrix = np.array([[5, 0, 0.5], [1, 2, 0], [0, 4, 0], [3.5, 0, 1]])
    test = np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    path = tmp_path / "a.mat"
    matrices = {"M": matrix, "Otraining": (matrix > 0) - test, "Otest": test, "W_users": np.eye(4)}
    whole = write_mat(path, matrices, write_matrix).read_bytes()
    kinds = Counter()

    with tally(f"monti {write_matrix.__name__}", capsys) as counted:

        @many
        @given(damage(whole))
        def feed(content):
            path.write_bytes(content)
            made = counted.read(lambda: read_monti(path, (0.5, 5)))
            if made is None:
                return
            # HDF5 does not protect values. Damage may change ratings, but they must be those that
            # a plain look into the file finds.
            kinds["checked"] += 1
            assert looked_up(path, "Otraining") == entries(made.train)
            assert looked_up(path, "Otest") == entries(made.test)

        feed()
    assert kinds["checked"] > 10


def entries(part):
    return dict(
        zip(zip(part.users.tolist(), part.items.tolist(), strict=True), part.ratings, strict=True)
    )


def looked_up(path, mask):
    """{(user, item): rating} where the mask is not 0, by loops over what HDF5 returns."""
    with h5py.File(path) as file:
        rated, marked = (turned(file[name]) for name in ("M", mask))
    users, items = rated.shape
    return {
        (user, item): rated[user, item]
        for user in range(users)
        for item in range(items)
        if marked[user, item] != 0
    }


def turned(stored):
    if isinstance(stored, h5py.Dataset):
        return np.array(stored[()]).T
    full = scipy.sparse.csc_array(
        (stored["data"][()], stored["ir"][()].astype(int), stored["jc"][()].astype(int)),
        (int(stored.attrs["MATLAB_sparse"]), len(stored["jc"]) - 1),
    )
    return full.toarray()
