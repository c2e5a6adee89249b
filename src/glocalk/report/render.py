"""Everything in `reports/`, made from the committed records, searches and benchmark."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from glocalk.errors import GlocalkError
from glocalk.files import write_atomically
from glocalk.records.benchmark import Bench
from glocalk.report.bench import bench_texts
from glocalk.report.cells import table1_cells
from glocalk.report.costs import costs_markdown
from glocalk.report.embed import Embedded, with_embedded
from glocalk.report.figures import MODEL, curves_svg, has_curves
from glocalk.report.load import load_committed
from glocalk.report.published import read_published
from glocalk.report.readme_table import readme_table
from glocalk.report.results import results_csv
from glocalk.report.searches import read_searches, searches_csv
from glocalk.report.table1 import table1_csv, table1_markdown, table1_tex
from glocalk.report.variants import variants_markdown


@dataclass(frozen=True)
class Report:
    """The report that the records give.

    Attributes:
        texts: text of each file, by its path.
        superfluous: existing figures that no record gives any more.
        records: number of records used.
        failed: number of failed records, which are left out.
    """

    texts: dict[Path, str]
    superfluous: list[Path]
    records: int
    failed: int

    @property
    def summary(self) -> str:
        """Numbers of records used and left out."""
        left_out = f", {_count(self.failed, 'failed record')} left out" if self.failed else ""
        return f"{_count(self.records, 'record')}{left_out}"


def make_report(records_dir: Path, out_dir: Path, readme: Path) -> Report:
    """All texts of the report; nothing is written.

    Args:
        records_dir: folder of the committed records.
        out_dir: folder of the report.
        readme: the README, with a place for the table; `docs/costs.md` beside it, if it exists,
            has one for the costs.

    Raises:
        GlocalkError: records that do not fit together, or a document without its marks.
    """
    committed = load_committed(records_dir)
    published = read_published()
    cells = table1_cells(committed.done, published)
    costs = costs_markdown(cells)
    link = Path(os.path.relpath(out_dir, readme.parent), "table1.md").as_posix()
    embedded = [Embedded(readme, "table1", readme_table(cells, link))]
    costs_page = readme.parent / "docs" / "costs.md"
    if costs_page.exists():
        embedded.append(Embedded(costs_page, "costs", costs))
    texts = {
        out_dir / "results.csv": results_csv(committed.done),
        out_dir / "table1.csv": table1_csv(cells),
        out_dir / "table1.md": table1_markdown(cells),
        out_dir / "table1.tex": table1_tex(cells),
        out_dir / "costs.md": costs,
        **with_embedded(embedded),
    }
    for cell in cells:
        if cell.model == MODEL and has_curves(cell):
            texts[out_dir / f"curves_{cell.data}.svg"] = curves_svg(cell)
    searches = read_searches(out_dir / "searches")
    if searches:
        texts[out_dir / "searches.csv"] = searches_csv(searches)
    variants = variants_markdown(committed.done, published)
    if variants:
        texts[out_dir / "variants.md"] = variants
    texts |= bench_texts(Bench.read(out_dir / "bench.json"), out_dir)
    superfluous = sorted(set(out_dir.glob("curves_*.svg")) - texts.keys())
    return Report(texts, superfluous, len(committed.done), committed.failed)


def render(records_dir: Path, out_dir: Path, readme: Path) -> Report:
    """Write the report, and remove superfluous figures."""
    report = make_report(records_dir, out_dir, readme)
    for path, text in report.texts.items():
        write_atomically(path, text)
    for path in report.superfluous:
        path.unlink()
    return report


def check(records_dir: Path, out_dir: Path, readme: Path) -> None:
    """Compare the existing files with the report that the records give, byte for byte.

    Raises:
        GlocalkError: files differ; the message names them.
    """
    report = make_report(records_dir, out_dir, readme)
    different = [
        path
        for path, text in report.texts.items()
        if not path.is_file() or path.read_bytes() != text.encode()
    ]
    if different or report.superfluous:
        names = ", ".join(f"'{path}'" for path in [*different, *report.superfluous])
        raise GlocalkError(f"These files do not match the records: {names}; run `make report`.")


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
