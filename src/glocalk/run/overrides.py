"""Overrides as a person types them: file names and text that Hydra's grammar does not read.

Hydra's grammar gives a meaning to quotes, brackets, commas, `=` and white space, and knows no
letter outside ASCII. File names have all of these. The rule here:

- The value of an option that names a file or a folder is taken as typed. Its name ends in `path`
  or `dir`, as in `data.path` and `runs_dir`, or is `out`, `predictions` or `records`. A leading `~`
  is the home folder.
- Any other value is read by Hydra. One that Hydra cannot read is taken as typed, too.
- In a sweep (`-m`) commas separate values.
- Quotes around a whole value, `null` and `${…}` mean what they mean to Hydra.
"""

from __future__ import annotations

import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from glocalk.files import at_home

_NAMES_A_FILE = re.compile(r"(^|[._])(path|dir)$|^(out|predictions|records)$")


def readable(line: str, *, sweeps: bool = False) -> str:
    """An override that Hydra reads as a person means it: `line`, its value quoted if need be.

    Args:
        line: the override as typed, `data.path=it's.csv`.
        sweeps: whether commas separate values, as they do in a sweep.
    """
    name, equals, value = line.partition("=")
    if not equals or value == "null":
        return line
    names_a_file = _NAMES_A_FILE.search(name) is not None
    if names_a_file and value.startswith("~"):
        value = at_home(value)
    read = _read(f"{name}={value}")
    if read is not None:
        swept = sweeps and read.is_sweep_override()
        if not names_a_file or _is_quoted(read) or swept or read.value() == value:
            return f"{name}={value}"
    quoted_line = f"{name}={','.join(map(quoted, value.split(',') if sweeps else [value]))}"
    return line if _read(quoted_line) is None else quoted_line


def as_typed(line: str) -> str:
    """An override without the quotes around its whole value, and with `true` for `True`.

    A sweep writes `True`, whatever was typed.
    """
    read = _read(line)
    if read is None:
        return line
    name, value = line.partition("=")[0], read.value()
    if isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    return f"{name}={value}" if _is_quoted(read) else line


def override(name: str, value: object) -> str:
    """The override that gives an option this text, whatever characters are in it."""
    return f"{name}={quoted(escaped(str(value)))}"


def assignment(name: str, value: object) -> str:
    """The override that gives an option this value, in quotes only where they are needed."""
    if value is None or isinstance(value, bool):
        return f"{name}={'null' if value is None else str(value).lower()}"
    plain = f"{name}={value}"
    if not isinstance(value, str):
        return plain
    read = _read(plain)
    is_same = read is not None and "${" not in value and read.value() == value
    return plain if is_same else override(name, value)


def escaped(value: str) -> str:
    r"""Text that holds `${…}`, written so that it is not an interpolation: `\${…}`."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)


def _read(line: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(line)
    except HydraException:
        return None


def _is_quoted(read: Override) -> bool:
    return isinstance(read._value, QuotedString)


def quoted(value: str) -> str:
    """Text in the quotes of Hydra's grammar."""
    return QuotedString(value, Quote.double).with_quotes()
