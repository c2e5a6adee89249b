"""JSON of records, strict in both directions: what is written can be read again.

Python's reader accepts NaN, numbers beyond the range of a float, a name that occurs twice, and any
size. Records may come from others, so all of that is refused here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Never

from glocalk.errors import GlocalkError

# A record holds at most six numbers for each user: 25 MB for the 480,000 users of Netflix. Parsed,
# JSON takes up to thirty times its size.
LARGEST = 32 * 2**20  # bytes
_DEEPEST = 20  # levels of lists and objects


def to_json(content: Any, indent: int | None = None) -> str:
    """The content as JSON text, with a line end.

    Raises:
        GlocalkError: a value that JSON cannot hold, such as NaN; the message names its field.
    """
    try:
        return json.dumps(content, indent=indent, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        field = next((name for name, value in _leaves(content) if not _fits(value)), "a field")
        raise GlocalkError(
            f"The record cannot be written: '{field}' is neither text, a finite number, a truth "
            "value nor a list of them."
        ) from error


def parse(text: str) -> Any:
    """The content of JSON text.

    Raises:
        ValueError: it is not JSON, or holds what no record does.
    """
    try:
        content = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_short,
            object_pairs_hook=_without_duplicates,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON from line {error.lineno} on") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _refuse_depth(content)
    return content


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: as `parse`, or the file is too large, or not a file, or not UTF-8.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError("not a regular file")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"larger than {LARGEST // 2**20} MiB")
    try:
        return parse(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a finite number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def _short(digits: str) -> int:
    if len(digits) > 19:
        raise ValueError(f"{digits[:20]}… is too large")
    return int(digits)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name occurs twice in an object")
    return content


def _refuse_depth(content: Any) -> None:
    level: list[Any] = [[content]]
    for _ in range(_DEEPEST):
        level = [
            part
            for container in level
            for part in (container.values() if isinstance(container, dict) else container)
            if isinstance(part, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")


def _leaves(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of everything that is neither a list nor an object."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list | tuple):
        for position, value in enumerate(content):
            yield from _leaves(value, f"{name}[{position}]")
    else:
        yield name, content


def _fits(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)
