"""Runs with other options than those of Table 1, each beside the run that they vary.

Experiments that have a table or figure of their own are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from glocalk.records.run import Record
from glocalk.report.cells import data_title, is_default
from glocalk.report.layout import code, difference, markdown_table, rmse
from glocalk.report.points import changed_options
from glocalk.report.published import Published, results_of

_HEADER = (
    *("Experiment", "Data", "Model", "Changed", "Seed", "`official`", "Unchanged", "Difference"),
    *("`best_test`", "`validated`", "Published"),
)

_LEAD = """# Variants

Test RMSE of runs with other options than those of Table 1. Experiments that have a table or figure
of their own are left out. *Unchanged* is the `official` figure of Table 1's run of the same data,
model and seed on the same split: where a fold or a split seed changed, there is none, because the
test ratings are others. *Published* is the paper's figure, of Table 1's split.

"""


def variants_markdown(
    records: Sequence[Record], published: Iterable[Published], elsewhere: Collection[str] = ()
) -> str:
    """A table with a row for each run outside Table 1; empty where there is none.

    Args:
        records: all records.
        published: the figures of the paper's Table 1.
        elsewhere: experiments that another report shows.
    """
    unchanged = {
        (run.data, run.model, run.seed, run.data_checksum): _figure(run, "official")
        for run in records
        if is_default(run)
    }
    figures = {(cell.data, cell.model): cell.rmse for cell in published}
    rows = []
    shown = (run for run in records if not is_default(run) and run.experiment not in elsewhere)
    for run in sorted(shown, key=_order):
        figure = _figure(run, "official")
        before = unchanged.get((run.data, run.model, run.seed, run.data_checksum))
        rows.append(
            [
                *(run.experiment, data_title(run.data), f"`{run.model}`"),
                *(
                    code(changed_options(run) or "nothing"),
                    str(run.seed),
                    rmse(figure),
                    rmse(before),
                ),
                difference(None if figure is None or before is None else figure - before),
                *(rmse(_figure(run, name)) for name in ("best_test", "validated")),
                rmse(figures.get((run.data, run.model)), 3),
            ]
        )
    return _LEAD + markdown_table(_HEADER, rows, left=4) if rows else ""


def _figure(run: Record, protocol: str) -> float | None:
    result = results_of(run).get(protocol)
    return result.rmse if result else None


def _order(run: Record) -> tuple[str, str, str, float, str, int]:
    return run.experiment, run.data, run.model, run.train_share, run.variant, run.seed
