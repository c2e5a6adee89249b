"""The rows of MovieLens' files of ratings."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from glocalk.data.rating_matrix import Indices, Values
from glocalk.errors import GlocalkError


def read_rows(path: Path, separator: str) -> tuple[Indices, Indices, Values, Indices | None]:
    """User ids, item ids, ratings and Unix times [n] each, in file order.

    The times are None if a row lacks its own.

    Raises:
        GlocalkError: the file does not consist of rows of three or four whole numbers.
    """
    content = path.read_bytes()
    # pandas would accept 1e3 as a whole number, and take the first columns of too long a row.
    between = separator.encode()
    row = rb"\d{1,18}+(?:" + between + rb"\d{1,18}+){2,3}+(?:\r?\n|\Z)"
    if not re.fullmatch(b"(?:" + row + b")++", content):
        raise GlocalkError(
            f"'{path}' is damaged: it must consist of rows of user, item and rating, separated by "
            f"{separator!r}; delete it and download it again."
        )
    # pandas is fast with separators of one character only. Split at `:`, each `::` contains an
    # empty column.
    is_dated = content.count(between) == 3 * len(content.splitlines())
    fields = 4 if is_dated else 3
    columns = list(range(0, fields * len(separator), len(separator)))
    table = pd.read_csv(
        io.BytesIO(content), sep=separator[0], header=None, usecols=columns, dtype=np.int64
    )
    users, items, ratings, *seconds = (table[column].to_numpy() for column in columns)
    return users, items, ratings.astype(np.float64), seconds[0] if seconds else None
