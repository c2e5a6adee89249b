"""Checked settings: every configurable thing states its options as a `Settings` class."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from glocalk.errors import GlocalkError


class Settings(BaseModel):
    """Base of every settings class: frozen, typed, and closed to unknown options.

    Build one from configuration with `check`, whose errors are one sentence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def check(cls, options: Mapping[str, Any], where: str) -> Self:
        """Settings from `options`, an entry of the composed config called `where`.

        Raises:
            GlocalkError: an unknown option (with the nearest known one) or an impossible value.
        """
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            raise GlocalkError(_first_problem(error, cls, where)) from error


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error sentence: the nearest known name, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(names)}."


def _first_problem(error: ValidationError, cls: type[Settings], where: str) -> str:
    # Unknown options first: a misspelt option also makes a required one look missing.
    problems = sorted(error.errors(), key=lambda p: p["type"] != "extra_forbidden")
    problem = problems[0]
    path = [str(part) for part in problem["loc"]]
    name = ".".join([where, *path] if where else path)
    if problem["type"] == "extra_forbidden":
        known = _fields_at(cls, path[:-1])
        return f"Unknown option '{name}': {did_you_mean(path[-1], known)}"
    if problem["type"] == "missing":
        return f"Option '{name}' is missing: give it a value."
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    return f"Option '{name}' cannot be {problem['input']!r}: {reason[0].lower()}{reason[1:]}."


def _fields_at(cls: type[BaseModel], path: list[str]) -> Iterable[str]:
    for part in path:
        field = cls.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ()
        cls = inner
    return cls.model_fields
