"""What the page shows, against figures computed by hand from the made-up records."""

import itertools
import json
import re

import pytest

from glocalk.report.cells import table1_cells
from glocalk.report.page.curves import curve_charts
from glocalk.report.page.section import Material
from glocalk.report.published import read_published
from report.factory import curves, record


@pytest.fixture(scope="session")
def charts(page):
    """The data of every chart."""
    (block,) = re.findall(r'id="page-data">(.*?)</script>', page)
    drawn = json.loads(block)["charts"]
    for chart in drawn.values():
        for line in chart["lines"]:
            line |= {"values": summed(line["values"]), "seeds": list(map(summed, line["seeds"]))}
    return drawn


def summed(differences):
    """The values, of which the page has the differences."""
    sums = itertools.accumulate(each or 0 for each in differences)
    return [None if each is None else value for each, value in zip(differences, sums, strict=True)]


def section(page, key):
    return re.search(f'<section id="{key}".*?</section>', page, flags=re.DOTALL)[0]


def rows(markup):
    """The texts of the cells of every row."""
    lines = re.findall("<tr.*?</tr>", markup, flags=re.DOTALL)
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", line, flags=re.DOTALL) for line in lines]
    return [[re.sub("<.*?>", "", cell).strip() for cell in row] for row in cells]


def row_of(markup, *first):
    (found,) = [row for row in rows(markup) if tuple(row[: len(first)]) == first]
    return found[len(first) :]


def test_table_1_has_every_protocol_of_every_data_set(page):
    ours = row_of(section(page, "table1"), "GLocal-K")
    assert ours[0] == ""
    assert ours[1:7] == [
        *(".890", ".8905 ± .0007", ".9205 ± .0007", ".9200 ± .0000"),
        *(".9105 ± .0007", ".8905 ± .0007"),
    ]
    assert ours[7:13] == [".822", *["–"] * 5]
    assert ours[13:] == [".721", ".7200", ".7500", ".9200", ".7400", ".7200"]
    assert row_of(section(page, "table1"), "GraphRec + Extra")[:4] == [
        *("yes", ".897", ".8930", ".9230"),
    ]


def test_a_cell_is_sorted_by_all_its_digits(page):
    line = re.search('<tr data-model="GLocal-K".*?</tr>', section(page, "table1"))[0]
    values = dict(re.findall(r'data-set="ml_100k" data-column="(\w+)" data-value="(.*?)"', line))
    assert values["published"] == "0.890000"
    assert values["validated"] == "0.920500"


def test_the_summary_compares_with_the_best_other_model(page):
    summary = section(page, "result")
    first = re.findall('<div class="card">.*?</table>', summary, flags=re.DOTALL)[0]
    shown = [row for row in rows(first) if len(row) == 4][1:]
    assert shown == [
        ["GLocal-K", ".890", ".8905", ".9205"],
        ["SparseFC", ".895", ".9005", ".9305"],
        ["GraphRec + Extra", ".897", ".8930", ".9230"],
    ]
    assert "differ from them by +.0005 on ML-100K and −.0010 on Douban." in summary


def test_table_2_stands_beside_the_published_figures(page):
    table = section(page, "table2")
    base = row_of(table, "kernel size", "3×3")
    changed = row_of(table, "kernel size", "5×5")
    assert base[:3] == [".890", ".8905 ± .0007", ".9205 ± .0007"]
    # One seed, 0, is common to both: .922 − .920.
    assert changed[:4] == [".891", ".8920", ".9220", "+.0020"]


def test_fig_2_draws_our_points_and_the_published_ones(page, charts):
    drawn = charts["fig2-ml_100k-best_test"]
    lines = {line["label"]: line["values"] for line in drawn["lines"]}
    assert drawn["names"][0].endswith("0.2")
    assert drawn["names"][-1].endswith("1")
    assert (lines["GLocal-K, ours"][0], lines["GLocal-K, ours"][-1]) == (10100, 8905)
    assert (lines["GLocal-K, published"][0], lines["SparseFC, published"][0]) == (10310, 10330)
    under = charts["fig2-ml_100k-validated"]["lines"]
    assert {line["label"]: line["values"][0] for line in under}["SparseFC, ours"] == 10500
    assert row_of(section(page, "fig2"), "ML-100K", "0.2")[:3] == ["1.031", "1.0100", "1.0400"]


def test_fig_3_draws_our_points_and_the_published_ones(charts):
    drawn = charts["fig3-ml_100k"]
    lines = {line["label"]: line["values"] for line in drawn["lines"]}
    assert lines["Published"] == [9012, 8970, 8921, 8905, 8916, 8947, 9003]
    assert lines["Ours, best_test"] == [9020, None, None, 8905, None, None, None]


def test_learning_curves_have_every_seed_and_the_mean(page, charts):
    drawn = charts["curve-glocal_k-ml_100k"]
    test, valid = drawn["lines"]
    assert drawn["names"] == [
        *("pre-training, epoch 1", "pre-training, epoch 2"),
        *("fine-tuning, epoch 1", "fine-tuning, epoch 2", "fine-tuning, epoch 3"),
    ]
    assert test["label"] == "Test, mean of 2 seeds"
    assert test["seeds"] == [[15000, 9500, 9200, 8900, 9100], [15010, 9510, 9210, 8910, 9110]]
    assert test["values"] == [15005, 9505, 9205, 8905, 9105]
    assert valid["values"] == [16000, 9600, 9100, 9300, 9400]
    assert "curve-bias-ml_100k" not in charts
    shown = re.search('id="curve-glocal_k-ml_100k".*?</figure>', page, flags=re.DOTALL)[0]
    assert re.findall('href="(records/.*?)"', shown) == [
        *("records/table1/run%200.json", "records/table1/run%201.json"),
    ]
    assert "published" not in shown
    assert "Published, .890" in shown


def test_long_curves_are_thinned_and_keep_both_ends():
    test = [2 - 0.005 * epoch for epoch in range(200)]
    made = record(curves={"final": curves(test, stages=(0, 200))})
    cells = table1_cells([made], read_published())
    ((_, chart),) = curve_charts(Material(cells, [made], ["a.json"], [], {}))
    (line,) = chart.lines
    assert len(line.points) == 90
    assert line.points[0] == (1, 2.0)
    assert line.points[-1][0] == 200
    assert line.points[-1][1] == pytest.approx(1.005)


def test_claims_show_the_measured_difference_and_a_verdict(page):
    claims = section(page, "claims")
    (table,) = re.findall(
        '<table class="data claims" id="claims-validated">.*?</table>', claims, re.S
    )
    (row,) = [row for row in rows(table) if row[:2] == ["ML-100K", "SparseFC"]]
    assert row[3:5] == ["−.0050", "−.0100"]
    assert re.search("holds|does not hold|cannot be told", row[2])
    (missing,) = [row for row in rows(table) if row[:2] == ["ML-100K", "MG-GAT"]]
    assert missing[2] == "– not measured"
    assert missing[4] == "–"


def test_the_gap_is_that_of_the_means(page):
    row = row_of(section(page, "gap"), "GLocal-K", "ML-100K")
    assert row[:3] == [".8905", ".9205", "−.0300"]
    assert row[5:] == ["2", "2 2", "1 1"]


def test_costs_are_sorted_by_seconds_not_by_their_text(page):
    line = re.search('<tr><th scope="row">GLocal-K.*?</tr>', section(page, "costs"))[0]
    assert 'data-value="25.000">25 s<' in line
    assert 'data-value="512.2">512<' in line


def test_every_record_is_listed_with_what_it_changes(records_page):
    assert ["ML-100K", "GLocal-K", "train_share=0.2 0"] in rows(section(records_page, "fig2"))
    assert ["ML-100K", "SparseFC", "0 1"] in rows(section(records_page, "table1"))
