"""The options of a model as a table: name, type, default and meaning."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glocalk.report.layout import code, markdown, markdown_table

HEADER = ("Option", "Type", "Default", "Meaning")


def options_table(config: BaseModel) -> str:
    """A Markdown table with a row for each option of a config, nested ones with dotted names."""
    return markdown_table(HEADER, _rows(config, ""), left=len(HEADER))


def _rows(config: BaseModel, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        said = markdown(field.description or "")
        if isinstance(value, BaseModel):
            if said:
                yield code(f"{prefix}{name}"), "group", "", said
            yield from _rows(value, f"{prefix}{name}.")
        else:
            yield code(f"{prefix}{name}"), markdown(field_type(field)), code(written(value)), said


def written(value: Any) -> str:
    """A default as it is written on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, BaseModel):
        return written(value.model_dump(mode="json", exclude_defaults=True))
    if isinstance(value, Mapping):
        if value and all(
            isinstance(each, Mapping) and "_target_" in each for each in value.values()
        ):
            return written(list(value))  # members of a combination, by name
        return "{" + ", ".join(f"{key}: {written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def field_type(field: FieldInfo) -> str:
    """The type of an option with its bounds, as in `integer ≥ 1`."""
    return _bounded(field.annotation, field.metadata)


def _bounded(annotation: Any, metadata: list[Any]) -> str:
    bounds = "".join(
        f" {sign} {bound:g}"
        for kind, sign, name in (
            (annotated_types.Gt, ">", "gt"),
            (annotated_types.Ge, "≥", "ge"),
            (annotated_types.Lt, "<", "lt"),
            (annotated_types.Le, "≤", "le"),
        )
        for mark in metadata
        if isinstance(mark, kind)
        for bound in [getattr(mark, name)]
    )
    return type_name(annotation) + bounds


_NAMES = {int: "integer", float: "number", bool: "true or false", str: "text", type(None): "null"}


def type_name(annotation: Any) -> str:
    """A type in words."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if annotation in _NAMES:
        return _NAMES[annotation]
    if origin is Annotated:
        return _bounded(inside[0], list(inside[1:]))
    if origin is Literal:
        return " or ".join(map(written, inside))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(type_name, inside)))
    if origin in (list, tuple):
        return f"list of {type_name(inside[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping of options"
    return str(getattr(annotation, "__name__", annotation))
