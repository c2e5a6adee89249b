"""Tables in the README, each between two markers of its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from glocalk.errors import GlocalkError


def with_tables(readme: Path, tables: Mapping[str, str]) -> str:
    """The README's text with each table between `<!-- name:begin -->` and `<!-- name:end -->`.

    Raises:
        GlocalkError: the file cannot be read, or does not hold two markers once and in order.
    """
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise GlocalkError(f"'{readme}' cannot be read: {error.strerror}.") from error
    for name, table in tables.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed) or text.count(begin) > 1 or text.count(end) > 1:
            raise GlocalkError(
                f"'{readme}' has no one place for its table {name}: put {begin} and {end} there, "
                "each on a line of its own."
            )
        text = f"{before}{begin}\n{table}{end}{after}"
    return text
