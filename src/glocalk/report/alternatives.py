"""The table of custom implementations against libraries, and which are kept."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from glocalk.records.benchmark import AlternativeTraining, ProductCost
from glocalk.report.cells import data_title, model_title
from glocalk.report.layout import NOTHING, markdown_table

# A custom implementation is kept if a training without it takes this many times as long or as much
# memory.
WORTH_KEEPING = 1.3

_COMPONENTS = {"product": "sparse × dense", "allocator": "C library"}
_IMPLEMENTATIONS = {
    "numba": "numba loop",
    "llvm": "hand-written LLVM IR",
    "scipy": "scipy.sparse",
    "torch": "torch.sparse (MKL)",
    "default": "as it is",
    "thresholds": "keeps freed memory",
}
# Custom implementations, and what could replace each.
_REPLACEMENTS = {
    "llvm": ("numba",),
    "numba": ("scipy", "torch"),
    "thresholds": ("default",),
}


def alternatives_text(trainings: Sequence[AlternativeTraining]) -> str:
    """Return the rule, the verdict on each custom implementation, and all trainings."""
    return (
        "The implementations took turns in short but complete trainings. Seconds are the median "
        "CPU time of a training at one thread. The machine may have been busy: compare the "
        "ratios, not the seconds. A custom implementation is kept if, on one of the "
        f"trainings, the best replacement takes at least {WORTH_KEEPING} times as long or as much "
        "memory. *Keeps freed memory* raises two thresholds of glibc, `MALLOC_MMAP_THRESHOLD_` and "
        "`MALLOC_TRIM_THRESHOLD_`, which saves page faults.\n\n"
        + _verdicts(trainings)
        + "\n"
        + _training_table(trainings)
    )


def gain(
    trainings: Sequence[AlternativeTraining], own: str, replacements: Sequence[str], what: str
) -> float | None:
    """Return the best replacement's cost over that of custom code, on the case that favors it most.

    Args:
        trainings: every training.
        own: name of the own implementation.
        replacements: names of the implementations that could replace it.
        what: `seconds` or `peak_mb`.

    Returns:
        The ratio; None if the two were not measured on the same case.
    """
    ratios = []
    for mine in trainings:
        others = [
            statistics.median(getattr(each, what))
            for each in trainings
            if each.implementation in replacements and _case(each) == _case(mine)
        ]
        if mine.implementation == own and others:
            ratios.append(min(others) / statistics.median(getattr(mine, what)))
    return max(ratios, default=None)


def products_table(products: Sequence[ProductCost]) -> str:
    """Return a table with a row per product and a column per implementation."""
    names = list(dict.fromkeys(each.implementation for each in products))
    rows: dict[tuple[str, str, int], dict[str, float]] = {}
    for each in products:
        row = rows.setdefault((each.data, each.rows, each.width), {})
        row[each.implementation] = 1000 * statistics.median(each.seconds)
    return markdown_table(
        ["Data", "Rows", "Width", *(_IMPLEMENTATIONS[name] for name in names)],
        [
            [
                data_title(data),
                side,
                str(width),
                *(f"{row[name]:.2f}" if name in row else NOTHING for name in names),
            ]
            for (data, side, width), row in rows.items()
        ],
        left=2,
    )


def _verdicts(trainings: Sequence[AlternativeTraining]) -> str:
    rows = []
    for own, replacements in _REPLACEMENTS.items():
        time, memory = (gain(trainings, own, replacements, what) for what in ("seconds", "peak_mb"))
        if time is None or memory is None:
            continue
        rows.append(
            [
                _IMPLEMENTATIONS[own],
                ", ".join(_IMPLEMENTATIONS[each] for each in replacements),
                f"{time:.2f}",
                f"{memory:.2f}",
                "kept" if max(time, memory) >= WORTH_KEEPING else "deleted",
            ]
        )
    header = ["Custom implementation", "Replaced by", "× time", "× memory", "Verdict"]
    return markdown_table(header, rows, left=2)


def _training_table(trainings: Sequence[AlternativeTraining]) -> str:
    firsts = {_case(each): each for each in reversed(trainings)}
    rows = [
        [
            _COMPONENTS[each.component],
            _IMPLEMENTATIONS[each.implementation],
            model_title(each.model),
            data_title(each.data),
            f"{(seconds := statistics.median(each.seconds)):.2f}",
            f"{seconds / statistics.median(firsts[_case(each)].seconds):.2f}",
            f"{statistics.median(each.peak_mb):.0f}",
            "yes" if each.same_bits else "no",
        ]
        for each in trainings
    ]
    header = ["Component", "Implementation", "Model", "Data"]
    header += ["Seconds", "× the first", "Peak MB", "Same bits"]
    return markdown_table(header, rows, left=4)


def _case(training: AlternativeTraining) -> tuple[str, ...]:
    return training.component, training.model, training.data, *training.options
