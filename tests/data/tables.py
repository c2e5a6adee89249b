"""Tables of ratings in files, and what is read from them."""

from pathlib import Path

import pytest

from glocalk.data.datasets.table import RatingTable
from glocalk.errors import GlocalkError

ROWS = [
    ("ann", "x1", 5),
    ("bob", "x1", 3),
    ("cid", "x2", 4),
    ("ann", "x2", 1),
    ("bob", "x3", 2),
    ("cid", "x3", 5),
]
HEADER = "user,item,rating\n"
INPUTS = Path(__file__).parents[1] / "inputs"


def split(path, content=None, **options):
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return RatingTable(RatingTable.Config.check({"path": str(path), **options}, "data")).split(
        path.parent / "not there"
    )


def by_ids(ratings, ids):
    """{(user id, item id): rating} of a rating matrix."""
    pairs = zip(ids.users[ratings.users].tolist(), ids.items[ratings.items].tolist(), strict=True)
    return dict(zip(pairs, ratings.ratings.tolist(), strict=True))


def everything(made):
    return by_ids(made.train, made.ids) | by_ids(made.test, made.ids)


def refusal(path, content=None, **options):
    """The sentence; the path in it is replaced by its name."""
    with pytest.raises(GlocalkError) as error:
        split(path, content, **options)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence.replace(f"{path.parent}/", "")


def lines(separator, ending="\n", rows=ROWS):
    return "".join(separator.join(map(str, row)) + ending for row in rows)


EXPECTED = {(user, item): rating for user, item, rating in ROWS}
