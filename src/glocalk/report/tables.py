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
        left = self._left
        spans = groupby(group for group, _ in self.columns)
        return tex_table(
            self.name,
            self.caption,
            "l" * left + "r" * (len(self.columns) - left),
            [(group, len(list(same))) for group, same in spans],
            [name for _, name in self.columns],
            [self.rows],
            self.notes,
        )


def tex_table(
    name: str,
    caption: str,
    columns: str,
    spans: Iterable[tuple[str, int]],
    header: Sequence[str],
    groups: Iterable[Iterable[Sequence[str]]],
    notes: Iterable[str],
) -> str:
    r"""A table environment with the rules of booktabs.

    Args:
        name: its label is `tab:` and the name.
        caption: plain text, as are titles, `header`, `groups` and `notes`.
        columns: what `tabular` is told about the columns.
        spans: a title above the header and how many columns it spans; without a rule if empty.
        header: name of each column.
        groups: rows of each group, with a rule between groups.
        notes: sentences below the table.
    """
    titles, rules, start = [], [], 1
    for title, width in spans:
        titles += [rf"\multicolumn{{{width}}}{{c}}{{{tex(title)}}}"] if title else [""] * width
        rules += [rf"\cmidrule(lr){{{start}-{start + width - 1}}}"] if title else []
        start += width
    lines = [
        r"% Needs \usepackage{booktabs}.",
        r"\begin{table*}",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{tex(caption)}}}",
        rf"\label{{tab:{name}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _tex_row(titles),
        " ".join(rules),
        _tex_row(map(tex, header)),
    ]
    for rows in groups:
        lines += [r"\midrule", *(_tex_row(map(tex, row)) for row in rows)]
    lines += [
        r"\bottomrule",
        r"\end{tabular}",
        r"\begin{flushleft}",
        *(rf"{tex(note)}\par" for note in notes),
        r"\end{flushleft}",
        r"\end{table*}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _tex_row(cells: Iterable[str]) -> str:
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
