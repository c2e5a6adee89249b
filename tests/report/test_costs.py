import pytest
from factory import record

from glocalk.report.cells import table1_cells
from glocalk.report.costs import costs_markdown
from glocalk.report.layout import duration


def rows(*records):
    lines = costs_markdown(table1_cells(records, [])).splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def made(training, peak=512.25, **changes):
    return record(seconds={"total": 999.0, "final": training}, peak_rss_mb=peak, **changes)


def test_a_row_has_the_median_training_and_the_greatest_peak_of_each_data_set():
    seeds = [made(t, p, seed=s) for s, (t, p) in enumerate([(80.0, 9), (95.0, 1234.6), (91.0, 8)])]
    assert rows(*seeds, made(372.0, data="douban")) == [
        ["glocal_k", "cpu", "2", "91 s", "1,235", "–", "–", "6.2 min", "512"],
    ]


def test_other_machines_have_rows_of_their_own():
    first, second = rows(made(0.4), made(5.0, data="ml_1m", threads=1, device="cuda"))
    assert first == ["glocal_k", "cpu", "2", "< 1 s", "512", *["–"] * 4]
    assert second == ["glocal_k", "cuda", "1", "–", "–", "5 s", "512", "–", "–"]


def test_runs_with_changed_options_cost_nothing_here():
    assert rows(made(5.0, variant="model.lambda_2=40")) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.99, "< 1 s"),
        (1.0, "1 s"),
        (99.4, "99 s"),
        (99.5, "1.7 min"),  # 1.66
        (5990.0, "99.8 min"),
        (6000.0, "1.7 h"),
    ],
)
def test_durations_are_read_at_a_glance(seconds, text):
    assert duration(seconds) == text
