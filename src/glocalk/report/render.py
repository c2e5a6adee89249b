"""Everything in `reports/`, made from the committed records, searches and benchmark."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from glocalk.errors import GlocalkError
from glocalk.files import as_bytes, write_atomically
from glocalk.records.benchmark import Bench
from glocalk.report.bench import bench_texts
from glocalk.report.claims.tables import claims_files
from glocalk.report.costs import costs_markdown
from glocalk.report.embed import Embedded, with_embedded
from glocalk.report.epochs import epochs_files
from glocalk.report.experiments import EXPERIMENTS, experiment_part
from glocalk.report.figures import curves_files
from glocalk.report.gap import gap_files
from glocalk.report.intervals import intervals_files
from glocalk.report.load import load_committed
from glocalk.report.page.part import page_part
from glocalk.report.page.screenshot import PICTURE, is_stale
from glocalk.report.parts import Files, Part, Sources
from glocalk.report.readme_table import readme_table
from glocalk.report.results import results_csv
from glocalk.report.searches import read_searches, searches_csv
from glocalk.report.seeds import seeds_files
from glocalk.report.smoothing import smoothing_files
from glocalk.report.table1 import table1_csv, table1_markdown, table1_tex
from glocalk.report.variants import variants_markdown


@dataclass(frozen=True)
class Report:
    """The report that the records give.

    Attributes:
        files: content of each file, by its path.
        superfluous: existing files of the report that no record gives any more.
        records: number of records used.
        failed: number of failed records, which are left out.
    """

    files: dict[Path, str | bytes]
    superfluous: list[Path]
    records: int
    failed: int

    @property
    def summary(self) -> str:
        """Numbers of records used and left out."""
        left_out = f", {_count(self.failed, 'failed record')} left out" if self.failed else ""
        return f"{_count(self.records, 'record')}{left_out}"


def _table1_files(sources: Sources) -> Files:
    return {
        "results.csv": results_csv(sources.records),
        "table1.csv": table1_csv(sources.cells, sources.searches, sources.measured),
        "table1.md": table1_markdown(sources.cells, sources.searches),
        "table1.tex": table1_tex(sources.cells, sources.searches),
        "costs.md": costs_markdown(sources.cells),
    }


def _searches_files(sources: Sources) -> Files:
    return {"searches.csv": searches_csv(sources.searches)} if sources.searches else {}


def _variants_files(sources: Sources) -> Files:
    text = variants_markdown(sources.records, sources.published, EXPERIMENTS)
    return {"variants.md": text} if text else {}


def _bench_files(sources: Sources) -> Files:
    return {path.name: text for path, text in bench_texts(sources.bench, Path()).items()}


_INPUTS = ("bench.json", "stall.json")  # besides the folders of records and searches

# One line for each part. A part that shows what other parts have made comes after them all, in
# `make_report`.
PARTS = (
    Part(_table1_files, ("results.csv", "table1.*", "costs.md")),
    Part(curves_files, ("curves_*.svg",)),
    Part(_searches_files, ("searches.csv",)),
    Part(_variants_files, ("variants.md",)),
    Part(_bench_files, ("bench.md", "bench*.csv", "bench*.svg")),
    *map(experiment_part, EXPERIMENTS),
    Part(seeds_files, ("seeds.*",)),
    Part(claims_files, ("claims.*",)),
    Part(intervals_files, ("intervals.*",)),
    Part(gap_files, ("gap.*",)),
    Part(epochs_files, ("epochs.*",)),
    Part(smoothing_files, ("smoothing.*",)),
)


def make_report(records_dir: Path, out_dir: Path, readme: Path) -> Report:
    """All files of the report; nothing is written.

    Args:
        records_dir: folder of the committed records.
        out_dir: folder of the report.
        readme: the README, with a place for the table; `docs/costs.md` beside it, if it exists,
            has one for the costs.

    Raises:
        GlocalkError: records that do not fit together, or a document without its marks.
    """
    committed = load_committed(records_dir)
    bench = Bench.read(out_dir / "bench.json")
    stall = Bench.read(out_dir / "stall.json")
    sources = Sources(committed.done, read_searches(out_dir / "searches"), bench, stall)
    link = Path(os.path.relpath(out_dir, readme.parent), "table1.md").as_posix()
    embedded = [Embedded(readme, "table1", readme_table(sources.cells, link))]
    costs_page = readme.parent / "docs" / "costs.md"
    if costs_page.exists():
        embedded.append(Embedded(costs_page, "costs", costs_markdown(sources.cells)))
    made = dict(item for part in PARTS for item in part.files(sources).items())
    links = [Path(os.path.relpath(path, out_dir)).as_posix() for path in committed.paths]
    page = page_part(links, dict(made))
    made |= page.files(sources)
    documents = with_embedded(embedded)
    files = {**{out_dir / name: content for name, content in made.items()}, **documents}
    existing: set[Path] = set().union(*(part.existing(out_dir) for part in (*PARTS, page)))
    return Report(files, sorted(existing - files.keys()), len(committed.done), committed.failed)


def render(records_dir: Path, out_dir: Path, readme: Path) -> Report:
    """Write the report, and remove superfluous files."""
    report = make_report(records_dir, out_dir, readme)
    for path, content in report.files.items():
        write_atomically(path, content)
    for path in report.superfluous:
        path.unlink()
    return report


def check(records_dir: Path, out_dir: Path, readme: Path) -> None:
    """Compare the existing files with the report that the records give, byte for byte.

    Raises:
        GlocalkError: files differ, are missing or are superfluous, or the picture of the page shows
            an older one; the message names them.
    """
    report = make_report(records_dir, out_dir, readme)
    different = [
        path
        for path, content in report.files.items()
        if not path.is_file() or path.read_bytes() != as_bytes(content)
    ]
    if different or report.superfluous:
        names = ", ".join(f"'{path}'" for path in [*different, *report.superfluous])
        raise GlocalkError(f"These files do not match the records: {names}; run `make report`.")
    unknown = sorted(
        path
        for path in out_dir.iterdir()
        if path.is_file()
        and path not in report.files
        and path.name not in (*_INPUTS, PICTURE)
        and not path.name.startswith(".")
    )
    if unknown:
        names = ", ".join(f"'{path}'" for path in unknown)
        raise GlocalkError(f"No record gives these files: {names}; remove them.")
    page, picture = report.files.get(out_dir / "index.html"), out_dir / PICTURE
    link = Path(os.path.relpath(picture, readme.parent)).as_posix()
    shown = picture.exists() or f"({link})" in readme.read_text(encoding="utf-8")
    if isinstance(page, str) and shown and is_stale(picture, page):
        raise GlocalkError(
            f"'{picture}' does not show the first screen of the page as it is now: run `make "
            "screenshot`, which needs a Chromium and no rating data."
        )


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
