"""The files of this machine that show an experiment, in `report/` of the runs folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glocalk.files import write_atomically
from glocalk.names import inside
from glocalk.records.search import Search
from glocalk.report.cells import is_default
from glocalk.report.experiments import experiment_files
from glocalk.report.load import load_local
from glocalk.report.local import write_local_table
from glocalk.report.parts import Sources
from glocalk.report.published import read_published
from glocalk.report.variants import variants_markdown
from glocalk.reproduce.config import ReproduceConfig


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
    files = files or {table: variants_markdown(records, read_published())}
    for path, content in files.items():
        if content:
            write_atomically(folder / path, content)
    shown = files.get(table, "")
    return shown if isinstance(shown, str) else shown.decode()
