"""The side information of a data set, under the indices of its ratings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, TypeAlias

import pandas as pd

from glocalk.data.ids import Ids
from glocalk.data.labels import Kind
from glocalk.data.side.attributes import Attributes
from glocalk.data.side.dates import RatingDates
from glocalk.data.side.graphs import Graph, as_graph, from_edge_table, graph_checksum
from glocalk.errors import GlocalkError

Need: TypeAlias = Literal[
    "user attributes", "item attributes", "user graph", "item graph", "rating dates"
]
"""What a completer may need beside the ratings."""


class SideInformation:
    """What is known of users and items beside the ratings.

    Nothing here depends on a rating: attributes and graphs are as the files have them, and the
    date of a pair is known without its rating. A part is read when it is first asked for.

    Args:
        parts: by name, each part or a function that reads it: `Attributes`, `RatingDates`, or an
            [n, n] matrix of the weights of edges, not necessarily symmetric.

    Raises:
        GlocalkError: a graph is not square, or a weight is not between 0 and 1e18.

    Example:
        >>> from glocalk.data.side import Attributes, SideInformation
        >>> side = SideInformation({"user attributes": Attributes("user", {"age": [24, 53]})})
        >>> side.attributes("user").column("age").tolist()
        [24.0, 53.0]
    """

    def __init__(self, parts: Mapping[Need, Any | Callable[[], Any]] | None = None) -> None:
        self._readers: dict[Need, Callable[[], Any]] = {}
        self._parts: dict[Need, Any] = {}
        for name, part in (parts or {}).items():
            if callable(part):
                self._readers[name] = part
            else:
                self._parts[name] = _checked(name, part)

    @classmethod
    def from_frames(
        cls,
        ids: Ids,
        *,
        users: pd.DataFrame | None = None,
        items: pd.DataFrame | None = None,
        user_edges: pd.DataFrame | None = None,
        item_edges: pd.DataFrame | None = None,
    ) -> SideInformation:
        """From tables of users and items, and lists of edges between them.

        Args:
            ids: ids of the ratings, as in `ratings.ids`.
            users: a column `user` with ids, and a column for each attribute: numbers, texts, or
                lists of texts. Rows of other users are left out; users without a row have unknown
                attributes.
            items: the same with a column `item`.
            user_edges: the ids of both ends in the first two columns, and weights if there is a
                third. The graph is undirected; edges of other users are left out.
            item_edges: the same between items.

        Raises:
            GlocalkError: an argument has another type, a column is missing, an id occurs twice, or
                none is one of the ratings.

        Example:
            >>> import glocalk, pandas as pd
            >>> ratings = glocalk.Ratings.from_arrays(["ann", "bob"], [7, 9], [4, 5])
            >>> friends = pd.DataFrame({"one": ["ann"], "other": ["bob"]})
            >>> side = glocalk.SideInformation.from_frames(ratings.ids, user_edges=friends)
            >>> side.graph("user").toarray().tolist()
            [[0.0, 1.0], [1.0, 0.0]]
        """
        if not isinstance(ids, Ids):
            raise GlocalkError(
                f"Side information needs the ids of the ratings, `ratings.ids`, not "
                f"{type(ids).__name__}."
            )
        tables = {"users": users, "items": items, "user_edges": user_edges}
        for name, table in {**tables, "item_edges": item_edges}.items():
            if not (table is None or isinstance(table, pd.DataFrame)):
                raise GlocalkError(
                    f"`{name}` must be a pandas DataFrame, not {type(table).__name__}."
                )
        parts: dict[Need, Any] = {}
        if users is not None:
            parts["user attributes"] = Attributes.of_ids("user", users, "user", ids)
        if items is not None:
            parts["item attributes"] = Attributes.of_ids("item", items, "item", ids)
        if user_edges is not None:
            parts["user graph"] = from_edge_table("user", user_edges, ids)
        if item_edges is not None:
            parts["item graph"] = from_edge_table("item", item_edges, ids)
        return cls(parts)

    @property
    def names(self) -> tuple[Need, ...]:
        """Names of the parts that there are."""
        return tuple(name for name in _NAMES if name in self._parts or name in self._readers)

    def attributes(self, kind: Kind) -> Attributes:
        """Those of users or of items.

        Raises:
            GlocalkError: there are none, or their file cannot be read.
        """
        part: Attributes = self._part("user attributes" if kind == "user" else "item attributes")
        return part

    def graph(self, kind: Kind) -> Graph:
        """That of users or of items: [n, n] weight of the edge from row to column.

        Raises:
            GlocalkError: there is none, or its file cannot be read.
        """
        return self._part("user graph" if kind == "user" else "item graph")

    @property
    def dates(self) -> RatingDates:
        """When each pair was rated.

        Raises:
            GlocalkError: there are no dates, or their file cannot be read.
        """
        part: RatingDates = self._part("rating dates")
        return part

    def lacking(
        self, needs: Collection[Need], attributes: Collection[tuple[Kind, str]]
    ) -> list[str]:
        """In words, what is not there of what a completer needs.

        Args:
            needs: the parts that it needs.
            attributes: kind and name of the attributes that it needs.

        Raises:
            GlocalkError: a table of attributes cannot be read.
        """
        parts: list[str] = [need for need in sorted(needs) if need not in self.names]
        for kind, name in attributes:
            if f"{kind} attributes" in self.names and name not in self.attributes(kind).columns:
                parts.append(f"{kind} attribute '{name}'")
        return parts

    def check(self, needs: Collection[Need], shape: tuple[int, int], who: str) -> None:
        """Read what a completer needs; refuse to go on without it.

        Args:
            needs: the parts that it needs.
            shape: (users, items) of the training matrix.
            who: the completer, for the error sentence.

        Raises:
            MissingDataError: a file does not exist and could not be downloaded.
            GlocalkError: a part is missing, cannot be read, or is that of another matrix.
        """
        if lacking := [need for need in needs if need not in self.names]:
            raise GlocalkError(
                f"{who} needs {_and(lacking)} beside the ratings, and there "
                f"{'are' if len(self.names) > 1 else 'is'} {_and(self.names) or 'nothing'}: choose "
                "another data set, or add them to this one, see docs/side_information.md."
            )
        for need in needs:
            sizes = _sizes(need, self._part(need))
            for size, expected, of in zip(sizes, shape, ("users", "items"), strict=True):
                if size not in (None, expected):
                    raise GlocalkError(
                        f"The {need} are of {size} {of}, and the training ratings of {expected}: "
                        "create both from the same data."
                    )

    def checksum(self, needs: Iterable[Need]) -> str:
        """SHA-256 over some of the parts."""
        digest = hashlib.sha256()
        for name in sorted(needs):
            part = self._part(name)
            known = isinstance(part, (Attributes, RatingDates))
            digest.update(f"{name} {part.checksum if known else graph_checksum(part)}\n".encode())
        return digest.hexdigest()

    def _part(self, name: Need) -> Any:
        if name not in self.names:
            raise GlocalkError(f"This data set has no {name}.")
        if name not in self._parts:
            self._parts[name] = _checked(name, self._readers[name]())
        return self._parts[name]


_NAMES: tuple[Need, ...] = (
    *("user attributes", "item attributes", "user graph", "item graph", "rating dates"),
)
_KINDS: dict[Need, type] = {
    "user attributes": Attributes,
    "item attributes": Attributes,
    "rating dates": RatingDates,
}


def _checked(name: Need, part: Any) -> Any:
    if name not in _NAMES:
        raise GlocalkError(f"Side information has no part '{name}': choose from {_and(_NAMES)}.")
    kind = _KINDS.get(name)
    if kind is None:
        return as_graph(part, name)
    if not isinstance(part, kind):
        raise GlocalkError(f"The {name} must be {kind.__name__}, not {type(part).__name__}.")
    return part


def _sizes(name: Need, part: Any) -> tuple[int | None, int | None]:
    """Number of users and of items that a part is of; None where it does not tell."""
    if isinstance(part, RatingDates):
        return None, part.num_items
    size = len(part) if isinstance(part, Attributes) else part.shape[0]
    return (size, None) if name.startswith("user") else (None, size)


def _and(names: Collection[str]) -> str:
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last
