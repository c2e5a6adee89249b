"""The committed records: each lies at its place, and its figures are those of its own curves."""

from pathlib import Path

import pytest

from glocalk.records.run import read_records
from glocalk.report.promote import place_of

FOLDER = Path(__file__).parents[2] / "reports" / "records"
METRICS = ("rmse", "mae", "ndcg")


@pytest.fixture(scope="module")
def records():
    made = dict(zip(sorted(FOLDER.glob("**/*.json")), read_records(FOLDER), strict=True))
    assert len(made) > 300
    return made


def test_each_record_lies_at_its_place(records):
    misplaced = [path for path, made in records.items() if path != FOLDER / place_of(made)]
    assert not misplaced


STAGES = {"validated": "validated", "held_out": "validated"}  # of a combination, by protocol


def test_the_figures_of_each_record_are_those_of_its_curves(records):
    compared = 0
    for path, made in records.items():
        for name, result in made.protocols.items():
            curves = made.curves[result.training]
            # A combination has no epochs, and a row of its curves for each way to combine.
            stage = STAGES.get(name, "last") if made.members else curves.stage[-1]
            first = curves.stage.index(stage)
            for metric in METRICS:
                figure = getattr(result, metric)
                if figure is None:
                    continue
                row = curves.epoch.index(getattr(result, f"{metric}_epoch"), first)
                expected = getattr(curves, f"test_{metric}")[row]
                assert figure == pytest.approx(expected, rel=1e-5), (path, name, metric)
                compared += 1
    assert compared > 8 * len(records)
