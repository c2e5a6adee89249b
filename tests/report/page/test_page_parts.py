"""Axes, strips and text within the page."""

import re
from urllib.parse import unquote

import numpy as np
import pytest
from markupsafe import Markup

from glocalk.report.page.beyond import (
    around_section,
    cross_validation_section,
    side_section,
)
from glocalk.report.page.chart import Chart, Line, chart_markup, decimals, padded, short, y_ticks
from glocalk.report.page.combined import combined_section
from glocalk.report.page.folds import folds_section
from glocalk.report.page.grid import Column, Entry, grid
from glocalk.report.page.kernels import kernels_section, markdown_html
from glocalk.report.page.newcomers import cold_start_section, fold_in_section
from glocalk.report.page.section import File, Material
from glocalk.report.page.sources import files_section
from glocalk.report.page.strip import Axis, Mark, ruler, strip
from glocalk.report.page.tuned import tuned_section
from glocalk.report.page.uncertainty import uncertainty_section


@pytest.mark.parametrize(
    ("limits", "ticks", "digits"),
    [
        ((0.878, 0.972), [0.88, 0.9, 0.92, 0.94, 0.96], 2),
        ((0.8205, 0.8252), [0.821, 0.822, 0.823, 0.824, 0.825], 3),
        ((0.7211, 0.7219), [0.7212, 0.7214, 0.7216, 0.7218], 4),
    ],
)
def test_ticks_are_round_and_told_apart(limits, ticks, digits):
    assert y_ticks(limits) == pytest.approx(ticks)
    assert decimals(y_ticks(limits)) == digits


def test_limits_leave_room_on_both_sides():
    assert padded([0.9, 1.0, 0.95], 0.1) == pytest.approx((0.89, 1.01))
    low, high = padded([0.9])
    assert low < 0.9 < high


def test_coordinates_are_short():
    assert [short(value) for value in (12.04, 12.25, -3.0, 0.96)] == ["12", "12.2", "-3", "1"]


def test_a_strip_draws_marks_and_its_interval_where_they_are():
    axis = Axis(0.0, 1.0, lines=(0.5,), width=116)  # 100 between the margins of 8
    drawn = strip(
        axis, [Mark(0.25, "circle", "one"), Mark(2.0, "diamond", "ink", True)], (0.1, 0.4)
    )
    assert re.findall(r'd="M(\S+) 10m', drawn) == ["33", "108"]  # the end, for one beyond
    assert 'class="interval" d="M18 10H48"' in drawn
    assert 'class="zero" d="M58 1V19"' in drawn
    assert 'class="mark ink hollow"' in drawn


def test_the_numbers_of_an_axis_have_a_sign_where_they_are_differences():
    axis = Axis(-0.011, 0.012)
    assert re.findall(">([^<>\n]+)</text>", ruler(axis, signed=True)) == [
        *("−.01", "0", "+.01"),
    ]
    assert re.findall(">([^<>\n]+)</text>", ruler(Axis(0.888, 0.902))) == [
        *(".890", ".895", ".900"),
    ]


def test_groups_of_columns_stand_above_their_columns():
    columns = [
        Column("a", kind="text"),
        Column("b", "G"),
        Column("c", "G", kind=""),
        Column("d", "`H`"),
    ]
    made = grid(
        "key", "A `caption`", columns, [[Entry("x"), Entry("1", "1"), Entry("<b>"), Entry("")]]
    )
    assert 'rowspan="2" data-sort="text">a</th>' in made
    assert '<th scope="colgroup" colspan="2" class="set">G</th>' in made
    assert made.index(">G<") < made.index(">b<")
    assert "A <code>caption</code>" in made
    assert "&lt;b&gt;" in made
    assert 'class="set"><code>H</code></th>' in made


KERNELS = """# The kernel

It *learns* <b>something</b>.

![Taps](taps.svg) ![Gone](gone.svg) ![Far](http://example.org/x.svg)

<img src="taps.svg" alt="Again &quot;" width="860">

<img src="taps.svg" alt="" onerror="f()"><script>f()</script>

## Details

| a | b<br>c |
| :-- | --: |
| 1 | <code>2</code> |
"""


def test_the_study_of_the_kernel_is_its_text_with_its_figures_inside():
    files = {"kernels.md": KERNELS, "taps.svg": "<svg onload='x'/>"}
    section = kernels_section(Material([], [], [], [], files))
    body = str(section.body)
    assert "<em>learns</em> &lt;b&gt;something" in body
    assert "The kernel</h" not in body
    assert "<h3>Details</h3>" in body
    assert 'href="kernels.md"' in body
    sources = re.findall('alt="(.*?)" src="data:image/svg\\+xml,(.*?)"', body)
    assert [alternative for alternative, _ in sources] == ["Taps", "Again &#34;", ""]
    assert {unquote(source) for _, source in sources} == {files["taps.svg"]}
    assert "<script" not in body
    assert "onerror" not in body
    assert "&lt;script&gt;f()" in body
    assert '<th scope="col" class="number">b<br>c</th>' in body
    assert '<td class="number"><code>2</code></td>' in body
    assert "<em>Gone</em> <em>Far</em>" in body
    assert "example.org" not in body
    assert '<div class="scroll"' in body
    assert kernels_section(Material([], [], [], [], {})) is None


def test_headings_of_markdown_go_below_those_of_the_page():
    made = markdown_html("## A\n\n### B\n", {})
    assert isinstance(made, Markup)
    assert made == "<h3>A</h3>\n<h4>B</h4>\n"


def test_files_of_one_kind_stand_together_with_what_they_show():
    names = ["bench.csv", "bench_scaling.svg", "curves_douban.svg", "curves_ml_1m.svg", "new.csv"]
    body = str(files_section(Material([], [], [], [File(name, name) for name in names], {})).body)
    listed = [line for line in re.sub("<a[^>]*>|</a>", "", body).splitlines() if "<li>" in line]
    assert listed == [
        "<li>speed and memory of implementations: bench.csv, bench_scaling.svg</li>",
        "<li>learning curves of GLocal-K: curves_douban.svg, curves_ml_1m.svg</li>",
        "<li>new: new.csv</li>",
    ]


FOLDS = """data,split,protocol,glocal_k,sparse_fc,difference
ml_100k,u1,best_test,0.890000,0.896000,-0.006000
ml_100k,u1,validated,0.891000,0.899000,-0.008000
ml_100k,u2,best_test,0.904000,0.902000,0.002000
ml_100k,u2,validated,0.904000,,
ml_1m,90:10 seed 1,best_test,,,
ml_1m,90:10 seed 1,validated,,,
"""


def test_other_splits_have_a_row_each_and_the_mean_of_their_differences():
    def section(text):
        files = {"folds.csv": text, "folds.md": "Caption\n\n- A note.\n"}
        return folds_section(Material([], [], [], [], files))

    body = section(FOLDS).body
    rows = re.findall(r"<tr>(<th scope=.row.*?)</tr>", body, re.DOTALL)
    assert [re.findall(r">([^<>]*[^<>\s])</t[hd]>", row) for row in rows] == [
        ["ML-100K", "u1", ".8900", ".8960", "−.0060", ".8910", ".8990", "−.0080"],
        ["ML-100K", "u2", ".9040", ".9020", "+.0020", ".9040", "–", "–"],
        ["ML-1M", "90:10 seed 1", *["–"] * 6],
    ]
    # −6 and 2 thousandths: mean −2, each 4 from it, √(2 · 4² / 1) = 5.66
    assert "ML-100K −.0020 ± .0057; ML-1M –." in body
    assert "<li>A note.</li>" in body
    assert section(re.sub(r"-?0\.\d+", "", FOLDS)) is None
    assert section("") is None


def cells_of(section):
    rows = re.findall(r"<tr>(<th scope=.row.*?)</tr>", section.body, re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub("<[^>]*>", "", cell).strip() for cell in row] for row in cells]


AROUND = """data,model,side_information,published,source,official_mean,official_sd,best_test_mean,\
best_test_sd,validated_mean,validated_sd,last_mean,last_sd,seeds
ml_100k,bayesian_fm,yes,.8833,A notebook,0.882400,,0.882300,,0.882500,,0.882600,,0
yahoo_music,srgcnn,no,22.4,A paper,,,,,,,,,
"""
SIDE = """data,against,published,protocol,verdict,difference,low,high
ml_100k,A against B,-0.0050,validated,holds,-0.020000,-0.030000,-0.010000
ml_100k,A against B,-0.0050,last,does not hold,0.020000,0.010000,0.030000
douban,C against D,,validated,not measured,,,
"""
COLD_START = """data,new,model,changed,side_information,protocol,mean,sd,minus,against
ml_100k,items,bias,,no,validated,1.000000,0.010000,,
ml_100k,items,gc_mc_extra,,yes,validated,0.950000,,-0.050000,bias
ml_100k,items,gc_mc_extra,,yes,validated,0.950000,,-0.060000,gc_mc
ml_100k,items,gc_mc_extra,,yes,last,0.960000,,-0.040000,bias
"""


def test_what_the_paper_does_not_have_has_tables():
    def made(section, name, text):
        return section(Material([], [], [], [], {f"{name}.csv": text, f"{name}.md": "- A note.\n"}))

    around = made(around_section, "around", AROUND.replace("\\\n", ""))
    assert cells_of(around) == [
        ["ML-100K", "Bayesian FM", "yes", ".8833", ".8824", ".8823", ".8825", ".8826", "1"],
        ["YahooMusic", "sRGCNN", "", "22.4", *["–"] * 4, "0"],
    ]
    assert cells_of(made(side_section, "side", SIDE)) == [
        ["ML-100K", "A against B", "−.0050", "−.0200", "[−.0300, −.0100]", "helps"],
        ["Douban", "C against D", "–", "–", "–", "not measured"],
    ]
    assert cells_of(made(cold_start_section, "cold_start", COLD_START)) == [
        ["ML-100K", "items", "User + item bias", "", "1.0000 ± .0100", "–", "–"],
        ["ML-100K", "items", "GC-MC + Extra", "yes", ".9500", "−.0500", "−.0600"],
    ]
    assert made(side_section, "side", "") is None


FOLD_IN = """data,new,model,revealed,protocol,draws,folded_in,folded_in_sd,trained,trained_sd,\
difference,difference_sd,fold_in_seconds,training_seconds
ml_100k,users,bias,0,last,2,,,1.050000,0.070711,,,,2.000000
ml_100k,users,bias,1,last,1,1.010000,,,,,,0.250000,
ml_100k,users,bias,5,last,2,0.940000,0.042426,0.925000,0.035355,0.015000,0.007071,0.500000,2.000000
ml_100k,items,igmc,5,last,1,,,0.800000,,,,,3.500000
"""
CROSS_VALIDATION = """data,model,changed,protocol,folds,of,mean,sd,by_fold
ml_100k,bias,,best_test,5,5,0.910000,0.018708,0.9 0.92
ml_100k,bias,,validated,5,5,0.920000,0.018708,0.9 0.92
ml_100k,bias,,last,5,5,0.930000,0.018708,0.9 0.92
csv,item_knn,data.path=<a>.csv,best_test,0,2,,,
csv,item_knn,data.path=<a>.csv,validated,0,2,,,
csv,item_knn,data.path=<a>.csv,last,1,2,0.800000,,0.8
"""


COMBINED = """data,model,variant,protocol,seeds,mean,sd,best_member,best_mean,best_sd,minus_best,\
low,high,p_adjusted,members,seconds,best_single,single_experiment,single_mean,single_sd,\
minus_single,single_low,single_high,single_p_adjusted
ml_100k,stack,default,validated,0,0.88,,glocal_k,0.891,,-0.011,-0.0131,-0.0089,0.00001,\
bias/0=0.1 glocal_k/0=0.25 glocal_k/1=0.65 gc_mc/0=0.004,60.0,\
svd_pp,around,0.885,0.002,-0.005,-0.0081,-0.0019,0.04
ml_100k,stack,default,last,0,0.8815,,glocal_k,0.892,,-0.0105,-0.013,-0.008,0.00001,bias/0=1,60.0,,,,,,,,
csv,ensemble,data.path=<a>.csv,validated,0 1,0.5,0.01,,,,,,,,bias/0=1,1.0,,,,,,,,
"""
UNCERTAINTY = """data,model,side_information,protocol,seeds,rmse,nll,crps,density_nll,\
density_crps,mean_std,\
coverage_50,coverage_80,coverage_95,width_50,width_80,width_95
douban,cf_nade,no,last,0,0.74,1.05,0.41,,,0.6512,0.6,0.8123,0.96,1,2,3
"""
TUNED = """data,model,side_information,changed,validated_mean,validated_sd,validated_change,mark
ml_100k,bias,no,yes,0.94,,-0.0309,
douban,bias,no,no,0.7493,,,=
ml_100k,bayesian_fm,yes,no,0.88,,,=
douban,bayesian_fm,no,no,0.72,,,=
ml_100k,glocal_k,no,yes,,,,
"""


def made(section, name, text):
    texts = {f"{name}.csv": text.replace("\\\n", ""), f"{name}.md": "- A note.\n"}
    return section(Material([], [], [], [], texts))


def test_combinations_stand_beside_their_best_member_and_the_best_single_model():
    weights = "GLocal-K 0.90, User + item bias 0.10, 1 below 0.005"
    assert cells_of(made(combined_section, "combined", COMBINED)) == [
        [
            *("ML-100K", "Stacking", "", ".8800", ".8815", "GLocal-K", ".8910"),
            *("−.0110", "[−.0131, −.0089]", "&lt; .001", "SVD++", ".8850 ± .0020", "−.0050"),
            *("[−.0081, −.0019]", ".040", weights),
        ],
        [
            *("csv", "Mean of models", "data.path=&lt;a&gt;.csv", ".5000 ± .0100", "–", "–", "–"),
            *["–"] * 8,
            "User + item bias 1.00",
        ],
    ]
    assert made(combined_section, "combined", "") is None


def test_scores_of_distributions_have_a_row_for_each_model():
    assert cells_of(made(uncertainty_section, "uncertainty", UNCERTAINTY)) == [
        ["Douban", "CF-NADE", "", ".7400", "1.0500", ".4100", ".6512", ".812", ".960"],
    ]


def test_the_change_by_a_search_is_shown_where_a_trial_was_better():
    assert cells_of(made(tuned_section, "tuned", TUNED)) == [
        ["User + item bias", "", ".9400", "−.0309", ".7493", "="],
        ["Bayesian FM", "ML-100K", ".8800", "=", ".7200", "="],
        ["GLocal-K", "", "–", "–", "–", "–"],
    ]


def test_fold_in_and_cross_validation_have_tables_where_they_have_records():
    shown = made(fold_in_section, "fold_in", FOLD_IN)
    assert cells_of(shown) == [
        [
            *("ML-100K", "users", "User + item bias", "1.0500"),
            *("1.0100", "–", ".9400", "+.0150", "", "0.5", "2"),
        ],
        ["ML-100K", "items", "IGMC", "–", *["–"] * 4, "", "–", "3.5"],
    ]
    assert "Drawn: triangle 1 rating, square 5 ratings." in shown.body
    assert shown.body.count('class="mark one"') == 1
    assert cells_of(made(cross_validation_section, "cross_validation", CROSS_VALIDATION)) == [
        [
            *("ML-100K", "User + item bias", "", "5 of 5"),
            *(".9100 ± .0187", ".9200 ± .0187", ".9300 ± .0187"),
        ],
        ["csv", "Item-kNN", "data.path=&lt;a&gt;.csv", "1 of 2", "–", "–", ".8000"],
    ]
    assert made(fold_in_section, "fold_in", "") is None
    assert made(cross_validation_section, "cross_validation", "") is None


def test_a_figure_inside_the_page_keeps_every_shape():
    svg = """<svg>
 <!-- drawn -->
 <g id="axes_1">
  <g id="line_1">
   <path d="M0 0" id="m" style="fill: none; stroke: red"/>
  </g>
  <g id="ticks" transform="translate(12.345678 2) scale(0.015625)">
   <use href="#m" x="1"/>
   <use href="#m" x="2"/>
  </g>
 </g>
</svg>
"""
    html = markdown_html('<img src="kernels.svg" alt="Taps">', {"kernels.svg": svg})
    (embedded,) = re.findall(r"data:image/svg\+xml,([^\"]*)", html)
    assert unquote(embedded).strip() == (
        "<svg><g><path d='M0 0' id='m' style='fill:none;stroke:red'/>"
        "<g transform='translate(12.34 2) scale(0.015625)'><use href='#m' x='1'/>"
        "<use href='#m' x='2'/></g></g></svg>"
    )


def test_a_line_ends_where_its_last_point_is():
    """A path has steps; an error of rounding in each would add up over 300 of them."""
    points = [(x / 300, 0.5 + np.sin(x) / 3) for x in range(301)]
    axes = {"x_limits": (0, 1), "x_ticks": [], "y_limits": (0, 1), "steps": []}
    line = Line("sine", points, "one", "circle")
    chart = Chart(
        "k", "title", "words", "x", **axes, lines=[line, Line("one", [(0, 0)], "two", "")]
    )
    drawn, single = re.findall(r' d="(M[^"]*)"', str(chart_markup(chart)).split('class="plot"')[1])[
        :2
    ]
    start, steps = drawn[1:].split("l")
    numbers = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", steps)]
    moves = np.array([[float(part) for part in start.split()], *np.reshape(numbers, (-1, 2))])
    places = np.array([(chart.x(x), chart.y(y)) for x, y in points])
    np.testing.assert_allclose(moves.cumsum(axis=0), places, rtol=0, atol=0.051)
    assert single == f"M{short(chart.x(0))} {short(chart.y(0))}"
