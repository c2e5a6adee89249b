"""A section of one table, with the notes of the report's file that it shows."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from glocalk.report.page.grid import Column, Entry, grid
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section


def study_section(
    material: Material,
    name: str,
    titles: tuple[str, str],
    lead: str,
    columns: Sequence[Column],
    lines: Sequence[Sequence[Entry]],
) -> Section | None:
    """A table; None without lines.

    Args:
        material: what the page shows.
        name: of the files that it shows, and its anchor.
        titles: heading, and name in the navigation.
        lead: what stands before the table.
        columns: of the table.
        lines: its rows.
    """
    if not lines:
        return None
    body: Markup = fill(
        "study.html",
        lead=lead,
        shown=grid(f"{name}-table", titles[0], columns, lines),
        notes=material.notes(f"{name}.md"),
        values=None,
    )
    return Section(name, *titles, body)
