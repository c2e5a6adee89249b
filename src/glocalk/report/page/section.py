"""What the parts of the page are made from, and what each of them gives."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from glocalk.records.run import Record
from glocalk.report.cells import Cell


@dataclass(frozen=True)
class File:
    """Another file of the report.

    Attributes:
        href: its address, relative to the page.
        name: its path, as it is shown.
    """

    href: str
    name: str


@dataclass(frozen=True)
class Material:
    """What the page shows.

    Attributes:
        cells: the cells of Table 1.
        records: the records of all runs.
        links: the address of each record's file, relative to the page.
        files: the other files of the report.
        texts: their content, by name.
    """

    cells: Sequence[Cell]
    records: Sequence[Record]
    links: Sequence[str]
    files: Sequence[File]
    texts: Mapping[str, str]

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of one of the report's csv files; none where it was not made."""
        return list(csv.DictReader(io.StringIO(self.texts.get(name, ""))))

    def notes(self, name: str) -> list[str]:
        """The list at the end of one of the report's Markdown files: sentences with `code`."""
        lines = self.texts.get(name, "").splitlines()
        return [line.removeprefix("- ") for line in lines if line.startswith("- ")]

    def link(self, record: Record) -> str:
        """Address of the file of a record, which is one of `records`."""
        return self.links[next(i for i, each in enumerate(self.records) if each is record)]


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: its anchor.
        title: its heading.
        short: its name in the navigation.
        body: what stands below the heading.
    """

    key: str
    title: str
    short: str
    body: Markup
