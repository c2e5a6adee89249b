"""A table with groups of columns, as Markdown and as LaTeX."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile

from glocalk.report.layout import NOTHING, markdown_table, rmse, tex
from glocalk.report.points import Point

PAPER = "Han et al., CIKM 2021 (arXiv 2108.12184)"


@dataclass(frozen=True)
class Table:
    """A table of texts; none of them holds markup but `code` in backticks.

    Attributes:
        name: name of its files, without suffix.
        caption: what it shows.
        columns: group and name of each column; the group of those that name the row is empty.
        rows: the cells.
        notes: sentences below the table.
    """

    name: str
    caption: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]

    @property
    def _left(self) -> int:
        """Number of the first columns, which name the row."""
        return len(list(takewhile(lambda column: not column[0], self.columns)))

    def markdown(self) -> str:
        """Caption, table and notes; a group's name stands above each of its columns' names."""
        header = [f"{group}<br>{name}" if group else name for group, name in self.columns]
        listed = "".join(f"- {note}\n" for note in self.notes)
        return f"{self.caption}\n\n{markdown_table(header, self.rows, self._left)}\n{listed}"

    def tex(self) -> str:
        """A table environment with the rules of booktabs."""
        groups, rules, start = [], [], 1
        for group, columns in groupby(self.columns, key=lambda column: column[0]):
            width = len(list(columns))
            groups += [rf"\multicolumn{{{width}}}{{c}}{{{tex(group)}}}"] if group else [""] * width
            rules += [rf"\cmidrule(lr){{{start}-{start + width - 1}}}"] if group else []
            start += width
        left = self._left
        lines = [
            r"% Needs \usepackage{booktabs}.",
            r"\begin{table*}",
            r"\centering",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{tex(self.caption)}}}",
            rf"\label{{tab:{self.name}}}",
            rf"\begin{{tabular}}{{{'l' * left}{'r' * (len(self.columns) - left)}}}",
            r"\toprule",
            tex_row(groups),
            " ".join(rules),
            tex_row(tex(name) for _, name in self.columns),
            r"\midrule",
            *(tex_row(map(tex, row)) for row in self.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\begin{flushleft}",
            *(rf"{tex(note)}\par" for note in self.notes),
            r"\end{flushleft}",
            r"\end{table*}",
        ]
        return "".join(f"{line}\n" for line in lines)


def tex_row(cells: Iterable[str]) -> str:
    """A row of a tabular."""
    return " & ".join(cells) + r" \\"


def figure_markdown(table: Table) -> str:
    """The figure with its caption, and its values below; the svg beside it is drawn twice as wide.

    GitHub shows an svg at its natural width, in which texts are small on a screen.
    """
    caption = html.escape(table.caption, quote=True)
    image = f'<img src="{table.name}.svg" alt="{caption}" width="600">'
    return f"{image}\n\n{table.markdown()}"


def mean_and_sd(point: Point, protocol: str) -> str:
    """`.8905 ± .0012`, or `.8905` for one seed."""
    return with_sd(point.mean(protocol), point.sd(protocol))


def with_sd(mean: float | None, sd: float | None) -> str:
    """A mean with its standard deviation, where there is one."""
    return rmse(mean) if sd is None else f"{rmse(mean)} ± {rmse(sd)}"


def seed_count(point: Point) -> str:
    """The number of seeds; `–` for none."""
    return str(len(point.runs)) if point.runs else NOTHING


def published_figure(text: str | None) -> str:
    """A published RMSE as in the paper, without a leading zero; `–` for None."""
    return NOTHING if text is None else text.removeprefix("0")
