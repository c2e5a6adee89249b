import io
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from PIL import Image

from glocalk.report.style import COLUMN, _compact, png_bytes, svg_text


def draw():
    figure = Figure(figsize=(1, 0.5))
    figure.add_subplot().plot([1, 2], [3, 4], label="a line")
    return figure


@pytest.mark.parametrize("made", [svg_text, png_bytes])
def test_the_same_content_each_time_whatever_the_users_style(made):
    content = made(draw)
    with mpl.rc_context({"font.size": 20, "savefig.dpi": 50, "svg.hashsalt": None}):
        assert made(draw) == content
        assert mpl.rcParams["font.size"] == 20
    assert made(draw, COLUMN) != content


def test_the_paths_of_an_svg_are_short_and_keep_their_points():
    figure = Figure(figsize=(1, 1))  # of 72 points
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 3), ylim=(0, 1))
    axes.plot([0, 1, 2], [0, 1 / 3, 0.999], gid="drawn")
    (line,) = ET.fromstring(svg_text(lambda: figure)).iterfind(".//*[@id='drawn']/")
    # x from the left, y from the top: 72 / 3 = 24 points a step, 72 · (1 − 0.999) = 0.07 at the end
    assert line.get("d") == "M0 72l24-24l24-47.9"


@pytest.mark.parametrize(
    ("path", "compact"),
    [
        ("M 1.04 2 \nL 1 2.36 \nL 0.5 0 \nz", "M1 2l0 .4l-.5-2.4z"),
        ("M 10 10 \nL 9.96 9.94 \nM 3 -0.46 \nL 3.06 -0.46", "M10 10l0-.1M3-.5l.1 0"),
        ("M 0.25 1 \nC 1.234 2 3 4.56 5 6 \nL 7 8", "M 0.2 1 C 1.2 2 3 4.6 5 6 L 7 8"),
    ],
)
def test_a_short_path_leads_through_the_same_tenths(path, compact):
    assert _compact(path) == compact


def test_a_png_has_300_dots_an_inch_and_no_metadata():
    image = Image.open(io.BytesIO(png_bytes(draw)))
    assert image.size == (300, 150)
    assert image.info.keys() == {"dpi"}
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    colors = image.convert("RGB").getcolors()
    assert (255, 255, 255) in [color for _, color in colors]
    assert len(colors) > 10
