"""The column of each role where columns have no names, by their order.

The order is user, item, rating, timestamp, maybe after an index of the rows. Nothing is guessed
against evidence: what may be a matrix, an index, or timestamps in the place of ratings is refused,
and the sentence says how to choose.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from glocalk.data.formats.evidence import Head
from glocalk.errors import GlocalkError

_PLACES = {"user": 0, "item": 1, "rating": 2, "prediction": 2, "timestamp": 3}


@dataclass(frozen=True)
class Places:
    """Columns without names.

    Attributes:
        path: path of the file.
        width: number of columns.
        first: the first column that is not an index of the rows, as far as the header says.
        rows: the first rows.
        layout: that of the options.
    """

    path: Path
    width: int
    first: int
    rows: Sequence[Sequence[str]]
    layout: str | None

    @property
    def listed(self) -> str:
        """The columns in a sentence."""
        return f"{', '.join(map(str, range(self.width)))} (it has no header)"

    def positions(self, roles: Sequence[str], optional: Collection[str]) -> dict[str, int]:
        """The position of each role's column.

        Args:
            roles: the roles without a chosen column.
            optional: those that are left out if no column has their place.

        Raises:
            GlocalkError: there are too few columns, or they may not be in the usual order.
        """
        head = Head(self.rows)
        self._refuse_empty(head, [role for role in roles if role not in optional])
        first = self.first + self._count_index(head, roles)
        found, lacking = {}, []
        for role in roles:
            position = first + _PLACES[role]
            if position >= self.width:
                if role not in optional:
                    lacking.append(role)
            elif role not in optional or head.holds_times(position):
                found[role] = position
        if lacking:
            raise GlocalkError(f"{lacks(self.path, lacking, self.listed)}.")
        if self.rows and "rating" in found and head.holds_times(found["rating"]):
            raise GlocalkError(
                f"Column {found['rating']} of '{self.path}' looks like timestamps, not "
                f"ratings: choose data.user=…, data.item=… and data.rating=… from its columns "
                f"{self.listed}."
            )
        if self.rows and "rating" in roles and head.holds_likelier_ratings(found["rating"]):
            at = found["rating"]
            raise GlocalkError(
                f"Column {at + 1} of '{self.path}' looks more like ratings than column "
                f"{at}: choose data.rating={at} if this is right, or data.user=…, data.item=… "
                f"and data.rating=… from its columns {self.listed}."
            )
        return found

    def _refuse_empty(self, head: Head, roles: Sequence[str]) -> None:
        """Refuse a few columns with empty ones between them, as two tabs for one make them."""
        columns = range(self.first, len(head.columns))
        filled = [at for at in columns if any(head.columns[at])]
        if not {"user", "item"} <= {*roles} or not len(roles) <= len(filled) <= len(_PLACES):
            return
        taken = filled[: len(roles)]
        empty = sorted({*range(self.first, taken[-1])} - {*taken})
        if empty and not head.holds_times(taken[-1]):
            options = " ".join(f"data.{role}={at}" for role, at in zip(roles, taken, strict=True))
            raise GlocalkError(
                f"Column {empty[0]} of '{self.path}' is empty: choose {options} if "
                "these are the columns."
            )

    def _count_index(self, head: Head, roles: Sequence[str]) -> int:
        """1 if an index of the rows comes before the users, 0 if not.

        Raises:
            GlocalkError: it may or may not, or the columns may be those of a matrix.
        """
        free = {*roles}
        if not self.rows or not {"user", "item"} <= free:
            return 0
        index = 0 if self.first else self._index(head, "rating" in free)
        is_table = self.layout == "table" or "rating" not in free
        if not is_table and head.may_be_matrix(self.first + (index or 0)):
            raise GlocalkError(
                f"'{self.path}' may be a matrix of users and items, because its "
                "columns look alike: read it with data.layout=matrix (and data.missing=0 if 0 "
                "means that there is no rating), or with data.layout=table if it has one row for "
                "each rating."
            )
        if index is None:
            raise GlocalkError(self._maybe_index(3 if "rating" in free else 2))
        return index

    def _index(self, head: Head, has_rating: bool) -> int | None:
        """1 if the first column is an index of the rows, 0 if it holds users, None if either."""
        if not head.may_be_index(0) or head.count < 2:
            return 0
        if not has_rating:
            return 0 if self.width <= 2 or head.holds_ratings(2) else None
        if self.width <= 3:
            counts = head.counts_rows(0) and head.count > 4
            return None if self.width == 3 and counts and not head.holds_ratings(2) else 0
        later = any(head.is_numeric(at) and not head.holds_times(at) for at in range(4, self.width))
        if (not head.is_numeric(3) or head.holds_times(3)) and not later:
            return 0  # no column after the third can hold ratings
        is_index = head.counts_rows(0) and head.repeats(1) and head.holds_ids(2) and head.count > 4
        return 1 if is_index and head.holds_ratings(3) and not head.holds_ratings(2) else None

    def _maybe_index(self, count: int) -> str:
        def options(first: int) -> str:
            roles = ("user", "item", "rating")[:count]
            return " ".join(f"data.{role}={first + place}" for place, role in enumerate(roles))

        return (
            f"Column 0 of '{self.path}' has a different number in each row and may be an "
            f"index: choose {options(1)} if it is, or {options(0)} if it holds the users."
        )


def lacks(path: Path, roles: Sequence[str], listed: str) -> str:
    """Say which roles have no column, and how to choose one of those that are `listed`."""
    missing = " and ".join(f"no {role} column" for role in roles)
    options = " ".join(f"data.{role}=…" for role in roles)
    return f"'{path}' has {missing}: choose {options} from its columns {listed}"
