"""Curves over an option, ours and published ones: how figures of sweeps draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from glocalk.report.points import Point


def draw_ours(
    axes: Axes,
    points: Mapping[float, Point],
    protocol: str,
    color: str,
    marker: str,
    label: str,
) -> dict[float, float]:
    """Draw the mean of each point as a line with filled markers, and every seed as a thin dot.

    Returns:
        The means, by place on the horizontal axis.
    """
    for place, point in points.items():
        values = list(point.by_seed(protocol).values())
        if len(values) > 1:
            axes.plot([place] * len(values), values, ls="none", marker=".", ms=3, mew=0, c=color)
    means = {place: point.mean(protocol) for place, point in points.items()}
    drawn = {place: mean for place, mean in means.items() if mean is not None}
    axes.plot(*_columns(drawn), color=color, lw=0.9, marker=marker, ms=3.6, mew=0, label=label)
    return drawn


def draw_published(
    axes: Axes, figures: Mapping[float, float], color: str, marker: str, label: str
) -> None:
    """Draw a published curve: dashed, with hollow markers."""
    axes.plot(
        *_columns(figures),
        color=color,
        lw=0.7,
        ls=(0, (3, 2)),
        marker=marker,
        ms=4.2,
        mfc="white",
        mew=0.6,
        zorder=1.5,  # below ours
        label=label,
    )


def _columns(figures: Mapping[float, float]) -> tuple[Sequence[float], Sequence[float]]:
    return list(figures), list(figures.values())
