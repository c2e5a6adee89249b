"""Table 2, Fig. 2 and Fig. 3 of the paper: the published figures beside ours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from glocalk.report.cells import DATA_SETS, GLOCAL_K, SPARSE_FC, data_title, model_title
from glocalk.report.layout import rmse
from glocalk.report.page.chart import Chart, Line, chart_markup, padded
from glocalk.report.page.grid import Column, Entry, change, figure, grid, published, words
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section

_PROTOCOLS = ("best_test", "validated")
_HUES = {GLOCAL_K: ("one", "circle"), SPARSE_FC: ("two", "square")}
_RULES = {"best_test": ("two", "triangle"), "validated": ("one", "circle")}
_VARIED = {
    "kernel_size": "kernel size",
    "convolution_layers": "convolution layers",
    "aggregation": "aggregation",
}

Rows = Sequence[Mapping[str, str]]


def table2_section(material: Material) -> Section | None:
    """Variants of the global kernel; None where nothing was run."""
    rows = material.rows("table2.csv")
    if not rows:
        return None
    cells = {(row["varied"], row["value"], row["data"]): row for row in rows}
    columns = [Column("Varied", kind="text"), Column("Value", kind="text")]
    for title in DATA_SETS.values():
        columns += _triple(title)
        columns.append(Column("− base", title))
    lines = []
    for varied, value in dict.fromkeys((varied, value) for varied, value, _ in cells):
        line = [words(_VARIED.get(varied, varied)), words(_value(varied, value))]
        for data in DATA_SETS:
            row = cells[varied, value, data]
            line += _figures(row)
            line.append(change(row["validated_minus_base"]))
        lines.append(line)
    caption = "Variants of the global kernel, test RMSE; − base: difference of `validated` means"
    body = _study(
        "The paper's ablation: size, number and making of the global kernel. One 3×3 kernel with "
        "weighted aggregation is the base.",
        grid("table2-table", caption, columns, lines),
        material.notes("table2.md"),
    )
    return Section("table2", "Table 2: the global kernel", "Table 2", body)


def _triple(group: str) -> list[Column]:
    return [Column("published", group), *(Column(f"`{name}`", group) for name in _PROTOCOLS)]


def _value(varied: str, value: str) -> str:
    return f"{value}×{value}" if varied == "kernel_size" else value


def fig2_charts(material: Material) -> list[tuple[str, Chart]]:
    """For each protocol and data set, RMSE against the share of training ratings."""
    rows = material.rows("fig2.csv")
    charts = []
    for protocol in _PROTOCOLS:
        for data in dict.fromkeys(row["data"] for row in rows):
            lines: list[Line] = []
            for model, (hue, shape) in _HUES.items():
                own = [row for row in rows if (row["data"], row["model"]) == (data, model)]
                title = model_title(model)
                lines += _both(own, "train_share", protocol, title, hue, shape)
            charts.append((protocol, _sweep("fig2", data, protocol, lines, _SHARE)))
    return charts


def fig2_section(material: Material, charts: Sequence[tuple[str, Chart]]) -> Section | None:
    """The charts of Fig. 2 and their values; None where nothing was run."""
    if not charts:
        return None
    rows = material.rows("fig2.csv")
    cells = {(row["data"], row["train_share"], row["model"]): row for row in rows}
    columns = [Column("Data", kind="text"), Column("Share")]
    for model in _HUES:
        title = model_title(model)
        columns += _triple(title)
    lines = []
    for data, share in dict.fromkeys((data, share) for data, share, _ in cells):
        line = [words(data_title(data)), words(share)]
        for model in _HUES:
            row = cells[data, share, model]
            line += _figures(row)
        lines.append(line)
    body = _study(
        "Test RMSE against the share of the training ratings that is kept.",
        fill(
            "choice.html",
            protocols=_PROTOCOLS,
            charts=[(protocol, chart_markup(chart)) for protocol, chart in charts],
        ),
        material.notes("fig2.md"),
        grid("fig2-table", "Values of Fig. 2, published and ours", columns, lines),
    )
    return Section("fig2", "Fig. 2: fewer training ratings", "Fig. 2", body)


def fig3_charts(material: Material) -> list[Chart]:
    """For each data set, RMSE against the number of pre-training epochs."""
    rows = material.rows("fig3.csv")
    charts = []
    for data in dict.fromkeys(row["data"] for row in rows):
        own = [row for row in rows if row["data"] == data]
        lines = [_theirs(own, "pretrain_epochs", "Published", "ink", "diamond")]
        for protocol, (hue, shape) in _RULES.items():
            lines.append(_ours(own, "pretrain_epochs", protocol, f"Ours, {protocol}", hue, shape))
        figures = [y for _, y in lines[0].points]
        # A training without pre-training may fail by more than all other points differ.
        top = 2 * max(figures) - min(figures)
        charts.append(_sweep("fig3", data, "", lines, "epochs of pre-training", top))
    return charts


def fig3_section(material: Material, charts: Sequence[Chart]) -> Section | None:
    """The charts of Fig. 3 and their values; None where nothing was run."""
    if not charts:
        return None
    rows = material.rows("fig3.csv")
    cells = {(row["data"], row["pretrain_epochs"]): row for row in rows}
    columns = [Column("Epochs")]
    for title in DATA_SETS.values():
        columns += _triple(title)
    lines = []
    for epochs in dict.fromkeys(epochs for _, epochs in cells):
        line = [words(epochs)]
        for data in DATA_SETS:
            row = cells[data, epochs]
            line += _figures(row)
        lines.append(line)
    body = _study(
        "Test RMSE of GLocal-K against the number of pre-training epochs.",
        _row_of(charts),
        material.notes("fig3.md"),
        grid("fig3-table", "Values of Fig. 3, published and ours", columns, lines),
    )
    return Section("fig3", "Fig. 3: epochs of pre-training", "Fig. 3", body)


def _figures(row: Mapping[str, str]) -> list[Entry]:
    ours = (figure(row[f"{name}_mean"], row[f"{name}_sd"]) for name in _PROTOCOLS)
    return [published(row["published"]), *ours]


_SHARE = "share of the training ratings"


def _both(
    rows: Rows, place: str, protocol: str, title: str, hue: str, shape: str
) -> tuple[Line, Line]:
    return (
        _theirs(rows, place, f"{title}, published", hue, shape),
        _ours(rows, place, protocol, f"{title}, ours", hue, shape),
    )


def _theirs(rows: Rows, place: str, label: str, hue: str, shape: str) -> Line:
    points = [(float(row[place]), float(row["published"])) for row in rows if row["published"]]
    return Line(label, points, hue, dashed=True, shape=shape)


def _ours(rows: Rows, place: str, protocol: str, label: str, hue: str, shape: str) -> Line:
    made = [row for row in rows if row[f"{protocol}_mean"]]
    return Line(
        label,
        [(float(row[place]), float(row[f"{protocol}_mean"])) for row in made],
        hue,
        shape=shape,
        spread=[float(sd) if (sd := row[f"{protocol}_sd"]) else None for row in made],
    )


def _sweep(
    figure_name: str, data: str, protocol: str, lines: Sequence[Line], x: str, top: float = math.inf
) -> Chart:
    """A chart of one data set; means above `top` are written there."""
    drawn = [line for line in lines if line.points]
    beyond = {place: y for line in drawn for place, y in line.points if y > top}
    low_y, high_y = padded(end for line in drawn for end in _ends(line) if end <= top)
    places = sorted({place for line in drawn for place, _ in line.points})
    under = f", {protocol}" if protocol else ""
    low, high = padded(places, 0.04)
    return Chart(
        key="-".join(filter(None, (figure_name, data, protocol))),
        title=f"{data_title(data)}{under}",
        description=f"Lines: {'; '.join(line.label for line in drawn)}, against the {x}. The table "
        "below has the values.",
        x_label=x,
        x_limits=(low, high),
        x_ticks=[(place, f"{place:g}") for place in places],
        y_limits=(low_y, top if beyond else high_y),
        beyond=[(place, f"↑ {rmse(y)}") for place, y in beyond.items()],
        steps=[(place, f"{x}: {place:g}") for place in places],
        lines=drawn,
    )


def _row_of(charts: Sequence[Chart]) -> Markup:
    drawn = Markup("\n").join(map(chart_markup, charts))
    return Markup('<div class="charts triple">\n{}\n</div>').format(drawn)


def _ends(line: Line) -> Iterable[float]:
    """Every height that the line or one of its bars reaches."""
    spread = line.spread or [None] * len(line.points)
    for (_, y), sd in zip(line.points, spread, strict=True):
        yield from (y - (sd or 0), y + (sd or 0))


def _study(lead: str, shown: Markup, notes: Sequence[str], values: Markup | None = None) -> Markup:
    return fill("study.html", lead=lead, shown=shown, notes=notes, values=values)
