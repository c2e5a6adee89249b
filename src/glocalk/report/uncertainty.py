"""What predictive distributions are worth, which the paper does not show."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glocalk.records.run import Record, Uncertainty
from glocalk.report.cells import data_sets_in_order, data_title, in_order, model_title
from glocalk.report.layout import csv_text, number, rmse, yes
from glocalk.report.origins import dates_note
from glocalk.report.parts import Files, Sources
from glocalk.report.tables import Table

EXPERIMENT = "uncertainty"

_PROTOCOL = "last"
_REFERENCE = "global_mean"
_PERCENTS = ("50", "80", "95")
_COLUMNS = (
    *("data", "model", "side_information", "protocol", "seeds", "rmse", "nll", "crps"),
    *("density_nll", "density_crps", "mean_std"),
    *(f"{name}_{percent}" for name in ("coverage", "width") for percent in _PERCENTS),
)


@dataclass(frozen=True)
class _Row:
    """A model on a data set: means over seeds.

    Attributes:
        data: config name of the data set.
        model: config name of the model.
        runs: in order of seed.
    """

    data: str
    model: str
    runs: Sequence[Record]

    @property
    def rmse(self) -> float:
        """Test RMSE of the means."""
        return statistics.fmean(run.protocols[_PROTOCOL].rmse for run in self.runs)

    @property
    def with_side(self) -> bool:
        """Whether the model uses more than ratings."""
        return any(run.side_information for run in self.runs)

    def mean(self, of: Callable[[Uncertainty], float | None]) -> float | None:
        """The mean of a figure; None where it has none."""
        values = [of(run.uncertainty) for run in self.runs if run.uncertainty is not None]
        found = [value for value in values if value is not None]
        return statistics.fmean(found) if found else None

    def coverage(self, percent: str) -> float | None:
        """Share of the ratings within the central interval."""
        return self.mean(lambda scores: scores.coverage.get(percent))

    def width(self, percent: str) -> float | None:
        """Mean length of the central interval."""
        return self.mean(lambda scores: scores.width.get(percent))


def uncertainty_files(sources: Sources) -> Files:
    """The table as csv, Markdown and LaTeX."""
    rows = _rows(sources.records)
    if not rows:
        return {}
    table = _table(rows)
    return {
        "uncertainty.csv": csv_text(_COLUMNS, map(_csv_row, rows)),
        "uncertainty.md": table.markdown(),
        "uncertainty.tex": table.tex(),
    }


def _rows(records: Sequence[Record]) -> list[_Row]:
    """By data set, then by model; the reference first."""
    found: dict[tuple[str, str], list[Record]] = {}
    for run in records:
        is_row = (run.experiment, run.variant) == (EXPERIMENT, "default") and run.train_share == 1
        if is_row and run.uncertainty is not None and _PROTOCOL in run.protocols:
            found.setdefault((run.data, run.model), []).append(run)
    models = in_order({model for _, model in found})
    return [
        _Row(data, model, sorted(found[data, model], key=lambda run: run.seed))
        for data in data_sets_in_order(data for data, _ in found)
        for model in sorted(models, key=lambda name: name != _REFERENCE)
        if (data, model) in found
    ]


def _csv_row(row: _Row) -> list[str]:
    seeds = " ".join(str(run.seed) for run in row.runs)
    figures = [
        row.rmse,
        row.mean(lambda scores: scores.nll),
        row.mean(lambda scores: scores.crps),
        row.mean(lambda scores: scores.density_nll),
        row.mean(lambda scores: scores.density_crps),
        row.mean(lambda scores: scores.mean_std),
        *(row.coverage(percent) for percent in _PERCENTS),
        *(row.width(percent) for percent in _PERCENTS),
    ]
    return [row.data, row.model, yes(row.with_side), _PROTOCOL, seeds, *map(number, figures)]


def _table(rows: Sequence[_Row]) -> Table:
    return Table(
        name=EXPERIMENT,
        caption="Predictive distributions of the test ratings: log score, CRPS, and coverage of "
        "central intervals.",
        columns=[
            *(("", name) for name in ("Data", "Model", "Side inf.")),
            ("Mean", "RMSE"),
            *(("Distribution", name) for name in ("NLL", "CRPS", "sd")),
            *(("Coverage", f"{percent} %") for percent in _PERCENTS[1:]),
        ],
        rows=list(map(_line, rows)),
        notes=[
            "NLL: negative log probability of the rating's level, in nats. CRPS: continuous ranked "
            "probability score, in rating units; for a prediction without spread it would be the "
            "MAE. Lower is better. sd: mean standard deviation.",
            "Levels are the distinct training ratings. For NLL and CRPS, a normal distribution "
            "(Bayesian MF, Bayesian FM) is put on the levels first: each has the mass between the "
            "midpoints to its neighbors, the lowest and the highest have the tails. The csv also "
            "has the scores of the density.",
            "Coverage: share of the test ratings within the central interval of that probability. "
            "Intervals between levels contain at least their probability, and usually more, so "
            "that they cover more than 80 (95) % even if all probabilities are right. Intervals "
            "are not clipped to the rating scale.",
            f"{model_title(_REFERENCE)}: the distribution of all training ratings, the same for "
            "every pair; what it has to be compared with.",
            f"`{_PROTOCOL}`: after the last epoch of the final run; one seed, unless the csv lists "
            "more.",
            *dates_note([run for row in rows for run in row.runs]),
            "Made by `glocalk reproduce experiment=uncertainty`; `make report` makes the table "
            "from the records.",
        ],
    )


def _line(row: _Row) -> list[str]:
    return [
        data_title(row.data),
        model_title(row.model),
        "yes" if row.with_side else "",
        rmse(row.rmse),
        rmse(row.mean(lambda scores: scores.nll)),
        rmse(row.mean(lambda scores: scores.crps)),
        rmse(row.mean(lambda scores: scores.mean_std), 3),
        *(rmse(row.coverage(percent), 3) for percent in _PERCENTS[1:]),
    ]
