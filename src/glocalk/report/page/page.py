"""Puts the sections of the page together, under a policy that lets nothing be loaded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from markupsafe import Markup

from glocalk.report.page.beyond import (
    around_section,
    cross_validation_section,
    monti_section,
    side_section,
)
from glocalk.report.page.chart import reader_data
from glocalk.report.page.claims import claims_section
from glocalk.report.page.combined import combined_section
from glocalk.report.page.costs import costs_section
from glocalk.report.page.curves import curve_charts, curves_section
from glocalk.report.page.folds import folds_section
from glocalk.report.page.gap import gap_section
from glocalk.report.page.kernels import kernels_section
from glocalk.report.page.markup import asset, fill
from glocalk.report.page.newcomers import cold_start_section, fold_in_section
from glocalk.report.page.section import Material, Section
from glocalk.report.page.sources import notes_section, records_section
from glocalk.report.page.studies import (
    fig2_charts,
    fig2_section,
    fig3_charts,
    fig3_section,
    table2_section,
)
from glocalk.report.page.summary import summary_section
from glocalk.report.page.table1 import table1_section
from glocalk.report.page.tuned import tuned_section
from glocalk.report.page.uncertainty import uncertainty_section


def page_html(material: Material) -> str:
    """The page `index.html`; the same text for the same material.

    Script and style are part of it. Its policy names their hashes and forbids everything else, so
    that no text from a record can run or load anything.
    """
    curves, fig2, fig3 = curve_charts(material), fig2_charts(material), fig3_charts(material)
    charts = [*(chart for _, chart in fig2), *fig3, *(chart for _, chart in curves)]
    sections: Sequence[Section | None] = (
        summary_section(material),
        table1_section(material),
        table2_section(material),
        fig2_section(material, fig2),
        fig3_section(material, fig3),
        curves_section(curves),
        claims_section(material),
        folds_section(material),
        cross_validation_section(material),
        gap_section(material),
        kernels_section(material),
        tuned_section(material),
        combined_section(material),
        around_section(material),
        side_section(material),
        cold_start_section(material),
        fold_in_section(material),
        uncertainty_section(material),
        monti_section(material),
        costs_section(material),
        notes_section(material),
        records_section(material),
    )
    style, script = asset("page.css"), asset("page.js")
    return (
        fill(
            "page.html",
            policy="; ".join(
                (
                    "default-src 'none'",
                    f"style-src {_source(style)}",
                    f"script-src {_source(script)}",
                    "img-src data:",
                    "base-uri 'none'",
                    "form-action 'none'",
                )
            ),
            style=Markup(style),
            script=Markup(script),
            sections=[section for section in sections if section],
            data={"charts": {chart.key: reader_data(chart) for chart in charts}},
            runs=len(material.records),
        )
        + "\n"
    )


def _source(text: str) -> str:
    """The hash of an inline style or script, as a policy names it."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
