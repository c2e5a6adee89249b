"""The names of a table's columns, and the column of each role.

A role's column is the chosen one, or else the one with a usual name (see
`glocalk.data.formats.roles`). Only where columns have no names, their order counts: user, item,
rating, timestamp, maybe after an index of the rows. Nothing is guessed against evidence: what may
be a matrix, an index, or timestamps in the place of ratings is refused, and the sentence says how
to choose.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glocalk.data.formats.cells import is_missing, to_number
from glocalk.data.formats.evidence import Head
from glocalk.data.formats.options import Choice, ReadOptions
from glocalk.data.formats.roles import named_roles, plain, usual
from glocalk.data.labels import is_whole
from glocalk.errors import GlocalkError, shown

_PLACES = {"user": 0, "item": 1, "rating": 2, "prediction": 2, "timestamp": 3}
_CERTAIN = 6  # columns from which 0, 1, 2, … are names and no ratings


@dataclass(frozen=True)
class Header:
    """The names of a file's columns.

    Attributes:
        path: path of the file.
        names: the names; None if the columns have none.
        width: number of columns.
        in_row: whether the first row is a header. It may be one without names: pandas numbers the
            columns of a frame that has none.
        first: the first column that is not an index of the rows.
        rows: the first rows under the header.
        layout: that of the options.
    """

    path: Path
    names: Sequence[str] | None
    width: int
    in_row: bool = False
    first: int = 0
    rows: Sequence[Sequence[str]] = field(default=(), repr=False)
    layout: str | None = None

    @classmethod
    def of(
        cls,
        path: Path,
        rows: Sequence[Sequence[str]],
        choices: Mapping[str, Choice],
        options: ReadOptions,
    ) -> Header:
        """Parse the header from the first row, if there is one.

        Args:
            path: path of the file.
            rows: the first rows, at least one.
            choices: the chosen column by role.
            options: `header` says whether there is one.

        Raises:
            GlocalkError: the first row may be a header or not.
        """
        cells = [cell.strip() for cell in rows[0]]
        under = [[cell.strip() for cell in row] for row in rows[1:] if len(row) == len(cells)]
        chosen = {choice for choice in choices.values() if isinstance(choice, str)}
        is_header = options.header
        numbers_only = _is_counted(cells) and not chosen & {*cells}
        if is_header is None:
            if numbers_only:
                is_header = _is_numbered(path, cells, under)
            else:
                is_header = bool(chosen & {*cells}) or is_named(cells, under)
        if not is_header:
            return cls(path, None, len(cells), rows=[cells, *under], layout=options.layout)
        if numbers_only:
            first = 0 if cells[0] else 1
            return cls(path, None, len(cells), True, first, under, options.layout)
        return cls(path, cells, len(cells), True, 0, under, options.layout)

    def positions(
        self, choices: Mapping[str, Choice], optional: Collection[str] = ()
    ) -> dict[str, int]:
        """The position of each role's column.

        Args:
            choices: the chosen column by role.
            optional: roles that are left out if nothing is chosen and no column has their name.

        Raises:
            GlocalkError: a column is missing or ambiguous, or has two roles; or the columns have no
                names, and may not be in the usual order.
        """
        found = {
            role: self._chosen(role, choice)
            for role, choice in choices.items()
            if choice is not None
        }
        free = [role for role in choices if role not in found]
        if self.names is None:
            found |= self._by_place(free, optional)
        else:
            found |= self._by_name(self.names, free, optional, {*found.values()})
        roles, positions = list(found), list(found.values())
        for second, position in enumerate(positions):
            if (first := positions.index(position)) < second:
                raise GlocalkError(
                    f"The {roles[first]} and the {roles[second]} column of "
                    f"'{self.path}' would be the same: choose data.{roles[first]} and "
                    f"data.{roles[second]} from its columns {self._listed}."
                )
        return {role: found[role] for role in choices if role in found}

    def taken(self, positions: Mapping[str, int]) -> dict[str, str]:
        """The column of each role as a user would call it."""
        return {
            role: f"column {position}" if self.names is None else self.names[position]
            for role, position in positions.items()
        }

    def others(self, positions: Mapping[str, int]) -> tuple[str, ...]:
        """The names of the columns that no role takes; none if columns have no names."""
        free = set(range(self.width)) - {*positions.values()}
        return tuple(self.names[at] for at in sorted(free)) if self.names is not None else ()

    def _chosen(self, role: str, choice: int | str) -> int:
        if isinstance(choice, int):
            at = [choice] if 0 <= choice < self.width else []
        else:
            at = [position for position, name in enumerate(self.names or ()) if name == choice]
        if len(at) == 1:
            return at[0]
        raise GlocalkError(
            f"'{self.path}' has {'more than one' if at else 'no'} column "
            f"'{shown(choice)}': choose data.{role}=… from its columns {self._listed}."
        )

    def _by_name(
        self, names: Sequence[str], roles: Sequence[str], optional: Collection[str], taken: set[int]
    ) -> dict[str, int]:
        found, lacking = {}, []
        free = ["" if position in taken else name for position, name in enumerate(names)]
        for role in roles:
            at = usual(role, free)
            if len(at) > 1:
                listed = ", ".join(shown(names[position]) for position in at)
                raise GlocalkError(
                    f"'{self.path}' has more than one {role} column ({listed}): choose "
                    f"data.{role}=… from its columns {self._listed}."
                )
            if at:
                found[role] = at[0]
            elif role not in optional:
                lacking.append(role)
        if lacking:
            head = Head(self.rows)
            is_wide = {"item", "rating"} <= {*lacking} and self.rows and self.width > 2
            matrix = is_wide and all(map(head.is_numeric, range(1, self.width)))
            raise GlocalkError(f"{self._lacks(lacking)}{_OR_MATRIX if matrix else ''}.")
        return found

    def _by_place(self, roles: Sequence[str], optional: Collection[str]) -> dict[str, int]:
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
            raise GlocalkError(f"{self._lacks(lacking)}.")
        if self.rows and "rating" in found and head.holds_times(found["rating"]):
            raise GlocalkError(
                f"Column {found['rating']} of '{self.path}' looks like timestamps, not "
                f"ratings: choose data.user=…, data.item=… and data.rating=… from its columns "
                f"{self._listed}."
            )
        if self.rows and "rating" in roles and head.holds_likelier_ratings(found["rating"]):
            at = found["rating"]
            raise GlocalkError(
                f"Column {at + 1} of '{self.path}' looks more like ratings than column "
                f"{at}: choose data.rating={at} if this is right, or data.user=…, data.item=… "
                f"and data.rating=… from its columns {self._listed}."
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

    def _lacks(self, roles: Sequence[str]) -> str:
        listed = " and ".join(f"no {role} column" for role in roles)
        options = " ".join(f"data.{role}=…" for role in roles)
        return f"'{self.path}' has {listed}: choose {options} from its columns {self._listed}"

    @property
    def _listed(self) -> str:
        if self.names is None:
            return f"{', '.join(map(str, range(self.width)))} (it has no header)"
        more = ", …" if len(self.names) > 20 else ""
        return ", ".join(shown(name) or "''" for name in self.names[:20]) + more


_OR_MATRIX = (
    ", or read it with data.layout=matrix (and data.missing=0 if 0 means that there is no rating) "
    "if it is a matrix of users and items"
)


def is_named(cells: Sequence[str], under: Sequence[Sequence[str]]) -> bool:
    """Whether a row names the columns of those under it.

    It does if it has the usual names of two roles, or contains no number and either a usual name or
    no empty cell. A single usual name beside numbers counts if it stands over numbers, or before
    the ids of items: `user,101,102`.
    """
    roles = named_roles(cells)
    numbers = [to_number(cell) is not None for cell in cells]
    if len(roles) > 1:
        return True
    if not any(numbers):
        return bool(roles) or not any(map(is_missing, cells))
    corner, items = cells[0], cells[1:]
    over_ids = not corner or usual("user", [corner]) or plain(corner) in ("id", "index")
    if over_ids and all(map(is_whole, items)) and len({*items}) == len(items):
        return _occur_once(under)
    return any(
        len(under) > 1 and all(to_number(row[position]) is not None for row in under)
        for role in roles
        for position in usual(role, cells)
    )


def _occur_once(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first cells are ids: none is empty, and none occurs twice."""
    first = [row[0] for row in rows]
    return bool(first) and all(first) and len({*first}) == len(first)


def _is_counted(cells: Sequence[str]) -> bool:
    """Whether the cells are 0, 1, 2, …, maybe after an empty one."""
    counted = list(map(str, range(len(cells))))
    return list(cells) in (counted, ["", *counted[:-1]]) and len(cells) > 2


def _is_numbered(path: Path, cells: Sequence[str], under: Sequence[Sequence[str]]) -> bool:
    """Whether cells that count are a header, as pandas writes it for columns without names."""
    if not under:
        return False
    if not cells[0]:
        return _occur_once(under)
    if len(cells) >= _CERTAIN:
        return True
    if "0" not in (row[0] for row in under):
        return True
    raise GlocalkError(
        f"The first row of '{path}' counts the columns ({', '.join(cells)}) and may be "
        "a header or not: set data.header=true or data.header=false."
    )
