"""User-supplied side information: tables of attributes and lists of edges, in files.

Text with a header, separated by commas, tabs, semicolons or `::`; or parquet. The first column has
the ids of users or items, written as in the ratings.
"""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glocalk.data.ids import Ids, refuse_other_writing
from glocalk.data.labels import Kind, Labels
from glocalk.data.rating_matrix import Indices
from glocalk.data.side.attributes import Attributes
from glocalk.data.side.graphs import Graph, from_edge_table
from glocalk.errors import GlocalkError, MissingDataError, one_line, shown

_log = logging.getLogger(__name__)

_SEPARATORS = ("\t", "::", ";", ",")
_SEVERAL = "|"
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)?(\.\d+)?([eE][+-]?\d+)?")  # not 01234, which is a code
_UNKNOWN = {"na", "n/a", "nan", "none", "null"}  # in a column of numbers
_WORDS = {"number": "number", "text": "text", "several": f"texts separated by {_SEVERAL}"}


def read_attributes(path: Path, kind: Kind, ids: Ids) -> Attributes:
    """Attributes of users or of items from a table with a row for each.

    A column is of numbers if all of its cells are; of several texts if one has a `|`; else of text.
    An empty cell is unknown, and in a column of numbers also `NA`, `N/A`, `NaN`, `None` and `null`.
    A column without a known value is left out. Logs what was taken.

    Args:
        path: the file.
        kind: `user` or `item`.
        ids: the ids of the ratings. Rows of others are left out, and those without a row have
            unknown attributes.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it cannot be read, has no header or no attribute, an id twice, or none of the
            ratings.
    """
    frame = _read(path)
    _refuse_without_header(frame, 1, kind, ids, path)
    if frame.shape[1] < 2:
        raise GlocalkError(
            f"'{path}' has one column: it needs ids in the first one, and attributes in others."
        )
    column = str(frame.columns[0])
    _refuse_unknown(frame[column].to_numpy(), kind, ids, path)
    typed = {str(name): _typed(frame[name]) for name in frame.columns[1:]}
    given = {name: values for name, values in typed.items() if values.notna().any()}
    if not given:
        raise GlocalkError(f"'{path}' has ids, but no attribute with a value.")
    table = pd.DataFrame({column: frame[column], **given})
    try:
        made = Attributes.of_ids(kind, table, column, ids)
    except GlocalkError as error:
        raise GlocalkError(f"'{path}' cannot be taken: {error}") from error
    taken = ", ".join(f"{shown(name)} ({_WORDS[made.form(name)]})" for name in made.columns)
    if empty := [shown(name) for name in typed if name not in given]:
        taken += f"; without a value, left out: {', '.join(empty)}"
    known = int((_find(kind, ids, frame[column].to_numpy()) >= 0).sum())
    size = len(made)
    _log.info(
        "%s: id ← %s; %s; %s of %s %ss have a row.",
        *(shown(path.name), shown(column), taken, f"{known:,}", f"{size:,}", kind),
    )
    return made


def read_edges(path: Path, kind: Kind, ids: Ids) -> Graph:
    """The undirected graph of a list of edges.

    The first two columns have the ids of the ends, a third one, if there is any, the weight. Edges
    of ids that the ratings lack are left out. Logs how many were taken.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it cannot be read, has no header, or as `from_edge_table` does.
    """
    frame = _read(path)
    _refuse_without_header(frame, 2, kind, ids, path)
    try:
        graph = from_edge_table(kind, frame, ids)
    except GlocalkError as error:
        raise GlocalkError(f"'{path}' is no list of edges: {error}") from error
    _log.info(
        "%s: %s, %s between %ss of the ratings (from %s).",
        *(shown(path.name), _counted(len(frame), "row")),
        *(_counted((graph.nnz + _loops(graph)) // 2, "edge"), kind),
        " and ".join(map(shown, frame.columns[:2])),
    )
    return graph


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _loops(graph: Graph) -> int:
    return int((graph.diagonal() > 0).sum())


def _read(path: Path) -> pd.DataFrame:
    """The cells of a file as texts, missing ones empty."""
    if not path.is_file():
        raise MissingDataError(f"There is no file '{path}': check the path.")
    try:
        content = path.read_bytes()
        if content.startswith(b"PAR1"):
            frame = pd.read_parquet(io.BytesIO(content))
        else:
            text = content.decode("utf-8-sig")
            header = text.split("\n", 1)[0]
            separator = next((each for each in _SEPARATORS if each in header), ",")
            rows = pd.read_csv(
                io.StringIO(text),
                header=None,  # else the first column is no column where rows have more cells
                sep=separator,
                engine="c" if len(separator) == 1 else "python",
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
            )
            frame = rows[1:].set_axis(rows.iloc[0], axis=1).reset_index(drop=True).fillna("")
    except ImportError as error:
        raise GlocalkError(f"'{path}' is parquet: pip install 'glocalk[parquet]'.") from error
    except UnicodeDecodeError as error:
        raise GlocalkError(f"'{path}' is not UTF-8: save it as UTF-8.") from error
    except (OSError, ValueError) as error:  # pandas raises a dozen kinds of ValueError
        raise GlocalkError(f"'{path}' cannot be read as a table: {one_line(error)}.") from error
    if not len(frame):
        raise GlocalkError(f"'{path}' has no rows.")
    if frame.columns.has_duplicates:
        raise GlocalkError(f"'{path}' has two columns with the same name: rename one.")
    return frame


def _typed(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of texts as numbers, as lists of texts, or as it is; other columns as they are."""
    if not all(isinstance(value, str) for value in column):
        return column
    texts = [value.strip() for value in column]
    given = [text for text in texts if text]
    numbers = [text for text in given if text.lower() not in _UNKNOWN]
    if numbers and all(_is_number(text) for text in numbers):
        return pd.Series([float(text) if _is_number(text) else np.nan for text in texts])
    if any(_SEVERAL in text for text in given):
        return pd.Series([text.split(_SEVERAL) if text else [] for text in texts], dtype=object)
    return pd.Series([text or None for text in texts], dtype=object)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and any(digit.isdigit() for digit in text)


def _find(kind: Kind, ids: Ids, labels: Labels) -> Indices:
    return ids.find_users(labels) if kind == "user" else ids.find_items(labels)


def _refuse_without_header(
    frame: pd.DataFrame, columns: int, kind: Kind, ids: Ids, path: Path
) -> None:
    """Refuse a file whose first row has ids in its first columns: it would be lost."""
    names = np.array([str(name).strip() for name in frame.columns[:columns]], dtype=object)
    if all(names) and (_find(kind, ids, names) >= 0).all():
        raise GlocalkError(
            f"'{path}' has no header, because '{shown(names[0])}' is one of the {kind}s: add a row "
            "with the names of the columns."
        )


def _refuse_unknown(labels: Labels, kind: Kind, ids: Ids, path: Path) -> None:
    known = ids.users if kind == "user" else ids.items
    refuse_other_writing(known, labels, kind, "the ratings", f" in '{path}'")
    if not (_find(kind, ids, labels) >= 0).any():
        raise GlocalkError(
            f"No {kind} of the ratings is in '{path}' ('{shown(labels[0])}', not "
            f"'{shown(known[0])}'): the first column must have their ids."
        )
