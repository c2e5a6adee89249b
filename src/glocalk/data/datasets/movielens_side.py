"""Users, items and graphs of MovieLens 100K and 1M.

Users have `age`, `gender`, `occupation` and `zip`; on 1M, the age is the lowest of a group and the
occupation a code. Items have `genres` and `year`; on 100K also `release_year`, and there are graphs
of users and of items.

`year` is that in the title. `release_year` is that of the release date in `u.item`, which differs
for one movie in nine; a copy of `u.item` that was made from the Python package index lacks it.

Sources: the READMEs of both data sets; the graphs of 100K are those of Monti et al., NeurIPS 2017
(`fmonti/mgcnn`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glocalk.data.datasets.monti import read_graph
from glocalk.data.fetch.checksum import Checksum
from glocalk.data.fetch.download import Download
from glocalk.data.fetch.files import FileSet
from glocalk.data.fetch.package_index import PackageIndex
from glocalk.data.ids import Ids
from glocalk.data.side.attributes import Attributes
from glocalk.data.side.graphs import Graph
from glocalk.errors import GlocalkError

_ADDRESS = "https://files.grouplens.org/datasets/movielens"
_LICENSE = "research only, no redistribution"
_RECBOLE = (
    "recbole==1.2.1 --hash=sha256:9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
)
_RECBOLE_FOLDER = "recbole/dataset_example/ml-100k"

# In the order of the flags in `u.item`, as `u.genre` lists them.
GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance"),
    *("Sci-Fi", "Thriller", "War", "Western"),
)
_YEAR = re.compile(r"\((\d{4})\)(?!.*\(\d{4}\))")  # the last one
_FLAGS_FROM = 5  # columns of `u.item` before the flags: id, title, two dates, address


def _rows(content: bytes, separator: str) -> list[list[str]]:
    return [line.split(separator) for line in content.decode("iso-8859-1").splitlines()]


def _title_year(title: str) -> str:
    found = _YEAR.search(title)
    return found[1] if found else ""


def items_sha256(path: Path) -> str:
    """SHA-256 over `item TAB year TAB genre flags NEWLINE`, in file order.

    It is the same for the official `u.item` and for a copy made from the Python package index.
    """
    digest = hashlib.sha256()
    for row in _rows(path.read_bytes(), "|"):
        title = row[1] if len(row) > 1 else ""
        flags = "".join(row[_FLAGS_FROM:])
        digest.update(f"{row[0]}\t{_title_year(title)}\t{flags}\n".encode())
    return digest.hexdigest()


def rebuild_u_user(users: bytes) -> bytes:
    """`u.user`, byte for byte, from RecBole's `ml-100k.user`."""
    _, *lines = users.decode().splitlines()
    return "".join(line.replace("\t", "|") + "\n" for line in lines).encode()


def rebuild_u_item(items: bytes) -> bytes:
    """`u.item` without release dates and addresses, from RecBole's `ml-100k.item`.

    Raises:
        ValueError: a row does not have four columns.
    """
    _, *lines = items.decode().splitlines()
    made = []
    for line in lines:
        number, title, year, genres = line.split("\t")
        # Its reader took the V of `… (1995) (V)`, a video, for the year.
        year = "1995" if (number, year) == ("1412", "V") else year
        full = f"{title} ({year})" if year.isdigit() else "unknown"
        flags = "|".join("1" if genre in _genres_of(genres) else "0" for genre in GENRES)
        made.append(f"{number}|{full}||||{flags}\n")
    return "".join(made).encode("iso-8859-1", "replace")


def _genres_of(words: str) -> set[str]:
    return set(words.split())


def _archived(folder: str, file: str, size: int, archive_limit: int = 20_000_000) -> Download:
    return Download(
        name="GroupLens",
        address=f"{_ADDRESS}/{folder}.zip",
        limit=archive_limit,  # bytes; the archives have 5 and 6 million
        member=f"{folder}/{file}",
        member_limit=size,
    )


ML_100K_USERS = FileSet(
    title="Users of MovieLens 100K",
    folder="ml-100k",
    address=f"{_ADDRESS}/ml-100k.zip",
    files={"u.user": Checksum("f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c")},
    places=(
        _archived("ml-100k", "u.user", 22_628),
        PackageIndex("u.user", _RECBOLE, f"{_RECBOLE_FOLDER}/ml-100k.user", rebuild_u_user),
    ),
    license=_LICENSE,
    is_optional=True,
)
ML_100K_ITEMS = FileSet(
    title="Items of MovieLens 100K",
    folder="ml-100k",
    address=f"{_ADDRESS}/ml-100k.zip",
    files={
        "u.item": Checksum(
            "80d72a6dea88c82bd43713703caab6fac0f020b86b4c94359df813c4f354e4f8", items_sha256
        )
    },
    places=(
        _archived("ml-100k", "u.item", 236_344),
        PackageIndex("u.item", _RECBOLE, f"{_RECBOLE_FOLDER}/ml-100k.item", rebuild_u_item),
    ),
    license=_LICENSE,
    is_optional=True,
)
_GRAPHS_FILE = "split_1.mat"
ML_100K_GRAPHS = FileSet(
    title="Graphs of MovieLens 100K",
    folder="ml-100k",
    address=f"https://github.com/fmonti/mgcnn (Data/movielens/{_GRAPHS_FILE})",
    files={
        _GRAPHS_FILE: Checksum("a8c053a1d697b82c341cb2ad593af2495db7b50f721ae51af5534cc7b217747e")
    },
    places=(
        Download(
            name="fmonti/mgcnn on GitHub",
            address=f"https://raw.githubusercontent.com/fmonti/mgcnn/master/Data/movielens/{_GRAPHS_FILE}",
            limit=100_000_000,
        ),
    ),
    license="none stated, for research",
    is_optional=True,
)
ML_1M_USERS = FileSet(
    title="Users of MovieLens 1M",
    folder="ml-1m",
    address=f"{_ADDRESS}/ml-1m.zip",
    files={
        "users.dat": Checksum("1dc3a95300cb19f7c10e027daf29b8cdf1d908dab65b5edfb45950aa389a10a3")
    },
    places=(_archived("ml-1m", "users.dat", 134_368),),
    license=_LICENSE,
    is_optional=True,
)
ML_1M_ITEMS = FileSet(
    title="Items of MovieLens 1M",
    folder="ml-1m",
    address=f"{_ADDRESS}/ml-1m.zip",
    files={
        "movies.dat": Checksum("0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9")
    },
    places=(_archived("ml-1m", "movies.dat", 171_308),),
    license=_LICENSE,
    is_optional=True,
)


def ml_100k_users(data_dir: Path, ids: Ids) -> Attributes:
    """`age`, `gender` (F or M), `occupation` and `zip` from `u.user`."""
    path = ML_100K_USERS.locate(data_dir, "u.user")
    names = ("id", "age", "gender", "occupation", "zip")
    return _attributes("user", path, "|", names, ids, numbers=("age",))


def ml_100k_items(data_dir: Path, ids: Ids) -> Attributes:
    """`genres`, `year` and, from the official file, `release_year` from `u.item`."""
    path = ML_100K_ITEMS.locate(data_dir, "u.item")
    rows = _rows(path.read_bytes(), "|")
    released = [row[2][-4:] for row in rows]
    frame = pd.DataFrame(
        {
            "id": [int(row[0]) for row in rows],
            "genres": [_flagged(row[_FLAGS_FROM:]) for row in rows],
            "year": _numbers([_title_year(row[1]) for row in rows]),
        }
    )
    if any(released):
        frame["release_year"] = _numbers(released)
    return Attributes.of_ids("item", frame, "id", ids)


def ml_100k_graph(data_dir: Path, name: str) -> Graph:
    """W_users or W_movies: nearest neighbors by features, 0/1 and symmetric."""
    return read_graph(ML_100K_GRAPHS.locate(data_dir, _GRAPHS_FILE), name)


def ml_1m_users(data_dir: Path, ids: Ids) -> Attributes:
    """`age` (the lowest of its group), `gender`, `occupation` (a code) and `zip`."""
    path = ML_1M_USERS.locate(data_dir, "users.dat")
    names = ("id", "gender", "age", "occupation", "zip")
    return _attributes("user", path, "::", names, ids, numbers=("age",))


def ml_1m_items(data_dir: Path, ids: Ids) -> Attributes:
    """`genres` and `year` from `movies.dat`."""
    path = ML_1M_ITEMS.locate(data_dir, "movies.dat")
    rows = _rows(path.read_bytes(), "::")
    frame = pd.DataFrame(
        {
            "id": [int(row[0]) for row in rows],
            "genres": [tuple(row[2].split("|")) for row in rows],
            "year": _numbers([_title_year(row[1]) for row in rows]),
        }
    )
    return Attributes.of_ids("item", frame, "id", ids)


def _attributes(
    kind: Any, path: Path, separator: str, names: Sequence[str], ids: Ids, numbers: Sequence[str]
) -> Attributes:
    rows = _rows(path.read_bytes(), separator)
    if any(len(row) != len(names) for row in rows):
        raise GlocalkError(f"'{path}' is damaged: delete it and download it again.")
    frame = pd.DataFrame(rows, columns=list(names), dtype=object)
    frame["id"] = frame["id"].astype(np.int64)
    for name in numbers:
        frame[name] = _numbers(frame[name])
    return Attributes.of_ids(kind, frame, "id", ids)


def _flagged(flags: Sequence[str]) -> tuple[str, ...]:
    return tuple(genre for genre, flag in zip(GENRES, flags, strict=True) if flag == "1")


def _numbers(texts: Sequence[str] | pd.Series[Any]) -> list[float]:
    return [float(text) if text else np.nan for text in texts]
