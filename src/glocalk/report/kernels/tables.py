"""`kernels.md`, `kernels.csv` and the figure, from the records of the experiment `kernels`."""

from __future__ import annotations

import functools
import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence

from glocalk.report.cells import DATA_SETS, GLOCAL_K, data_title
from glocalk.report.kernels.ablations import HELD, PROTOCOLS, Ablation, ablations
from glocalk.report.kernels.figure import kernels_figure
from glocalk.report.kernels.ranks import DRAWS, RankCorrelation, rank_correlation
from glocalk.report.kernels.stall import stall_markdown
from glocalk.report.kernels.traced import Traced, traced_runs
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    difference,
    difference_interval,
    enumeration,
    markdown_table,
    number,
    p_value,
)
from glocalk.report.parts import Files, Sources
from glocalk.report.statistics.bootstrap import RESAMPLES
from glocalk.report.statistics.few import t_interval
from glocalk.report.statistics.paired import holm
from glocalk.report.style import png_bytes, svg_text
from glocalk.report.tables import mean_and_sd

# What fine-tuning starts with, as a function of a run.
_STARTS: Mapping[str, Callable[[Traced], float]] = {
    "positive taps": lambda run: run.positive[0],
    "sign of the center": lambda run: int(run.center[0] > 0),
    "center": lambda run: run.center[0],
    "live share": lambda run: run.live[0, 0],
}

_COLUMNS = (
    *("data", "model", "variant", "seed", "redraws", "still_epochs"),
    *(f"{name}_{moment}" for moment in ("start", "end") for name in ("center", "positive_taps")),
    *(f"{name}_{moment}" for moment in ("start", "end") for name in ("live", "live_rated")),
    *("best_test", "last"),
)

_LEAD = """# The global kernel

Made by `glocalk reproduce experiment=kernels`; `make report` makes tables and figure from the
records. `docs/kernels.md` says what is measured. Errors are test RMSE; *best* and *last* are the
protocols `best_test` and `last`.
"""


def kernels_files(sources: Sources) -> Files:
    """The report of the experiment; nothing without a run of it that has traces."""
    plain = _plain_runs(traced_runs(sources.records))
    if not plain:
        return {}
    draw = functools.cache(lambda: kernels_figure(plain))
    return {
        **kernels_texts(sources),
        "kernels.svg": svg_text(draw),
        "kernels.png": png_bytes(draw),
    }


def kernels_texts(sources: Sources) -> dict[str, str]:
    """The report without its figure, which takes seconds to draw."""
    runs = traced_runs(sources.records)
    plain = _plain_runs(runs)
    if not plain:
        return {}
    parts = [
        _LEAD,
        _taps_text(plain),
        _ranks_text(plain),
        _ablations_text(ablations(sources.records)),
        stall_markdown(sources.stall, sources.records, runs),
    ]
    return {
        "kernels.csv": csv_text(_COLUMNS, map(_csv_row, runs)),
        "kernels.md": "\n".join(part for part in parts if part),
    }


def _plain_runs(runs: Sequence[Traced]) -> dict[str, list[Traced]]:
    """The runs of GLocal-K itself, by data set."""
    labels = (GLOCAL_K, "default", 1)
    plain = [run for run in runs if (run.run.model, run.run.variant, run.run.train_share) == labels]
    found = {data: [run for run in plain if run.run.data == data] for data in DATA_SETS}
    return {data: made for data, made in found.items() if made}


def _csv_row(run: Traced) -> list[str]:
    record = run.run
    ends = (0, -1)
    return [
        *(record.data, record.model, record.variant, str(record.seed)),
        *(str(run.redraws), str(run.still)),
        *(text for at in ends for text in (number(run.center[at], 4), str(run.positive[at]))),
        *(number(share) for at in ends for share in run.live[at]),
        *(number(run.error(protocol)) for protocol in PROTOCOLS),
    ]


def _taps_text(plain: Mapping[str, Sequence[Traced]]) -> str:
    header = ["Data", "Seeds", "Center<br>start", "Center<br>end", "Neighbors<br>end"]
    header += ["Positive taps<br>start", "Positive taps<br>end", "Live cells<br>start"]
    header += ["Live cells<br>end", "Live rated cells<br>end", "Seeds that<br>stand still"]
    rows = []
    for data, runs in plain.items():
        neighbors = [
            (run.taps[-1].sum() - run.center[-1]) / max(run.taps.shape[1] - 1, 1) for run in runs
        ]
        rows.append(
            [
                *(data_title(data), str(len(runs))),
                _spread([run.center[0] for run in runs], 1),
                _spread([run.center[-1] for run in runs], 1),
                _spread(neighbors, 1),
                _spread([run.positive[0] for run in runs], 0),
                _spread([run.positive[-1] for run in runs], 0),
                _spread([100 * run.live[0, 0] for run in runs], 1, " %"),
                _spread([100 * run.live[-1, 0] for run in runs], 1, " %"),
                _spread([100 * run.live[-1, 1] for run in runs], 1, " %"),
                str(sum(run.still > 0 for run in runs)),
            ]
        )
    image = '<img src="kernels.svg" alt="Taps of the global kernel over fine-tuning" width="860">'
    return (
        "## Taps and live cells\n\n"
        f"{image}\n\nEach panel: the taps of one seed's global kernel before fine-tuning and after "
        "each of its epochs, after the tenth every second one. Below: median [minimum, maximum] "
        "over seeds, before fine-tuning and after its last epoch; neighbors are the mean of all "
        "taps but the center. A cell is live if it is positive after the convolution.\n\n"
        + markdown_table(header, rows, left=1)
    )


def _spread(values: Sequence[float], digits: int, unit: str = "") -> str:
    """Median [minimum, maximum]."""
    middle, low, high = (
        f"{value:.{digits}f}".replace("-", "−")
        for value in (statistics.median(values), min(values), max(values))
    )
    return f"{middle}{unit}" if low == high else f"{middle} [{low}, {high}]{unit}"


def _ranks_text(plain: Mapping[str, Sequence[Traced]]) -> str:
    """Rank correlations of each start with each error."""
    found: dict[tuple[str, str, str], RankCorrelation] = {}
    cases = list(itertools.product(plain, _STARTS, PROTOCOLS))
    for data, start, protocol in cases:
        pairs = [
            (float(_STARTS[start](run)), error)
            for run in plain[data]
            if (error := run.error(protocol)) is not None
        ]
        made = rank_correlation([x for x, _ in pairs], [y for _, y in pairs])
        if made is not None:
            found[data, start, protocol] = made
    if not found:
        return ""
    adjusted = dict(zip(found, holm([made.p_value for made in found.values()]), strict=True))
    rows = [
        [
            *(data_title(data), start, {"best_test": "best", "last": "last"}[protocol]),
            *_correlation(found.get((data, start, protocol))),
            p_value(adjusted.get((data, start, protocol))),
        ]
        for data, start, protocol in cases
    ]
    held = [
        f"{start} with {protocol} on {data_title(data)}"
        for (data, start, protocol), p in adjusted.items()
        if p < 0.05
    ]
    verdict = (
        f"After Holm's correction these differ from 0: {enumeration(held)}."
        if held
        else "After Holm's correction none differs from 0: the initial kernel's signs do not "
        "explain the error, as far as these seeds can tell."
    )
    header = ["Data", "Start", "Error", "ρ", "Interval", "p", "p, adjusted"]
    return (
        "## Is the error explained by the initial kernel?\n\n"
        "Spearman's rank correlation over seeds, of what fine-tuning starts with and the test "
        "RMSE; positive where a larger start goes with a larger error. 95 % interval by Fisher's "
        f"z; p by {DRAWS:,} random pairings, and adjusted by Holm's method for the whole table; "
        f"`{NOTHING}` where fewer than five seeds, or starts without variation, tell nothing.\n\n"
        + markdown_table(header, rows, left=3)
        + f"\n{verdict}\n"
    )


def _correlation(made: RankCorrelation | None) -> list[str]:
    if made is None:
        return [NOTHING] * 3
    interval = f"[{', '.join(map(_signed, made.interval))}]" if made.interval else NOTHING
    return [_signed(made.rho), interval, p_value(made.p_value)]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _ablations_text(made: Sequence[Ablation]) -> str:
    shown = [row for row in made if row.variant != HELD]
    if not any(row.minus for row in shown):
        return ""
    header = ["Data", "Global kernel", "Seeds"]
    for name in ("best", "last"):
        header += [name, f"Difference<br>{name}", f"Interval<br>{name}", f"p<br>{name}"]
    rows = []
    for row in shown:
        cells = [data_title(row.data), row.title, _listed(row.seeds)]
        for protocol in PROTOCOLS:
            minus = row.minus.get(protocol)
            cells += [
                mean_and_sd(row.point, protocol),
                difference(minus.estimate) if minus else NOTHING,
                difference_interval(*minus.interval) if minus else NOTHING,
                p_value(row.p_adjusted.get(protocol)),
            ]
        rows.append(cells)
    verdicts = "".join(f"- {_verdict(row)}\n" for row in shown if "last" in row.minus)
    return (
        "## Ablations\n\n"
        "Mean ± sample standard deviation over seeds. *Difference*: the ablation's mean minus "
        "GLocal-K's on the same seeds, which start from the same pre-training. *Interval*: 95 %, "
        f"by a bootstrap over the users with test ratings ({RESAMPLES:,} resamples). *p*: paired "
        "t-test with the user as unit, adjusted by Holm's method for the whole table. Both take "
        "the trained models as they are. *Over seeds*, below: 95 % interval of the difference by "
        "Student's t-distribution, with the seed as unit.\n\n"
        + markdown_table(header, rows, left=2)
        + f"\nAt the last epoch, which selects nothing on test:\n\n{verdicts}"
    )


def _listed(seeds: Sequence[int]) -> str:
    """`0–14` for seeds without a gap, `0, 2` for others."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]}–{seeds[-1]}"
    return ", ".join(map(str, seeds))


def _verdict(row: Ablation) -> str:
    minus = row.minus["last"]
    name = f"{data_title(row.data)}, {row.title}"
    over_seeds = t_interval(row.by_seed["last"])
    size = f"{difference(minus.estimate)}, interval {difference_interval(*minus.interval)}"
    size += f", over seeds {difference_interval(*over_seeds)}" if over_seeds else ", one seed"
    intervals = [minus.interval, over_seeds] if over_seeds else []
    is_told = intervals and not any(low <= 0 <= high for low, high in intervals)
    if not is_told or row.p_adjusted["last"] >= 0.05:
        return f"{name}: no difference to GLocal-K can be told ({size})."
    side = "worse" if minus.estimate > 0 else "better"
    return f"{name}: {side} than GLocal-K ({size})."
