import numpy as np
import pytest
from study import base, csv_rows, other, table

from glocalk.report.experiments import experiment_files
from glocalk.report.fig2 import fig2_figure
from glocalk.report.parts import Sources

RECORDS = [
    base(0.890, validated=0.892, seed=0),
    base(0.896, validated=0.898, model="sparse_fc", seed=0),
    other("fig2", best=1.00, validated=1.03, last=1.2, seed=0, train_share=0.2),
    other("fig2", best=1.02, validated=1.05, last=1.4, seed=1, train_share=0.2),
    other("fig2", best=1.05, validated=1.06, seed=0, train_share=0.2, model="sparse_fc"),
    other("fig2", best=0.92, validated=0.93, seed=0, train_share=0.6),
]


@pytest.fixture(scope="module")
def files():
    return experiment_files("fig2", Sources(RECORDS))


@pytest.fixture(scope="module")
def figure():
    return fig2_figure(RECORDS)


def lines(figure, place):
    return {line.get_label(): line for line in figure.axes[place].lines}


def test_it_is_made_as_table_and_as_figure(files):
    assert sorted(files) == ["fig2.csv", "fig2.md", "fig2.png", "fig2.svg", "fig2.tex"]
    assert files["fig2.png"].startswith(b"\x89PNG\r\n")
    assert len(files["fig2.png"]) < 60_000
    assert '<img src="fig2.svg"' in files["fig2.md"]


def test_each_share_has_ours_beside_the_published(files):
    rows = table(files["fig2.md"])
    assert [row[:2] for row in rows] == [
        [data, f"0.{share}" if share < 10 else "1.0"]
        for data in ("ML-100K", "Douban")
        for share in range(2, 11)
    ]
    # GLocal-K − SparseFC over seed 0, which both have: 1.00 − 1.05 and 1.03 − 1.06.
    assert rows[0][2:] == [
        *("1.031", "1.0100 ± .0141", "1.0400 ± .0141", "2"),
        *("1.033", "1.0500", "1.0600", "1"),
        *("−.0020", "−.0500", "−.0300"),
    ]
    assert rows[4][2:] == [
        *(".917", ".9200", ".9300", "1", ".923", "–", "–", "–", "−.0060", "–", "–"),
    ]
    assert rows[8][2:] == [
        *(".890", ".8900", ".8920", "1", ".895", ".8960", ".8980", "1"),
        *("−.0050", "−.0060", "−.0060"),
    ]
    assert rows[9][2:6] == [".8253", "–", "–", "–"]


def test_the_csv_has_every_point_and_the_last_epoch(files):
    rows = csv_rows(files["fig2.csv"])
    assert len(rows) == 2 * 2 * 9
    first = rows[0]
    assert [first[name] for name in ("data", "model", "train_share", "published", "seeds")] == [
        *("ml_100k", "glocal_k", "0.2", "1.031", "0 1"),
    ]
    assert float(first["last_mean"]) == pytest.approx(1.3)


def test_lines_are_means_and_dots_are_seeds(figure):
    drawn = lines(figure, 0)  # ML-100K, best_test
    assert figure.axes[0].get_title() == "ML-100K"
    np.testing.assert_allclose(drawn["GLocal-K, ours"].get_xdata(), [0.2, 0.6, 1.0])
    np.testing.assert_allclose(drawn["GLocal-K, ours"].get_ydata(), [1.01, 0.92, 0.89])
    np.testing.assert_allclose(drawn["SparseFC, ours"].get_ydata(), [1.05, 0.896])
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    assert [list(line.get_ydata()) for line in dots] == [[1.00, 1.02]]
    published = drawn["SparseFC, published"].get_ydata()
    np.testing.assert_allclose(published[[0, -1]], [1.033, 0.895])
    validated = lines(figure, 2)  # below it
    np.testing.assert_allclose(validated["GLocal-K, ours"].get_ydata(), [1.04, 0.93, 0.892])


def test_differences_have_their_own_panel(figure):
    drawn = lines(figure, 4)
    np.testing.assert_allclose(drawn["Difference, published"].get_ydata()[:2], [-0.002, -0.003])
    np.testing.assert_allclose(drawn["Difference, best_test"].get_ydata(), [-0.05, -0.006])
    np.testing.assert_allclose(drawn["Difference, validated"].get_ydata(), [-0.03, -0.006])


def test_models_differ_in_color_and_in_marker_and_published_curves_are_dashed(figure):
    drawn = lines(figure, 0)
    ours, other_model = drawn["GLocal-K, ours"], drawn["SparseFC, ours"]
    assert ours.get_color() != other_model.get_color()
    assert ours.get_marker() != other_model.get_marker()
    assert ours.get_linestyle() == "-"
    assert drawn["GLocal-K, published"].get_linestyle() == "--"


def test_it_is_as_wide_as_a_column(figure):
    assert figure.get_figwidth() * 2.54 == pytest.approx(8, abs=0.01)
