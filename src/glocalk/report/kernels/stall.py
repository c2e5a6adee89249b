"""The part of `kernels.md` on trainings that stand still."""

from __future__ import annotations

from collections.abc import Sequence

from glocalk.records.benchmark import Bench, Line, Stall
from glocalk.records.run import Record
from glocalk.report.cells import GLOCAL_K, data_title
from glocalk.report.kernels.ablations import HELD
from glocalk.report.kernels.traced import EXPERIMENT, Traced
from glocalk.report.layout import NOTHING, difference, markdown_table, rmse
from glocalk.report.points import Point, find_point

_PARTS = {"all": "all parameters", "item_kernels": "item kernels alone", "rest": "all but them"}


def stall_markdown(bench: Bench, records: Sequence[Record], runs: Sequence[Traced]) -> str:
    """What was measured where a training stands still, and the option that leaves the place."""
    parts = [_measured(stall) for stall in bench.stall]
    parts.append(_held(records, runs))
    text = "\n".join(part for part in parts if part)
    return f"## Epochs that stand still\n\n{text}" if text else ""


def _measured(stall: Stall) -> str:
    where = f"{data_title(stall.data)}, seed {stall.seed}"
    tap = stall.taps[stall.tap]
    rises = all(line.changes[0] > 0 for line in stall.lines if line.part == "all")
    falls = all(line.changes[0] < 0 for line in stall.lines if line.part == "rest")
    kink = stall.slope_below < 0 < stall.slope_above
    steps = [step for step in stall.lines[0].steps if _is_power_of_ten(step)]
    header = ["Along −g of", "Precision", "Slope at 0", *(f"{step:.0e}" for step in steps)]
    rows = [
        [_PARTS[line.part], line.precision, _short(line.slope), *_changes(line, steps)]
        for line in stall.lines
    ]
    said = [
        f"**{where}** stands still at a loss of {stall.loss:,.1f}. Below: by how much the loss "
        "changes at step t along −g, where g is the gradient there.",
        markdown_table(header, rows, left=2).rstrip("\n"),
        f"At the smallest step along −g, where the slope promises a decrease, the loss "
        f"{'rises' if rises else 'does not rise'} in both precisions; without the item kernels it "
        f"{'falls' if falls else 'does not fall'}.",
        f"The tap nearest to 0 is {_short(tap)}. As a function of it alone, the loss has a slope "
        f"of {_short(stall.slope_below)} just below 0 and {_short(stall.slope_above)} just above, "
        f"where {stall.cells_above:,} cells more are live: those that no other positive tap "
        + (
            "reaches. It is a kink of the ReLU, whose bottom lies at 0: on both sides the gradient "
            "leads back to it, and no step along −g decreases the loss."
            if kink
            else "reaches. The slopes have the same sign: this is not a minimum along the tap."
        ),
        f"One more epoch of all parameters changes the loss by {_short(stall.change_of_all)}, one "
        f"with the item kernels held by {_short(stall.change_of_rest)}.",
        f"Made by `glocalk bench parts=[stall] data=[{stall.data}] seed={stall.seed} "
        "out=reports/stall.json`.",
    ]
    return "\n\n".join(said) + "\n"


def _changes(line: Line, steps: Sequence[float]) -> list[str]:
    changes = dict(zip(line.steps, line.changes, strict=True))
    return [_short(changes[step]) for step in steps]


def _is_power_of_ten(step: float) -> bool:
    return f"{step:.6e}".startswith("1.000000")


def _short(value: float) -> str:
    """Three significant digits; a minus sign that is one."""
    size = abs(value)
    sign = "−" if value < 0 else ""
    return sign + (f"{size:,.0f}" if 1e3 <= size < 1e6 else f"{size:.3g}")


def _held(records: Sequence[Record], runs: Sequence[Traced]) -> str:
    """GLocal-K with and without `hold_kernels`, for the seeds that have both."""
    still = {(run.run.data, run.run.variant, run.run.seed): run.still for run in runs}
    rows, told = [], []
    for data in dict.fromkeys(run.run.data for run in runs):
        plain = find_point(records, EXPERIMENT, data, GLOCAL_K)
        held = find_point(records, EXPERIMENT, data, GLOCAL_K, HELD)
        for seed in sorted({*plain.seeds} & {*held.seeds}):
            least = []
            for point, name, variant in ((plain, "off", "default"), (held, "on", HELD)):
                (run,) = (run for run in point.runs if run.seed == seed)
                only = Point((run,))
                least.append(_least_validation(run))
                rows.append(
                    [
                        *(data_title(data), str(seed), name),
                        str(still.get((data, variant, seed), NOTHING)),
                        rmse(least[-1]),
                        *(rmse(only.mean(p)) for p in ("validated", "best_test", "last")),
                    ]
                )
            off, on = least
            if off is not None and on is not None:
                told.append(
                    f"{data_title(data)}, seed {seed}: the option changes the lowest error on "
                    f"held-out ratings by {difference(on - off)}.\n"
                )
    if not rows:
        return ""
    header = ["Data", "Seed", "`hold_kernels`", "Epochs that<br>stand still"]
    header += ["Lowest error on<br>held-out ratings", "validated", "best", "last"]
    return (
        "`model.hold_kernels=true` repeats an epoch that makes no progress with the item kernels "
        "held. It is off in every other table. What it is worth is judged on the ratings held out "
        "in the selection run, where there is one.\n\n"
        + markdown_table(header, rows, left=3)
        + "".join(f"\n{line}" for line in told)
    )


def _least_validation(run: Record) -> float | None:
    """The lowest validation RMSE of fine-tuning, the stage in which the option has an effect."""
    curves = run.curves.get("selection")
    if curves is None:
        return None
    errors = curves.valid_rmse[-len(curves.last_epochs) :]
    return min((error for error in errors if error is not None), default=None)
