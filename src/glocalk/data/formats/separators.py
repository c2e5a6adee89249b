"""The separator of the cells of a text.

It is the first of `::`, tab, `;`, `|`, `,` and space that occurs twice or more, and equally often,
in each of the first rows. A `;` or `|` between cells that hold commas separates only if these are
decimal commas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from glocalk.data.formats.cells import is_decimal_comma

SEPARATORS = ("::", "\t", ";", "|", ",", " ")


def find_separator(lines: Sequence[str]) -> str:
    """The separator of the cells in these lines.

    Cells in quotes may contain it; a comma if nothing separates the lines.
    """
    bare = [re.sub('"[^"]*"', "", line.strip(" \n")) for line in lines]
    for least in (2, 1):
        occurs = [s for s in SEPARATORS if bare and all(line.count(s) >= least for line in bare)]
        constant = [s for s in occurs if len({line.count(s) for line in bare}) == 1]
        for separator in constant or occurs:
            if separator not in (";", "|") or "," not in constant or _holds_commas(separator, bare):
                return separator
    return ","


def _holds_commas(separator: str, lines: Sequence[str]) -> bool:
    """Whether all commas between separators are decimal commas."""
    cells = [cell.strip() for line in lines for cell in line.split(separator)]
    return all(is_decimal_comma(cell) for cell in cells if "," in cell)
