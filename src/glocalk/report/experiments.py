"""The files of each experiment, from its records and those of Table 1 that are its base."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from glocalk.report.cold_start import cold_start_files
from glocalk.report.combined import combined_files
from glocalk.report.cross_validation import cross_validation_files
from glocalk.report.elsewhere import around_files, monti_files
from glocalk.report.fig2 import fig2_files
from glocalk.report.fig3 import fig3_files
from glocalk.report.fold_in import fold_in_files
from glocalk.report.folds import folds_files
from glocalk.report.kernels.tables import kernels_files
from glocalk.report.parts import Files, Part, Sources
from glocalk.report.side import side_files
from glocalk.report.table2 import table2_files
from glocalk.report.tuned import tuned_files
from glocalk.report.uncertainty import uncertainty_files

# One line for each experiment with a table or figure of its own.
EXPERIMENTS: Mapping[str, Callable[[Sources], Files]] = MappingProxyType(
    {
        "table2": lambda sources: table2_files(sources.records),
        "fig2": lambda sources: fig2_files(sources.records),
        "fig3": lambda sources: fig3_files(sources.records),
        "folds": lambda sources: folds_files(sources.records),
        "kernels": kernels_files,
        "around": around_files,
        "monti": monti_files,
        "side": side_files,
        "cold_start": cold_start_files,
        "fold_in": fold_in_files,
        "uncertainty": uncertainty_files,
        "combined": combined_files,
        "cross_validation": lambda sources: cross_validation_files(sources.records),
        "tuned": tuned_files,
    }
)


def experiment_files(experiment: str, sources: Sources) -> Files:
    """Content of each file that shows the experiment, by name, as in `fig2.csv`.

    Args:
        experiment: its name; one without files of its own has none.
        sources: records of any experiments; those of Table 1 are the points that no option changes.

    Returns:
        The files; none without a record or a search of the experiment.
    """
    made = {run.experiment for run in sources.records}
    made |= {search.experiment for search in sources.searches}
    if experiment not in EXPERIMENTS or experiment not in made:
        return {}
    return EXPERIMENTS[experiment](sources)


def experiment_part(experiment: str) -> Part:
    """The part of the report that shows the experiment."""
    return Part(partial(experiment_files, experiment), (f"{experiment}.*",))
