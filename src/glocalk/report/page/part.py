"""The two pages of the report, made from the records and the names of all other files."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from glocalk.report.page.page import page_html
from glocalk.report.page.records import records_html
from glocalk.report.page.section import File, Material
from glocalk.report.parts import Files, Part, Sources


def page_part(links: Sequence[str], others: Files) -> Part:
    """The part that makes the pages; nothing without a record.

    Args:
        links: path of the file of each record, relative to the folder of the report.
        others: the other files of the report.
    """

    def files(sources: Sources) -> Files:
        if not sources.records:
            return {}
        material = Material(
            cells=sources.cells,
            records=sources.records,
            links=[quote(link, safe=_PLAIN) for link in links],
            files=[File(quote(name, safe=_PLAIN), name) for name in sorted(others)],
            texts={name: text for name, text in others.items() if isinstance(text, str)},
        )
        return {"index.html": page_html(material), "records.html": records_html(material)}

    return Part(files, ("index.html", "records.html"))


_PLAIN = "/=,+"  # signs that an address may hold as they are
