"""The side information of a data set, under the indices of its ratings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from glocalk.data.labels import Kind
from glocalk.data.side.attributes import Attributes
from glocalk.data.side.dates import RatingDates
from glocalk.data.side.graphs import Graph, as_graph, graph_checksum
from glocalk.errors import GlocalkError

Need: TypeAlias = Literal[
    "user attributes", "item attributes", "user graph", "item graph", "rating dates"
]
"""What a completer may need beside the ratings."""

_FIELDS: dict[Need, str] = {
    "user attributes": "users",
    "item attributes": "items",
    "user graph": "user_graph",
    "item graph": "item_graph",
    "rating dates": "dates",
}


@dataclass(frozen=True, eq=False)
class SideInformation:
    """What is known of users and items beside the ratings; each part may be missing.

    Nothing here depends on a rating: attributes and graphs are as the files have them, and the
    date of a pair is known without its rating.

    Attributes:
        users: attributes of each user index.
        items: attributes of each item index.
        user_graph: [users, users] weight of each edge; not necessarily symmetric.
        item_graph: [items, items] weight of each edge.
        dates: when each pair was rated.

    Raises:
        GlocalkError: a graph is not square, or a weight is negative or not finite.
    """

    users: Attributes | None = None
    items: Attributes | None = None
    user_graph: Graph | None = None
    item_graph: Graph | None = None
    dates: RatingDates | None = None

    def __post_init__(self) -> None:
        for field in ("user_graph", "item_graph"):
            graph = getattr(self, field)
            if graph is not None:
                object.__setattr__(self, field, as_graph(graph, field.replace("_", " ")))

    @classmethod
    def of(cls, parts: Mapping[Need, Any]) -> SideInformation:
        """From its parts by name; one that is None is missing."""
        return cls(**{_FIELDS[name]: part for name, part in parts.items()})

    @property
    def parts(self) -> dict[Need, Any]:
        """The parts that there are, by name."""
        named = {name: getattr(self, field) for name, field in _FIELDS.items()}
        return {name: part for name, part in named.items() if part is not None}

    def check(self, needs: Iterable[Need], shape: tuple[int, int], who: str) -> None:
        """Refuse to go on without what a completer needs.

        Args:
            needs: the parts that it needs.
            shape: (users, items) of the training matrix.
            who: the completer, for the error sentence.

        Raises:
            GlocalkError: a part is missing, or is that of another matrix.
        """
        lacking = [need for need in needs if need not in self.parts]
        if lacking:
            has = " and ".join(self.parts) or "nothing"
            raise GlocalkError(
                f"{who} needs {' and '.join(lacking)} beside the ratings, and is given {has}: "
                "choose another data set, or add it to this one (docs/side_information.md)."
            )
        for need in set(needs) - {"rating dates"}:
            part = self.parts[need]
            side = 0 if need.startswith("user") else 1
            size = len(part) if isinstance(part, Attributes) else part.shape[0]
            if size != shape[side]:
                raise GlocalkError(
                    f"The {need} are of {size} {('users', 'items')[side]}, and the "
                    f"training ratings of {shape[side]}: create both from the same data."
                )

    def attributes(self, kind: Kind) -> Attributes:
        """Those of users or of items.

        Raises:
            GlocalkError: there are none.
        """
        found = self.users if kind == "user" else self.items
        if found is None:
            raise GlocalkError(f"The {kind}s of this data set have no attributes.")
        return found

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over all parts."""
        digest = hashlib.sha256()
        for name, part in self.parts.items():
            known = isinstance(part, (Attributes, RatingDates))
            digest.update(f"{name} {part.checksum if known else graph_checksum(part)}\n".encode())
        return digest.hexdigest()
