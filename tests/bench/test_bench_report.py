import csv
import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from glocalk.records.benchmark import (
    Bench,
    Evaluation,
    Origin,
    ScalingPoint,
    StageCost,
    WholeTraining,
)
from glocalk.report.bench import bench_texts

ORIGIN = Origin(commit="f" * 40, dirty=False, versions={"torch": "2.13.0"}, threads=2, cpu="Z80")


def evaluation(formulation, seconds, **options):
    defaults = {
        "data": "ml_100k",
        "stage": "finetune",
        "seconds_kept": [second / 2 for second in seconds],
        "peak_mb": 1234.5,
        "max_rel_grad_error": 2.34e-7,
        "live_share": 0.0567,
    }
    return Evaluation(formulation=formulation, seconds=seconds, **{**defaults, **options})


def bench():
    return Bench(
        origins=dict.fromkeys(("evaluations", "trainings", "scaling"), ORIGIN),
        evaluations=[
            evaluation("dense_literal", [3.0, 2.0, 4.0]),
            evaluation("dense_matmul", [1.5, 1.5, 0.5]),
            evaluation("sparse", [0.2, 0.25, 0.5], seconds_kept=[0.2, 0.1, 0.3]),
        ],
        trainings=[
            WholeTraining(
                data="ml_100k",
                stages=[
                    StageCost(
                        stage="pretrain",
                        epochs=3,
                        evaluations=16,
                        seconds=10.0,
                        gradient_seconds=8.0,
                        optimizer_seconds=1.5,
                    ),
                    StageCost(
                        stage="finetune",
                        epochs=6,
                        evaluations=31,
                        seconds=30.0,
                        gradient_seconds=26.0,
                        optimizer_seconds=3.0,
                    ),
                ],
                evaluation_seconds=2.5,
                peak_mb=900.0,
            )
        ],
        scaling=[
            ScalingPoint(
                stage=stage,
                ratings=ratings,
                users=70,
                items=10,
                evaluations=6,
                seconds=ratings * 1e-6,
                optimizer_seconds=0.5,
                peak_mb=500.0,
            )
            for ratings in (100_000, 1_000_000)
            for stage in ("pretrain", "finetune")
        ],
    )


def rows_of(texts, name):
    return list(csv.DictReader(io.StringIO(texts[Path("out") / name])))


def test_ratios_are_of_medians():
    rows = rows_of(bench_texts(bench(), Path("out")), "bench.csv")
    assert [row["ratio_to_dense_matmul"] for row in rows] == ["0.50", "1.00", "6.00"]
    assert [row["ratio_to_dense_literal"] for row in rows] == ["1.00", "2.00", "12.00"]
    assert rows[2] == {
        "data": "ml_100k",
        "stage": "finetune",
        "formulation": "sparse",
        "seconds_median": "0.2500",
        "seconds_min": "0.2000",
        "ratio_to_dense_matmul": "6.00",
        "ratio_to_dense_literal": "12.00",
        "peak_mb": "1234",
        "max_rel_grad_error": "2.3e-07",
        "live_share": "0.0567",
        "threads": "2",
        "seconds_median_kept": "0.2000",
        "ratio_to_dense_matmul_kept": "3.75",  # 1.5 / 2 by 0.2
    }


def test_a_training_s_parts_add_up():
    rows = rows_of(bench_texts(bench(), Path("out")), "bench_training.csv")
    seconds = {row["part"]: float(row["seconds"]) for row in rows}
    assert seconds == {"pretrain": 10, "finetune": 30, "evaluation": 2.5, "total": 42.5}
    other = {row["part"]: float(row["other_seconds"]) for row in rows}
    # 42.5 s less 34 s of gradients and 4.5 s of the optimizer
    assert other == {"pretrain": 0.5, "finetune": 1, "evaluation": 2.5, "total": 4}
    (total,) = (row for row in rows if row["part"] == "total")
    assert (total["epochs"], total["evaluations"]) == ("9", "47")


def test_the_page_names_where_it_was_measured():
    text = bench_texts(bench(), Path("out"))[Path("out/bench.md")]
    assert text.count("Z80, 2 threads, torch 2.13.0, commit ffffffffffff.") == 3
    assert "| 42.5 | 10.0 | 30.0 | 34.0 | 4.5 | 2.5 | 1.5 | 9.4% | 900 |" in text
    assert "| pre-training | 1,000,000 | 70 | 10 | 1.000 | 0.500 | 1.000 | 500 |" in text


def test_uncommitted_changes_are_told():
    origin = ORIGIN.model_copy(update={"dirty": True})
    changed = bench().model_copy(update={"origins": dict.fromkeys(bench().origins, origin)})
    assert "with uncommitted changes" in bench_texts(changed, Path("out"))[Path("out/bench.md")]


def test_the_figure_is_the_same_every_time():
    first, second = (bench_texts(bench(), Path("out")) for _ in range(2))
    assert first == second
    ET.fromstring(first[Path("out/bench_scaling.svg")])


@pytest.mark.parametrize("part", ["evaluations", "trainings", "scaling"])
def test_a_part_alone_is_shown_alone(part):
    alone = Bench(origins={part: ORIGIN}, **{part: getattr(bench(), part)})
    names = {path.name for path in bench_texts(alone, Path("out"))}
    assert names == {
        "bench.md",
        *{
            "evaluations": ["bench.csv"],
            "trainings": ["bench_training.csv"],
            "scaling": ["bench_scaling.csv", "bench_scaling.svg"],
        }[part],
    }


def test_nothing_measured_shows_nothing():
    assert bench_texts(Bench(), Path("out")) == {}
