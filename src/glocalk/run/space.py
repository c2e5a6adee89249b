"""Search spaces: which values of which options a search tries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf

from glocalk.errors import GlocalkError

Space = dict[str, Any]
"""Dotted names of options under `model`, and the choices for each: a list of values, or a range
{low, high} or {low, high, log}, of integers if both ends are and the option is no float."""


def flat_space(
    nested: Mapping[str, Any], options: Mapping[str, Any], source: str, of_data: str = ""
) -> Space:
    """A `conf/search/*.yaml`, changed by a `conf/search_on/*/*.yaml`, as a flat space.

    Args:
        nested: choices, nested as the options are.
        options: every option of the model.
        source: the file, for error messages.
        of_data: the file that changes it, likewise.

    Raises:
        GlocalkError: no option, an unknown option, or something that is not a choice.
    """
    space = dict(_leaves(nested))
    if not space:
        raise GlocalkError(
            f"'{source}' names no option to try: choose a model that has ranges, as in "
            f"model=item_knn, or name some, as in +search.{next(iter(options), 'NAME')}=[1,2]."
        )
    for name, choice in space.items():
        try:
            present = value_of(options, name)
            _check_choice(name, choice)
        except GlocalkError as error:
            of_one = f" and, if there is such a file, '{of_data}'" if of_data else ""
            raise GlocalkError(f"{error} Search spaces are in '{source}'{of_one}.") from None
        if isinstance(present, float) and isinstance(choice, Mapping):
            space[name] = {**choice, **{end: float(choice[end]) for end in ("low", "high")}}
    return space


def value_of(options: Mapping[str, Any], name: str) -> Any:
    """The value of the option with a dotted name.

    Raises:
        GlocalkError: there is no such option.
    """
    missing = object()
    found = OmegaConf.select(OmegaConf.create(dict(options)), name, default=missing)
    if found is missing:
        raise GlocalkError(f"The search names an option that the model does not have: '{name}'.")
    return found


def with_values(options: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The options with other values, given by dotted names."""
    changed = OmegaConf.create(dict(options))
    for name, value in values.items():
        OmegaConf.update(changed, name, value)
    plain: dict[str, Any] = OmegaConf.to_container(changed)  # type: ignore[assignment]
    return plain


def _leaves(space: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, choice) of each option in a nested space."""
    for name, choice in space.items():
        if isinstance(choice, Mapping) and "low" not in choice:
            yield from _leaves(choice, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", choice


def _check_choice(name: str, choice: Any) -> None:
    if isinstance(choice, list) and choice:
        return
    if (
        isinstance(choice, Mapping)
        and {"low", "high"} <= choice.keys() <= {"low", "high", "log"}
        and all(_is_number(choice[end]) for end in ("low", "high"))
        and isinstance(choice.get("log", False), bool)
        and choice["low"] < choice["high"]
        and (choice["low"] > 0 or not choice.get("log"))
    ):
        return
    raise GlocalkError(
        f"The search over '{name}' cannot be {choice!r}: give a list of values, or "
        "{low: …, high: …} with low < high, optionally with log: true if low > 0."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
