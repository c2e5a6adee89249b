"""Tables that sort: what stands in a cell, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from glocalk.report.layout import difference, rmse
from glocalk.report.page.markup import fill


@dataclass(frozen=True)
class Entry:
    """A cell.

    Attributes:
        text: what is shown; `code` in backticks.
        value: what it is sorted by; empty if there is no figure.
        sd: a standard deviation, shown behind the text.
        drawn: markup, which takes the place of the text.
    """

    text: str
    value: str = ""
    sd: str = ""
    drawn: Markup | None = None

    @property
    def is_its_value(self) -> bool:
        """Whether the cell is sorted by the text that it shows, and needs no value beside it."""
        return self.value == self.text and "`" not in self.text and not self.sd


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: its head; `code` in backticks.
        group: what stands above several heads, `code` in backticks; empty for none.
        kind: how it sorts: `text` or `number`; empty if it does not.
        drawn: markup below the name, such as the numbers of an axis.
    """

    name: str
    group: str = ""
    kind: str = "number"
    drawn: Markup | None = None


def grid(
    key: str, caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Entry]]
) -> Markup:
    """A table whose first cell of each row is its head.

    Args:
        key: unique id in the page.
        caption: what the table shows.
        columns: its columns; those of a group stand side by side.
        rows: an entry for each column.
    """
    groups = [
        (name, list(members)) for name, members in groupby(columns, key=lambda column: column.group)
    ]
    starts = {id(members[0]) for name, members in groups if name}
    return fill(
        "grid.html",
        key=key,
        caption=caption,
        groups=groups,
        grouped=any(column.group for column in columns),
        columns=[(column, id(column) in starts) for column in columns],
        rows=rows,
    )


def words(text: str) -> Entry:
    """A text, which is sorted by itself."""
    return Entry(text, text)


def figure(mean: str, sd: str = "", digits: int = 4) -> Entry:
    """An RMSE of a csv file with its deviation, either of which may be empty."""
    if not mean:
        return Entry(rmse(None))
    return Entry(rmse(float(mean), digits), mean, rmse(float(sd)) if sd else "")


def change(value: str) -> Entry:
    """A signed difference of a csv file, which may be empty."""
    return Entry(difference(float(value)), value) if value else Entry(rmse(None))


def published(text: str) -> Entry:
    """A published RMSE with the decimals it is known to; empty for none."""
    return Entry(text.removeprefix("0"), text) if text else Entry(rmse(None))
