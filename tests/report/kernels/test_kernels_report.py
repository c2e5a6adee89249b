import csv
import io
import statistics

import numpy as np
import pytest
from study_of_kernels import TAPS, run, stall

from glocalk.records.benchmark import Bench
from glocalk.report.kernels.ablations import ablations
from glocalk.report.kernels.tables import kernels_files, kernels_texts
from glocalk.report.kernels.traced import Traced
from glocalk.report.parts import Sources


def csv_rows(text):
    """The rows of a csv as dicts."""
    return list(csv.DictReader(io.StringIO(text)))


def texts(*records, bench=None):
    return kernels_texts(Sources(list(records), stall=bench or Bench()))


def section(text, title):
    """The lines of a section."""
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [line[2:-2].split(" | ") for line in lines[2:]]


def test_without_traces_there_is_no_report():
    assert texts() == {}
    assert texts(run(traces=[]), bench=stall()) == {}
    assert texts(run(experiment="table1")) == {}


def test_a_run_tells_its_taps_its_live_cells_and_its_epochs_that_stand_still():
    traced = Traced(run(center=-3.0, losses=(9, 9, 9 - 1e-7)))
    assert traced.taps.shape == (4, 9)
    assert traced.center.tolist() == [-3, 8, 8, 8]
    assert traced.positive == [1, 2, 2, 2]
    assert traced.live[:, 0].tolist() == [0.04, 0.03, 0.02, 0.01]
    assert (traced.redraws, traced.still) == (2, 2)


def test_the_csv_has_a_row_for_each_run():
    made = texts(run(seed=3, center=-3.0), run(model="glocal_k_scalar", best=0.9))["kernels.csv"]
    first, second = csv_rows(made)
    assert first == {
        "data": "ml_100k",
        "model": "glocal_k",
        "variant": "default",
        "seed": "3",
        "redraws": "2",
        "still_epochs": "0",
        "center_start": "-3.0000",
        "positive_taps_start": "1",
        "center_end": "8.0000",
        "positive_taps_end": "2",
        "live_start": "0.040000",
        "live_rated_start": "0.400000",
        "live_end": "0.010000",
        "live_rated_end": "0.100000",
        "best_test": "0.890000",
        "last": "0.910000",
    }
    assert (second["model"], second["best_test"]) == ("glocal_k_scalar", "0.900000")


def test_taps_are_summed_up_over_seeds():
    text = texts(*(run(seed, center) for seed, center in enumerate((-3.0, 2.0, 9.0))))["kernels.md"]
    (row,) = rows(section(text, "Taps and live cells"))
    neighbors = (sum(TAPS) - 8) / 8
    assert row == [
        *("ML-100K", "3", "2.0 [−3.0, 9.0]", "8.0", f"{neighbors:.1f}".replace("-", "−")),
        *("2 [1, 2]", "2", "4.0 %", "1.0 %", "10.0 %", "0"),
    ]


def test_errors_that_follow_the_start_are_found_and_others_are_not():
    seeds = range(12)
    follows = [run(s, center=1.0 + s, last=0.9 + 0.001 * s, live=0.02) for s in seeds]
    text = section(texts(*follows)["kernels.md"], "Is the error explained by the initial kernel?")
    found = {(start, error): cells for _, start, error, *cells in rows(text)}
    assert found["center", "last"][0] == "+1.00"
    assert found["center", "best"] == ["–"] * 4  # all equal
    assert found["live share", "last"] == ["–"] * 4
    assert "these differ from 0: center with last on ML-100K." in text

    errors = np.random.default_rng(1).permutation(12) / 1000
    others = [run(s, center=1.0 + s, last=0.9 + errors[s]) for s in seeds]
    assert "none differs from 0" in texts(*others)["kernels.md"]
    assert "Is the error explained" not in texts(*follows[:4])["kernels.md"]


def test_ablations_are_compared_on_the_seeds_that_both_have():
    plain = [run(s, last=0.9 + s / 100, best=0.88) for s in range(4)]
    scalar = [run(s, model="glocal_k_scalar", last=0.93, best=0.88, traces=[]) for s in (1, 2, 7)]
    made = ablations([*plain, *scalar])
    assert [(row.model, row.seeds) for row in made] == [
        ("glocal_k", [0, 1, 2, 3]),
        ("glocal_k_scalar", [1, 2]),
    ]
    (_, row) = made
    assert row.minus["last"].estimate == pytest.approx(0.93 - statistics.fmean([0.91, 0.92]))
    assert row.minus["last"].interval.low < 0.015 < row.minus["last"].interval.high
    assert row.minus["best_test"].estimate == pytest.approx(0)
    assert row.by_seed["last"] == pytest.approx([0.02, 0.01])

    text = section(texts(*plain, *scalar)["kernels.md"], "Ablations")
    first, second = rows(text)
    assert first[:3] == ["ML-100K", "GLocal-K", "0–3"]
    assert second[:3] == ["ML-100K", "one trained number", "1, 2"]
    assert second[7:9] == [".9300 ± .0000", "+.0150"]
    # The errors of one user alone differ: no test over users can tell the models apart.
    assert "ML-100K, one trained number: no difference to GLocal-K can be told" in text


def test_a_difference_that_holds_over_users_is_called_by_its_side():
    users = {"user_counts": [3] * 40}
    errors = {s: np.full(40, 3 * (0.9 + s / 1000) ** 2) for s in (0, 1, 2)}

    def made(seed, shift, **changes):
        plain = run(seed, last=0.9 + seed / 1000 + shift, **users, **changes)
        key = plain.protocols["last"].user_errors
        jitter = np.linspace(-0.01, 0.01, 40) if shift else 0
        spread = errors[seed] * ((0.9 + seed / 1000 + shift) / (0.9 + seed / 1000)) ** 2 + jitter
        return plain.model_copy(update={"user_errors": {**plain.user_errors, key: spread.tolist()}})

    records = [made(s, 0.0) for s in (0, 1, 2)]
    records += [made(s, 0.01, model="glocal_k_decayed") for s in (0, 1, 2)]
    text = section(texts(*records)["kernels.md"], "Ablations")
    assert "ML-100K, penalized item kernels: worse than GLocal-K (+.0100, interval [" in text
    assert "over seeds [+.0100, +.0100])" in text  # the same for each

    shifts = [0.01, 0.02, -0.005]  # mean .0083, s .0126, 4.303 s / √3 = .0313
    records = [made(s, 0.0) for s in (0, 1, 2)]
    records += [made(s, shifts[s], model="glocal_k_decayed") for s in (0, 1, 2)]
    text = section(texts(*records)["kernels.md"], "Ablations")
    assert "penalized item kernels: no difference to GLocal-K can be told (+.0083, inter" in text
    assert "over seeds [−.0229, +.0396])" in text


def test_a_kink_is_told_from_what_is_none():
    text = texts(run(), bench=stall())["kernels.md"]
    told = section(text, "Epochs that stand still")
    assert "stands still at a loss of 325,042.8" in told
    assert "the loss rises in both precisions; without the item kernels it falls." in told
    assert "The tap nearest to 0 is −2e-06." in told
    assert "1,234 cells more are live" in told
    assert "It is a kink of the ReLU" in told
    assert "one with the item kernels held by −4,666" in told
    first = rows(told)[0]
    assert first == ["all parameters", "single", "−1e+06", "1.25", "3"]
    other = texts(run(), bench=stall(below=2.0))["kernels.md"]
    assert "this is not a minimum along the tap" in other


def test_held_kernels_stand_beside_the_run_that_they_change():
    held = {"variant": "model.hold_kernels=true", "options": {"hold_kernels": True}}
    records = [
        run(2, data="ml_1m", losses=(9, 9, 9), best=0.828),
        run(2, data="ml_1m", best=0.823, **held),
        run(3, data="ml_1m", best=0.8, **held),  # nothing to compare with
    ]
    told = section(texts(*records)["kernels.md"], "Epochs that stand still")
    off, on = rows(told)
    assert off[:5] == ["ML-1M", "2", "off", "2", "–"]
    assert on[:5] == ["ML-1M", "2", "on", "0", "–"]
    assert (off[6], on[6]) == (".8280", ".8230")
    assert "the option changes" not in told  # no run has a selection run
    assert "Epochs that stand still" not in texts(run(2, data="ml_1m"))["kernels.md"]


def test_held_kernels_are_judged_on_held_out_ratings_of_fine_tuning():
    def both(*valid):
        made = run().curves["final"]
        return {"final": made, "selection": made.model_copy(update={"valid_rmse": [*valid]})}

    held = {"variant": "model.hold_kernels=true", "options": {"hold_kernels": True}}
    # Of two epochs of pre-training and three of fine-tuning; the lowest of all is of pre-training.
    records = [
        run(2, curves=both(0.9, 0.80, 0.85, 0.84, 0.86)),
        run(2, curves=both(0.9, 0.80, 0.83, 0.82, 0.825), **held),
    ]
    told = section(texts(*records)["kernels.md"], "Epochs that stand still")
    off, on = rows(told)
    assert (off[4], on[4]) == (".8400", ".8200")
    assert "seed 2: the option changes the lowest error on held-out ratings by −.0200." in told


def test_the_figure_has_a_panel_for_each_seed_and_the_same_bytes_each_time():
    records = [*(run(s) for s in range(6)), run(2, data="douban")]
    first, again = kernels_files(Sources(records)), kernels_files(Sources(records))
    assert first == again
    assert first.keys() == {f"kernels.{suffix}" for suffix in ("csv", "md", "svg", "png")}
    assert first["kernels.svg"].startswith("<?xml")
    assert first["kernels.png"].startswith(b"\x89PNG")
