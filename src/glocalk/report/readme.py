"""Table 1 in the README, between its two markers."""

from __future__ import annotations

from pathlib import Path

from glocalk.errors import GlocalkError

BEGIN, END = "<!-- table1:begin -->", "<!-- table1:end -->"


def with_table(readme: Path, table: str) -> str:
    """The README's text with `table` between the markers.

    Raises:
        GlocalkError: the file cannot be read, or does not hold the two markers once and in order.
    """
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise GlocalkError(f"'{readme}' cannot be read: {error.strerror}.") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or text.count(BEGIN) > 1 or text.count(END) > 1:
        raise GlocalkError(
            f"'{readme}' has no one place for Table 1: put {BEGIN} and {END} there, each on a "
            "line of its own."
        )
    return f"{before}{BEGIN}\n{table}{END}{after}"
