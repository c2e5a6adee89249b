"""The tables and the figure of the benchmark."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glocalk.records.benchmark import Bench, Evaluation, Origin, ScalingPoint, WholeTraining
from glocalk.report.alternatives import alternatives_text, products_table
from glocalk.report.busy import busy_text
from glocalk.report.cells import data_title
from glocalk.report.layout import NOTHING, csv_text, markdown_table, number, whole
from glocalk.report.style import svg_text

_STAGES = {"pretrain": "pre-training", "finetune": "fine-tuning"}
_COLORS = {"pretrain": "#0072B2", "finetune": "#D55E00"}
_EVALUATION_COLUMNS = (
    *("data", "stage", "formulation", "seconds_median", "seconds_min"),
    *("ratio_to_dense_matmul", "ratio_to_dense_literal", "peak_mb", "max_rel_grad_error"),
    *("live_share", "threads"),
)
_TRAINING_COLUMNS = (
    *("data", "part", "epochs", "evaluations", "seconds", "gradient_seconds"),
    *("optimizer_seconds", "other_seconds", "peak_mb", "threads"),
)
_SCALING_COLUMNS = (
    *("stage", "ratings", "users", "items", "evaluations", "gradient_seconds"),
    *("optimizer_seconds", "peak_mb", "threads"),
)


def bench_texts(bench: Bench, out_dir: Path) -> dict[Path, str]:
    """Return the text of every file that shows the benchmark, by path; only of measured parts."""
    texts = {}
    if bench.evaluations:
        texts[out_dir / "bench.csv"] = _evaluation_csv(bench)
    if bench.trainings:
        texts[out_dir / "bench_training.csv"] = _training_csv(bench)
    if bench.scaling:
        texts[out_dir / "bench_scaling.csv"] = _scaling_csv(bench)
        texts[out_dir / "bench_scaling.svg"] = svg_text(lambda: scaling_figure(bench.scaling))
    if bench.origins:
        texts[out_dir / "bench.md"] = _markdown(bench)
    return texts


def speedup(found: Evaluation, formulation: str, all_found: Sequence[Evaluation]) -> float:
    """Return the median time of `formulation` over that of `found`.

    Args:
        found: the evaluation to compare.
        formulation: name of the formulation to compare it with.
        all_found: every evaluation.
    """
    (other,) = (
        each
        for each in all_found
        if (each.data, each.stage, each.formulation) == (found.data, found.stage, formulation)
    )
    return statistics.median(other.seconds) / statistics.median(found.seconds)


def _evaluation_csv(bench: Bench) -> str:
    threads = whole(bench.origins["evaluations"].threads)
    rows = [
        [
            found.data,
            found.stage,
            found.formulation,
            number(statistics.median(found.seconds), 4),
            number(min(found.seconds), 4),
            number(speedup(found, "dense_matmul", bench.evaluations), 2),
            number(speedup(found, "dense_literal", bench.evaluations), 2),
            number(found.peak_mb, 0),
            f"{found.max_rel_grad_error:.1e}",
            number(found.live_share, 4),
            threads,
        ]
        for found in bench.evaluations
    ]
    return csv_text(_EVALUATION_COLUMNS, rows)


def _training_csv(bench: Bench) -> str:
    threads = whole(bench.origins["trainings"].threads)
    rows = [
        [training.data, *row, number(training.peak_mb, 0), threads]
        for training in bench.trainings
        for row in _training_rows(training)
    ]
    return csv_text(_TRAINING_COLUMNS, rows)


def _training_rows(training: WholeTraining) -> list[list[str]]:
    """Return a row for each stage, one for evaluation and one for the total."""
    rows: list[list[str]] = []
    for cost in training.stages:
        counts = whole(cost.epochs), whole(cost.evaluations)
        other = cost.seconds - cost.gradient_seconds - cost.optimizer_seconds
        seconds = cost.seconds, cost.gradient_seconds, cost.optimizer_seconds, other
        rows.append([cost.stage, *counts, *(number(each, 2) for each in seconds)])
    evaluating = training.evaluation_seconds
    rows.append(["evaluation", "", "", number(evaluating, 2), "", "", number(evaluating, 2)])
    gradient = sum(cost.gradient_seconds for cost in training.stages)
    optimizer = sum(cost.optimizer_seconds for cost in training.stages)
    total = _total(training)
    rows.append(
        [
            "total",
            whole(sum(cost.epochs for cost in training.stages)),
            whole(sum(cost.evaluations for cost in training.stages)),
            *(number(each, 2) for each in (total, gradient, optimizer)),
            number(total - gradient - optimizer, 2),
        ]
    )
    return rows


def _total(training: WholeTraining) -> float:
    return sum(cost.seconds for cost in training.stages) + training.evaluation_seconds


def _scaling_csv(bench: Bench) -> str:
    threads = whole(bench.origins["scaling"].threads)
    rows = [
        [
            point.stage,
            whole(point.ratings),
            whole(point.users),
            whole(point.items),
            whole(point.evaluations),
            number(point.seconds, 4),
            number(point.optimizer_seconds, 4),
            number(point.peak_mb, 0),
            threads,
        ]
        for point in bench.scaling
    ]
    return csv_text(_SCALING_COLUMNS, rows)


def _markdown(bench: Bench) -> str:
    parts = ["# Benchmark\n\nMade by `make bench`; `make report` renders it.\n"]
    if bench.evaluations:
        parts.append(
            "## One loss and gradient\n\n"
            "Median seconds, and how many times faster than the dense forms; float32. "
            "`dense_literal` follows the paper step by step; `dense_matmul` is our best dense "
            "form, which computes nothing twice; `sparse` is the form that a run uses. "
            "Measured two epochs into each stage. *Live* is the share of cells of the convolved "
            "matrix above zero. "
            "Memory is the peak of a process that makes one such evaluation, Python and libraries "
            "included. *Gradient error* compares the gradient with that of `dense_literal` in "
            "float64: the largest error of a component over the largest component, for the worst "
            "parameter.\n\n"
            + _evaluation_table(bench.evaluations)
            + _origin(bench.origins["evaluations"])
        )
    if bench.trainings:
        parts.append(
            "## One whole training\n\n"
            "Seconds by use: losses and gradients; the optimizer's vectors and line search; "
            "evaluation on the test ratings after each epoch; the rest (Trainer, callbacks, "
            "logging, checkpoints).\n\n"
            + _training_table(bench.trainings)
            + _origin(bench.origins["trainings"])
        )
    if bench.scaling:
        parts.append(
            "## Scaling\n\n"
            "Planted ratings; users and items grow with the square root of the number of ratings. "
            "Mean seconds over an epoch, of one loss and gradient and of the optimizer's own "
            "work.\n\n![Time and memory against ratings](bench_scaling.svg)\n\n"
            + _scaling_table(bench.scaling)
            + _origin(bench.origins["scaling"])
        )
    if bench.alternatives or bench.products:
        parts.append("## Custom implementations against libraries\n")
    if bench.alternatives:
        parts.append(alternatives_text(bench.alternatives) + _origin(bench.origins["alternatives"]))
    if bench.products:
        parts.append(
            "Products of the rating matrix alone with a dense matrix of *width* columns: median "
            "milliseconds of CPU time, again at one thread and in turns.\n\n"
            + products_table(bench.products)
            + _origin(bench.origins["products"])
        )
    if bench.busy:
        parts.append(
            "## Beside another program\n\n" + busy_text(bench.busy) + _origin(bench.origins["busy"])
        )
    return "\n".join(parts)


def _origin(origin: Origin) -> str:
    tree = ", with uncommitted changes" if origin.dirty else ""
    commit = f"commit {origin.commit[:12]}{tree}" if origin.commit else "outside a checkout"
    threads = f"{origin.threads} thread{'s' if origin.threads > 1 else ''}"
    return f"\n{origin.cpu}, {threads}, torch {origin.versions['torch']}, {commit}.\n"


def _evaluation_table(found: Sequence[Evaluation]) -> str:
    header = ["Data", "Stage", "Formulation", "Seconds", "× `dense_matmul`", "× `dense_literal`"]
    header += ["Peak MB", "Gradient error", "Live"]
    rows = [
        [
            data_title(each.data),
            _STAGES[each.stage],
            f"`{each.formulation}`",
            f"{statistics.median(each.seconds):.3f}",
            f"{speedup(each, 'dense_matmul', found):.1f}",
            f"{speedup(each, 'dense_literal', found):.1f}",
            f"{each.peak_mb:.0f}",
            f"{each.max_rel_grad_error:.0e}",
            NOTHING if each.live_share is None else f"{each.live_share:.1%}",
        ]
        for each in found
    ]
    return markdown_table(header, rows, left=3)


def _training_table(trainings: Sequence[WholeTraining]) -> str:
    header = ["Data", "Seconds", "Pre-training", "Fine-tuning", "Losses and gradients"]
    header += ["Optimizer", "Evaluation", "Rest", "Evaluation and rest", "Peak MB"]
    rows = []
    for training in trainings:
        total = _total(training)
        seconds = {cost.stage: cost.seconds for cost in training.stages}
        gradient = sum(cost.gradient_seconds for cost in training.stages)
        optimizer = sum(cost.optimizer_seconds for cost in training.stages)
        evaluating = training.evaluation_seconds
        rest = total - gradient - optimizer - evaluating
        shown = total, seconds["pretrain"], seconds["finetune"], gradient, optimizer, evaluating
        rows.append(
            [
                data_title(training.data),
                *(f"{each:.1f}" for each in (*shown, rest)),
                f"{(evaluating + rest) / total:.1%}",
                f"{training.peak_mb:.0f}",
            ]
        )
    return markdown_table(header, rows, left=1)


def _scaling_table(points: Sequence[ScalingPoint]) -> str:
    header = ["Stage", "Ratings", "Users", "Items", "Loss and gradient", "Optimizer"]
    header += ["µs per rating", "Peak MB"]
    rows = [
        [
            _STAGES[point.stage],
            f"{point.ratings:,}",
            f"{point.users:,}",
            f"{point.items:,}",
            f"{point.seconds:.3f}",
            f"{point.optimizer_seconds:.3f}",
            f"{1e6 * point.seconds / point.ratings:.3f}",
            f"{point.peak_mb:.0f}",
        ]
        for point in points
    ]
    return markdown_table(header, rows, left=1)


def scaling_figure(points: Sequence[ScalingPoint]) -> Figure:
    """Plot the time of an evaluation and peak memory against the number of ratings."""
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    time, memory = figure.subplots(1, 2)
    for stage in _STAGES:
        mine = [point for point in points if point.stage == stage]
        ratings = [point.ratings for point in mine]
        style = {"marker": "o", "ms": 4, "color": _COLORS[stage], "label": _STAGES[stage]}
        time.plot(ratings, [point.seconds for point in mine], **style)
        memory.plot(ratings, [point.peak_mb / 1000 for point in mine], **style)
    _guide(time, points)
    time.set_ylabel("seconds of one loss and gradient")
    memory.set_ylabel("peak memory of the process, GB")
    for axes in (time, memory):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("ratings")
    figure.legend(*time.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def _guide(axes: Axes, points: Sequence[ScalingPoint]) -> None:
    """Draw the line of constant time per rating through the largest point of pre-training."""
    ends = sorted((point.ratings, point.seconds) for point in points if point.stage == "pretrain")
    if ends:
        (least, _), (most, seconds) = ends[0], ends[-1]
        line = [seconds * least / most, seconds]
        axes.plot([least, most], line, color="#888888", lw=0.9, ls=":", label="linear")
