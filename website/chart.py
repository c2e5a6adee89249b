"""The figure of the first page: published figures and ours, one small chart for each data set."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure

from glocalk.report.cells import DATA_SETS, GLOCAL_K, model_title
from glocalk.report.layout import rmse
from glocalk.report.style import svg_text
from website.figures import Figures, all_figures

SIZE = (3.3, 3.7)  # inches
_PROTOCOL = "validated"
# Colors of ours, of GLocal-K's row, of published figures and of text: on white, and on black.
_THEMES = {
    "light": ("#0072b2", "#d55e00", "#6b6b6b", "#202020"),
    "dark": ("#56b4e9", "#e69f00", "#a0a0a0", "#e6e6e6"),
}


def charts() -> dict[str, str]:
    """The svg files by name, in two themes for each data set."""
    return {
        f"result_{data}_{theme}.svg": svg_text(partial(_draw, data, theme))
        for data in DATA_SETS
        for theme in _THEMES
    }


def shown(data: str) -> list[Figures]:
    """The rows of a chart: models of the paper's table with a run and a published figure."""
    made = [
        each
        for (_, where), each in all_figures().items()
        if where == data and each.published and each.table == "table1.md"
    ]
    return sorted(
        (each for each in made if _PROTOCOL in each.means), key=lambda each: -each.means[_PROTOCOL]
    )


def alternative(data: str) -> str:
    """What a chart shows, in words."""
    rows = ", ".join(
        f"{model_title(each.model)} {rmse(each.means[_PROTOCOL])} (published {each.published})"
        for each in reversed(shown(data))
    )
    return f"Test RMSE on {DATA_SETS[data]}: {rows}"


def _draw(data: str, theme: str) -> Figure:
    ours, own_row, published, text = _THEMES[theme]
    rows = shown(data)
    figure = Figure(figsize=SIZE, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    for place, each in enumerate(rows):
        mean, color = each.means[_PROTOCOL], own_row if each.model == GLOCAL_K else ours
        axes.plot(
            [mean, float(each.published)], [place, place], color=published, linewidth=0.8, zorder=1
        )
        axes.errorbar(
            mean, place, xerr=each.deviations[_PROTOCOL], color=color, marker="o", markersize=5.5
        )
        axes.plot(
            float(each.published),
            place,
            marker="D",
            markersize=5.5,
            markerfacecolor="none",
            markeredgecolor=published,
            linestyle="none",
        )
    axes.set_yticks(range(len(rows)), [model_title(each.model) for each in rows])
    axes.set_title(DATA_SETS[data], color=text, loc="left", fontweight="bold")
    axes.set_xlabel("test RMSE", color=text)
    axes.tick_params(colors=text, length=0)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda value, _: rmse(value, 3 if data == "douban" else 2))
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=published, alpha=0.25)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for label in axes.get_yticklabels():
        if label.get_text() == model_title(GLOCAL_K):
            label.set_fontweight("bold")
    return figure
