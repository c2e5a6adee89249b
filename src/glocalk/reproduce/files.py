"""The files of this machine that show an experiment, in `report/` of the runs folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from glocalk.files import write_atomically
from glocalk.names import inside
from glocalk.records.search import Search
from glocalk.report.cells import is_default
from glocalk.report.cross_validation import files_of_folds
from glocalk.report.experiments import experiment_files
from glocalk.report.load import load_local
from glocalk.report.local import write_local_table
from glocalk.report.parts import Sources
from glocalk.report.published import read_published
from glocalk.report.variants import variants_markdown
from glocalk.reproduce.config import ReproduceConfig

_SHARE = 0.05  # of the time of a plan, which writing files after its runs may take at most


class FilesAfterRuns:
    """Writes the files after a run, unless writing would take more than 5 % of the time.

    Drawing a figure takes seconds, which a plan of short runs would mostly consist of. As a context
    manager, it writes at the end what is left to write, however the body ends.

    Args:
        write: writes the files and returns the table as text.
        clock: seconds that never go back.

    Attributes:
        table: the table as text; up to date after the body.
    """

    def __init__(
        self, write: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.table = ""
        self._write, self._clock = write, clock
        self._not_before = clock()
        self._is_due = True

    def after_run(self, *_: object) -> None:
        """Write now or later."""
        self._is_due = True
        if self._clock() >= self._not_before:
            self._now()

    def _now(self) -> None:
        begin = self._clock()
        self.table = self._write()
        self._is_due = False
        end = self._clock()
        self._not_before = end + (end - begin) / _SHARE

    def __enter__(self) -> FilesAfterRuns:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_due:
            self._now()


def write_files(
    config: ReproduceConfig, gaps: Mapping[str, str], searches: Sequence[Search] = ()
) -> str:
    """Write the tables and figures of the experiment from this machine's records.

    Args:
        config: names the experiment and the folders.
        gaps: why a data set has no data, by its config name.
        searches: the searches that came before the runs.

    Returns:
        The table as text; empty if there is no record yet.

    Raises:
        GlocalkError: the committed records do not fit together, or a file cannot be written.
    """
    folder = config.out_dir or inside(config.runs_dir, "report")
    name = config.experiment
    if name == "table1" and not config.data_options:
        write_local_table(config.runs_dir, config.reports_dir / "records", folder, gaps)
        return (folder / "table1.md").read_text(encoding="utf-8")
    shown_by = {name, *(block.unchanged for block in config.plan if config.searches)}
    records = [
        record
        for record in load_local(config.runs_dir).done
        if record.experiment in shown_by or is_default(record)
    ]
    table = f"{name}.md"
    files = experiment_files(name, Sources(records, searches))
    if not files:
        folds = files_of_folds(records, name)
        parts = [variants_markdown(records, read_published()), folds.get(f"{name}_folds.md", "")]
        files = {**folds, table: "\n".join(str(part) for part in parts if part)}
    for path, content in files.items():
        if content:
            write_atomically(folder / path, content)
    shown = files.get(table, "")
    return shown if isinstance(shown, str) else shown.decode()
