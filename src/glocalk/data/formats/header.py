"""The names of a table's columns, and the column of each role.

A role's column is the chosen one, or else the one with a usual name (see
`glocalk.data.formats.roles`). Only where columns have no names, their order counts, see
`glocalk.data.formats.places`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glocalk.data.formats.cells import is_missing, to_number
from glocalk.data.formats.evidence import Head
from glocalk.data.formats.options import Choice, ReadOptions
from glocalk.data.formats.places import Places, lacks
from glocalk.data.formats.roles import named_roles, plain, usual
from glocalk.data.labels import is_whole
from glocalk.errors import GlocalkError, shown

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
            found |= self._places.positions(free, optional)
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
            raise GlocalkError(
                f"{lacks(self.path, lacking, self._listed)}{_OR_MATRIX if matrix else ''}."
            )
        return found

    @property
    def _places(self) -> Places:
        return Places(self.path, self.width, self.first, self.rows, self.layout)

    @property
    def _listed(self) -> str:
        if self.names is None:
            return self._places.listed
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
