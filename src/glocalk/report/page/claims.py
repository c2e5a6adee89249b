"""The paper's claims: what the records say about each, with intervals, under every protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from glocalk.report.cells import data_title
from glocalk.report.claims.listed import claims_of_paper
from glocalk.report.layout import NOTHING, difference, difference_interval, p_value
from glocalk.report.page.chart import padded
from glocalk.report.page.grid import Entry, change
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section
from glocalk.report.page.strip import Axis, Mark, ruler, strip
from glocalk.report.published import read_published
from glocalk.report.statistics.verdict import Verdict

Row = Mapping[str, str]

_SIGNS = {Verdict.HOLDS: "✓", Verdict.FAILS: "✗", Verdict.OPEN: "?", Verdict.MISSING: NOTHING}
_FIRST = "validated"


@dataclass(frozen=True)
class Told:
    """A verdict with its sign and the class that colors it."""

    verdict: str
    sign: str
    kind: str


def claims_section(material: Material) -> Section | None:
    """An overview, and for each protocol a table of all claims; None where none was judged."""
    rows = material.rows("claims.csv")
    if not rows:
        return None
    statements = {
        claim.name: claim.statement for claim in claims_of_paper(material.cells, read_published())
    }
    protocols = sorted(dict.fromkeys(row["protocol"] for row in rows), key=lambda p: p != _FIRST)
    body = fill(
        "claims.html",
        protocols=protocols,
        overview=[
            (
                statements[name],
                made[0]["source"],
                [_count(made, protocol) for protocol in protocols],
            )
            for name, made in _by_claim(rows)
        ],
        tables=[
            (protocol, _groups([row for row in rows if row["protocol"] == protocol], statements))
            for protocol in protocols
        ],
        signs=[_told(verdict) for verdict in Verdict],
    )
    return Section("claims", "The paper's claims", "Claims", body)


def _by_claim(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    return [(name, list(made)) for name, made in groupby(rows, key=lambda row: row["claim"])]


def _count(rows: Sequence[Row], protocol: str) -> list[tuple[int, Told]]:
    counts = Counter(row["verdict"] for row in rows if row["protocol"] == protocol)
    return [(counts[verdict], _told(verdict)) for verdict in Verdict if counts[verdict]]


def _told(verdict: str) -> Told:
    name = Verdict(verdict)
    return Told(str(name), _SIGNS[name], name.name.lower())


def _groups(
    rows: Sequence[Row], statements: Mapping[str, str]
) -> list[tuple[str, str, Markup, list[tuple[Row, dict[str, object]]]]]:
    """Statement, margin and axis of each claim, with its rows."""
    groups = []
    for name, made in _by_claim(rows):
        margin = float(made[0]["margin"] or 0)
        ends = [float(row[end]) for row in made for end in ("low", "high") if row[end]]
        axis = Axis(*padded([*ends, 0.0, margin]), lines=(margin,), width=150)
        shown = [(row, _shown(row, axis)) for row in made]
        said = f"margin {difference(margin)}" if margin else ""
        groups.append((statements[name], said, ruler(axis, signed=True), shown))
    return groups


def _shown(row: Row, axis: Axis) -> dict[str, object]:
    told = bool(row["difference"])
    low, high = (float(row[end]) if told else 0.0 for end in ("low", "high"))
    marks = [Mark(float(row["difference"]), "circle", "one")] if told else []
    if row["published"]:
        marks.insert(0, Mark(float(row["published"]), "diamond", "ink", hollow=True))
    several = row["strongest"] and row["strongest"] != row["against"]
    return {
        "data": data_title(row["data"]),
        "against": f"{row['against']}: {row['strongest']}" if several else row["against"],
        "published": change(row["published"]),
        "ours": change(row["difference"]),
        "interval": Entry(difference_interval(low, high) if told else NOTHING, row["low"]),
        "p": Entry(p_value(float(row["p_adjusted"])) if told else NOTHING),
        "drawn": strip(axis, marks, (low, high) if told else None),
        "told": _told(row["verdict"]),
    }
