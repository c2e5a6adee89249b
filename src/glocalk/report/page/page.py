"""Puts the sections of the page together."""

from __future__ import annotations

from collections.abc import Sequence

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
from glocalk.report.page.document import document
from glocalk.report.page.folds import folds_section
from glocalk.report.page.gap import gap_section
from glocalk.report.page.kernels import kernels_section
from glocalk.report.page.newcomers import cold_start_section, fold_in_section
from glocalk.report.page.section import Material, Section
from glocalk.report.page.sources import files_section, notes_section
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
    """The page `index.html`; the same text for the same material."""
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
        files_section(material),
    )
    return document(
        "page.html",
        script="page.js",
        sections=[section for section in sections if section],
        data={"charts": {chart.key: reader_data(chart) for chart in charts}},
        runs=len(material.records),
    )
