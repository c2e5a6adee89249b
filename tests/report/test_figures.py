import matplotlib as mpl
import numpy as np
import pytest
from factory import baseline, curves, record

from glocalk.report.cells import table1_cells
from glocalk.report.figures import curves_figure, curves_svg, has_curves
from glocalk.report.published import read_published

TEST = [1.5, 0.95, 0.92, 0.89, 0.91]  # two epochs of pre-training, three of fine-tuning
VALID = [1.6, 0.96, 0.91, 0.93, 0.94]


def run(seed=0, up=0.0, alone=False, **changes):
    trainings = {"final": curves([error + up for error in TEST])}
    if not alone:
        trainings["selection"] = curves([error + 0.01 for error in TEST], VALID)
    protocols = {"best": 0.89 + up, "validated": 0.92 + up, "last": 0.91 + up}
    return record(**protocols, seed=seed, curves=trainings, **changes)


def cell(*records):
    (made,) = [made for made in table1_cells(records, read_published()) if made.runs]
    return made


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].lines}


def test_the_means_of_test_and_validation_errors():
    drawn = lines(curves_figure(cell(run(0), run(1, up=0.02))))
    test = drawn["Test, mean of 2 seeds"]
    np.testing.assert_array_equal(test.get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(test.get_ydata(), [1.51, 0.96, 0.93, 0.90, 0.92])
    np.testing.assert_allclose(drawn["Held-out ratings, mean of 2 seeds"].get_ydata(), VALID)
    np.testing.assert_array_equal(drawn["Published (.890)"].get_ydata(), [0.89, 0.89])


def test_every_seed_is_drawn_and_a_single_one_once():
    several = [
        line.get_ydata() for line in curves_figure(cell(run(0), run(1, up=0.02))).axes[0].lines
    ]
    for seed in ([*TEST], [error + 0.02 for error in TEST]):
        assert sum(len(y) == 5 and np.allclose(y, seed) for y in several) == 1
    single = [line.get_ydata() for line in curves_figure(cell(run(0))).axes[0].lines]
    assert sum(len(y) == 5 and np.allclose(y, TEST) for y in single) == 1


def test_chosen_epochs_are_those_of_the_last_stage():
    drawn = lines(curves_figure(cell(run(0), run(1, up=0.02))))
    for label, epoch, error in (
        ("best_test (.9000)", 4, 0.89),
        ("validated (.9300)", 3, 0.92),
        ("last (.9200)", 5, 0.91),
    ):
        np.testing.assert_array_equal(drawn[label].get_xdata(), [epoch, epoch])
        np.testing.assert_allclose(drawn[label].get_ydata(), [error, error + 0.02])


def test_seeds_that_borrow_their_epoch_have_no_validation_curve():
    lent = run(1, alone=True, validated_epoch_from_seed=0)
    assert "Held-out ratings, one seed" in lines(curves_figure(cell(run(0), lent)))
    alone = lines(curves_figure(cell(lent)))
    assert not any(label.startswith("Held-out") for label in alone)


def test_the_limits_show_what_was_chosen_and_clip_the_start():
    test = [9.0, 3.0, *np.linspace(0.95, 0.89, 30), 1.2]
    stages = (2, 31)
    made = record(0.89, 0.9, 1.2, curves={"final": curves(test, stages=stages)})
    low, high = curves_figure(cell(made)).axes[0].get_ylim()
    assert 0.8 < low < 0.89
    assert 1.2 < high < 1.3


def test_a_figure_without_a_published_figure():
    drawn = lines(curves_figure(cell(run(data="synthetic"))))
    assert not any(label.startswith("Published") for label in drawn)


def test_has_curves():
    assert has_curves(cell(run()))
    assert not has_curves(cell(baseline()))
    one_row = record(curves={"final": curves([0.9], stages=(0, 1))})
    assert not has_curves(cell(one_row))


def test_the_same_text_each_time_whatever_the_users_style():
    made = cell(run(0), run(1, up=0.02))
    text = curves_svg(made)
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "none", "svg.hashsalt": None}):
        assert curves_svg(made) == text
        assert mpl.rcParams["font.size"] == 20
    assert text.startswith("<?xml")
    assert "<dc:date>" not in text
    assert mpl.__version__ not in text


@pytest.mark.parametrize("data", ["ml_100k", "douban"])
def test_figures_tell_data_sets_apart(data):
    figure = curves_figure(cell(run(data=data)))
    title = {"ml_100k": "GLocal-K on ML-100K", "douban": "GLocal-K on Douban"}[data]
    assert figure.axes[0].get_title(loc="left") == title
