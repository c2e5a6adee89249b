import csv

import pytest
from factory import baseline, curves, record

from glocalk.records.benchmark import Bench
from glocalk.report.gap import gap_figure, gap_files, gap_of
from glocalk.report.parts import Sources
from report.claims.runs import run

CURVES = {"final": curves([1.0] * 5)}


def runs(best, validated, **changes):
    """A seed for each pair of errors."""
    made = []
    for seed, (low, high) in enumerate(zip(best, validated, strict=True)):
        one, other = (run(rmse, seed=seed, curves=CURVES, **changes) for rmse in (low, high))
        result = other.protocols["validated"]
        errors = {**one.user_errors, "final/validated": other.user_errors["final/validated"]}
        protocols = {**one.protocols, "validated": result}
        made.append(one.model_copy(update={"protocols": protocols, "user_errors": errors}))
    return made


def sources(tmp_path, *records):
    return Sources(records, [], Bench.read(tmp_path / "none.json"))


def gaps(tmp_path, *records):
    made = sources(tmp_path, *records)
    return [gap_of(cell, made.measured) for cell in made.cells if cell.runs]


def test_the_gap_is_best_test_minus_validated(tmp_path):
    (gap,) = gaps(tmp_path, *runs((0.89, 0.90), (0.893, 0.901)))
    assert gap.difference.estimate == pytest.approx(-0.002)
    assert gap.by_seed == pytest.approx((-0.003, -0.001))
    assert (gap.best_test, gap.validated) == pytest.approx((0.895, 0.897))
    low, high = gap.difference.interval
    assert low <= gap.difference.estimate <= high < 0


def test_only_seeds_with_both_protocols_count(tmp_path):
    unchosen = run(0.5, seed=7, without=("validated",), curves=CURVES)
    (gap,) = gaps(tmp_path, *runs((0.89,), (0.893,)), unchosen)
    assert gap.best_test == pytest.approx(0.89)
    assert gaps(tmp_path, unchosen) == [None]


def test_the_csv_and_the_table_leave_out_models_without_epochs(tmp_path):
    made = gap_files(sources(tmp_path, *runs((0.89, 0.90), (0.893, 0.901)), baseline()))
    (row,) = csv.DictReader(made["gap.csv"].splitlines())
    assert (row["model"], row["data"], row["seeds"]) == ("glocal_k", "ml_100k", "2")
    assert (row["best_test_mean"], row["gap"]) == ("0.895000", "-0.002000")
    assert "| GLocal-K | ML-100K | .8950 | .8970 | −.0020 | [−.00" in made["gap.md"]
    assert made["gap.png"].startswith(b"\x89PNG")
    assert made["gap.svg"].startswith("<?xml")


def test_without_epochs_there_is_no_figure(tmp_path):
    assert gap_files(sources(tmp_path, baseline(), record())) == {}


def test_the_figure_has_a_panel_for_each_data_set_and_a_row_for_each_model(tmp_path):
    made = gaps(
        tmp_path,
        *runs((0.89, 0.90), (0.893, 0.901)),
        *runs((0.72,), (0.724,), data="douban"),
        *runs((0.91,), (0.911,), model="bias_mf"),
    )
    panels = gap_figure(made).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["ML-100K", "Douban"]
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["Biased MF", "GLocal-K"]
    means, seeds = (line.get_xydata().tolist() for line in panels[0].lines[1:])
    assert means == [pytest.approx([-0.001, 0]), pytest.approx([-0.002, 1])]
    assert sorted(map(tuple, seeds)) == [
        pytest.approx(dot) for dot in ((-0.003, 1), (-0.001, 0), (-0.001, 1))
    ]
    (intervals,) = panels[1].collections
    ((low, row), (high, _)) = intervals.get_segments()[0]
    assert (row, low <= -0.004 <= high) == (1, True)
