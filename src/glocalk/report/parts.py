"""What the parts of the report are made from, and what they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from glocalk.records.benchmark import Bench
from glocalk.records.run import Record
from glocalk.records.search import Search
from glocalk.report.cells import Cell, table1_cells
from glocalk.report.published import Published, read_published
from glocalk.report.statistics.measured import Measured

Files: TypeAlias = dict[str, str | bytes]  # content of each file of the report's folder, by name

OF_PAPER = ("table1", "table2", "fig2", "fig3")  # experiments that the paper makes


@dataclass(frozen=True)
class Sources:
    """What every part of the report may read.

    Attributes:
        records: the committed records that are done.
        searches: the searches for hyperparameters.
        bench: the benchmark.
        stall: what was measured where trainings stand still.
    """

    records: Sequence[Record]
    searches: Sequence[Search] = ()
    bench: Bench = field(default_factory=Bench)
    stall: Bench = field(default_factory=Bench)

    @cached_property
    def published(self) -> list[Published]:
        """The figures of the paper's Table 1."""
        return read_published()

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells of Table 1."""
        return table1_cells(self.records, self.published)

    @cached_property
    def measured(self) -> Measured:
        """The samples of the paper's runs, and of models that it leaves out."""
        return Measured(run for run in self.records if run.experiment in (*OF_PAPER, "around"))


@dataclass(frozen=True)
class Part:
    """A part of the report.

    Attributes:
        files: what it makes; nothing where it lacks records.
        names: patterns of the names of all files that it can make, such as `fig2.*`, so that those
            whose records are gone are found.
    """

    files: Callable[[Sources], Files]
    names: tuple[str, ...]

    def existing(self, folder: Path) -> set[Path]:
        """The files in `folder` that this part, or an earlier run of it, has made."""
        return {path for pattern in self.names for path in folder.glob(pattern) if path.is_file()}
