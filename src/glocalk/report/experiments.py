"""The files of each experiment, from its records and those of Table 1 that are its base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from glocalk.records.run import Record
from glocalk.report.fig2 import fig2_files
from glocalk.report.fig3 import fig3_files
from glocalk.report.folds import folds_files
from glocalk.report.parts import Files, Part, Sources
from glocalk.report.table2 import table2_files

# One line for each experiment with a table or figure of its own.
EXPERIMENTS: Mapping[str, Callable[[Sequence[Record]], Files]] = MappingProxyType(
    {
        "table2": table2_files,
        "fig2": fig2_files,
        "fig3": fig3_files,
        "folds": folds_files,
    }
)


def experiment_files(experiment: str, records: Sequence[Record]) -> Files:
    """Content of each file that shows the experiment, by name, as in `fig2.csv`.

    Args:
        experiment: its name; one without files of its own has none.
        records: records of any experiments; those of Table 1 are the points that no option changes.

    Returns:
        The files; none without a record of the experiment.
    """
    if experiment not in EXPERIMENTS or all(run.experiment != experiment for run in records):
        return {}
    return EXPERIMENTS[experiment](records)


def experiment_part(experiment: str) -> Part:
    """The part of the report that shows the experiment."""

    def files(sources: Sources) -> Files:
        return experiment_files(experiment, sources.records)

    return Part(files, (f"{experiment}.*",))
