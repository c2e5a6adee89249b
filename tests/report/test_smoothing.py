import csv
from math import sqrt

import pytest
from factory import curves, record

from glocalk.records.benchmark import Bench
from glocalk.report.cells import table1_cells
from glocalk.report.parts import Sources
from glocalk.report.published import read_published
from glocalk.report.smoothing import outcome, smoothed, smoothing_files, try_smoothing

FLAT = [1.0] * 17
VALLEY = {"at11": 0.8, "at12": 0.7, "at13": 0.6, "at14": 0.7, "at15": 0.8}


def seeds(*valid, **changes):
    """A run for each validation curve over the epochs of the last stage, after one of pre-training.

    Every test error is 9, and every validation error of the first stage 0: neither may count.
    """
    return [
        record(
            seed=seed,
            curves={
                "final": curves([9.0] * (1 + len(curve)), stages=(1, len(curve))),
                "selection": curves([9.0] * (1 + len(curve)), [0.0, *curve], (1, len(curve))),
            },
            **changes,
        )
        for seed, curve in enumerate(valid)
    ]


def cell(*records, model="glocal_k", data="ml_100k"):
    cells = table1_cells(records, read_published())
    return next(cell for cell in cells if (cell.model, cell.data) == (model, data))


def curve(**errors):
    """A flat curve with other errors at some epochs, as in `at4=.8`."""
    return [errors.get(f"at{epoch}", level) for epoch, level in enumerate(FLAT, start=1)]


# A sharp dip at epoch 5, and a shallow valley around 13, which the mean over five prefers.
SHARP = curve(at5=0.5, at11=0.9, at12=0.8, at13=0.8, at14=0.8, at15=0.9)


def test_the_mean_is_centered_and_shorter_at_the_ends():
    assert smoothed([1, 2, 6, 3, 8, 4]) == pytest.approx(
        [(1 + 2 + 6) / 3, (1 + 2 + 6 + 3) / 4, 20 / 5, 23 / 5, (6 + 3 + 8 + 4) / 4, (3 + 8 + 4) / 3]
    )
    assert smoothed([5, 1, 3], width=3) == pytest.approx([3, 3, 2])
    assert smoothed([5, 1, 3], width=1) == pytest.approx([5, 1, 3])


def test_epochs_are_judged_by_the_other_seeds_held_out_ratings():
    # Seed 0 dips at epoch 5 by chance, beside a valley around epoch 13 that all seeds have.
    noisy, calm = curve(at5=0.5, **VALLEY), curve(**VALLEY)
    other = curve(**{**VALLEY, "at13": 0.65, "at5": 0.9})
    made = try_smoothing(cell(*seeds(noisy, calm, other)))
    assert (made.raw, made.smoothed) == ((5, 13, 13), (13, 13, 13))
    # At 13 the others have .6 and .65, at 5 they have 1 and .9; two seeds do not change.
    assert made.difference == pytest.approx(((0.6 + 0.65) / 2 - (1 + 0.9) / 2) / 3)


def test_smoothing_may_choose_worse_epochs():
    made = try_smoothing(cell(*seeds(SHARP, SHARP)))
    assert (made.raw, made.smoothed) == ((5, 5), (13, 13))
    assert made.difference == pytest.approx(0.8 - 0.5)


def test_it_takes_two_selection_runs_over_the_same_epochs():
    assert try_smoothing(cell(*seeds(FLAT))) is None
    assert try_smoothing(cell(*seeds(FLAT, FLAT[:5]))) is None
    assert try_smoothing(cell(*seeds([1.0], [1.0]))) is None  # nothing to choose
    assert try_smoothing(cell(record(seed=0), record(seed=1))) is None


def test_the_outcome_over_cells():
    found = outcome([-0.003, -0.001, 0.0, 0.0])
    assert found.mean == pytest.approx(-0.001)
    # Squared deviations 4, 0, 1 and 1 millionths: variance 2 millionths, over 4 cells.
    assert found.error == pytest.approx(sqrt(2e-6 / 4))
    assert (found.better, found.worse) == (2, 0)
    assert not found.helps  # −.001 + 3.18 · .00071 > 0
    assert outcome([-0.003, -0.0031, -0.0029, -0.003]).helps
    assert not outcome([0.003, 0.0031, 0.0029, 0.003]).helps
    assert (outcome([-0.01]).error, outcome([-0.01]).helps) == (None, False)


def files(tmp_path, *records):
    return smoothing_files(Sources(records, [], Bench.read(tmp_path / "none.json")))


def test_the_report_draws_its_conclusion_from_the_records(tmp_path):
    worse = [run for data in ("ml_100k", "douban") for run in seeds(SHARP, SHARP, data=data)]
    made = files(tmp_path, *worse, *seeds(FLAT, FLAT, data="ml_1m"))
    text = " ".join(made["smoothing.md"].split())
    assert "Over 3 pairs of a model and a data set, smoothing changes the error by +.20000" in text
    assert "it is better in 0, worse in 2 and the same in 1. This shows no gain" in text
    assert "| GLocal-K | Douban | 2 | 5, 5 | 13, 13 | +.30000 |" in text
    rows = list(csv.DictReader(made["smoothing.csv"].splitlines()))
    assert [row["difference"] for row in rows] == ["0.300000", "0.000000", "0.300000"]
    assert rows[0]["epochs_smoothed"] == "13 13"


def test_the_report_would_say_that_smoothing_helps(tmp_path):
    pair = (curve(at4=0.5, **VALLEY), curve(at6=0.5, **VALLEY))
    runs = [run for data in ("ml_100k", "ml_1m", "douban") for run in seeds(*pair, data=data)]
    assert "Smoothing chooses better epochs" in files(tmp_path, *runs)["smoothing.md"]


def test_without_such_runs_there_is_no_report(tmp_path):
    assert files(tmp_path, record()) == {}
