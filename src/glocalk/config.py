"""Checked options: everything configurable declares its options as a `…Config` class."""

from __future__ import annotations

import difflib
import importlib
import inspect
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

from glocalk.errors import GlocalkError, one_line


class _Added:
    """The type of `ADDED`."""

    def __repr__(self) -> str:
        return "ADDED"


ADDED: Final = _Added()
"""Marks an option that was added after records existed, as in `rank: Annotated[int, ADDED] = 3`.

The default is what was done before there was the option. At that value the option is no part of
what identifies a run (`BaseConfig.identifying_options`), so that the records made before keep
their hashes.
"""


class BaseConfig(BaseModel):
    """Base of every config class: frozen and typed; it rejects unknown options.

    Build one from options with `check`, whose errors are one sentence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="wrap")
    @classmethod
    def _is_no_truth_value(
        cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        checked = check(value)
        # Pydantic takes true as 1, and false as 0, where a number is asked for.
        assert info.field_name is not None
        types = set(_types_in(cls.model_fields[info.field_name].annotation))
        if types & {int, float} and not types & {bool, str, Any} and _has_truth_value(value):
            raise ValueError("input should be a number, not true or false")
        return checked

    @classmethod
    def check(cls, options: Mapping[str, Any], where: str) -> Self:
        """The config with `options` in place of its defaults.

        Args:
            options: values by name. Those of a nested config may be incomplete: they replace the
                defaults of the nested config one by one.
            where: what the options are an entry of, as in `model`; begins every name in an error.

        Raises:
            GlocalkError: an unknown option (with the nearest known one) or an invalid value.
        """
        try:
            return cls.model_validate(_over_defaults(cls, options))
        except ValidationError as error:
            raise GlocalkError(_first_problem(error, cls, where)) from error

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Every option that has a default, nested configs as dicts."""
        return {
            name: default.model_dump() if isinstance(default, BaseModel) else default
            for name, field in cls.model_fields.items()
            if not field.is_required()
            for default in [field.get_default(call_default_factory=True)]
        }

    def identifying_options(self) -> dict[str, Any]:
        """Every option as JSON has it, without those marked `ADDED` that have their default."""
        options = self.model_dump(mode="json")
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            added = any(mark is ADDED for mark in field.metadata)
            if added and value == field.get_default(call_default_factory=True):
                del options[name]
            elif isinstance(value, BaseConfig):
                options[name] = value.identifying_options()
            elif isinstance(value, tuple):
                options[name] = [
                    part.identifying_options() if isinstance(part, BaseConfig) else plain
                    for part, plain in zip(value, options[name], strict=True)
                ]
        return options


def build(options: Mapping[str, Any], where: str, kind: type[Any]) -> Any:
    """An instance of the class that `_target_` names, with the other options.

    Args:
        options: `_target_`, the class as `package.Class`, and the options of its `Config`.
        where: as in `BaseConfig.check`.
        kind: what the class must be a subclass of.

    Raises:
        GlocalkError: there is no such class, or an option is wrong.
    """
    rest = dict(options)
    target = rest.pop("_target_", None)
    cls = find_class(target, where, kind)
    if absent := sorted(getattr(cls, "__abstractmethods__", ())):
        raise GlocalkError(
            f"'{where}._target_' names '{target}', which lacks {' and '.join(map(repr, absent))}: "
            f"define each, as {kind.__module__}.{kind.__name__} describes it."
        )
    config = cls.Config.check(rest, where)
    try:
        inspect.signature(cls.__init__).bind(None, config)
    except TypeError as error:
        raise GlocalkError(
            f"'{where}._target_' names '{target}', whose __init__ does not take a Config alone "
            f"({error}): leave __init__ out, or define it as __init__(self, config=None, /, "
            "**options) and call that of the base class."
        ) from error
    return cls(config)


_NAMED = ("model", "data")  # groups whose `name` in a record is that of the config file


def find_class(target: Any, where: str, kind: type[Any]) -> Any:
    """The class that `target` names.

    Args:
        target: value of the option `<where>._target_`: the class as `package.Class`.
        where: as in `BaseConfig.check`.
        kind: what the class must be a subclass of.

    Raises:
        GlocalkError: there is no such class, or it has an option that records need for its name.
    """
    if not isinstance(target, str) or not target:
        raise GlocalkError(f"The config group '{where}' names no class: give it a '_target_'.")
    module_name, _, name = target.replace(":", ".").rpartition(".")
    names = f"'{where}._target_' names '{target}', which"
    if not module_name:
        raise GlocalkError(f"{names} has no module: write it as module.{name}.")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise GlocalkError(f"{names} cannot be imported ({import_problem(error)}).") from error
    try:
        cls = getattr(module, name)
    except AttributeError as error:
        found = {known: getattr(module, known, None) for known in dir(module)}
        classes = [
            known for known, it in found.items() if isinstance(it, type) and issubclass(it, kind)
        ]
        raise GlocalkError(
            f"{names} cannot be imported: '{module_name}' has no '{name}', "
            f"{did_you_mean(name, classes)}"
        ) from error
    if not (isinstance(cls, type) and issubclass(cls, kind)):
        raise GlocalkError(f"{names} is not a {kind.__name__}.")
    options: Any = getattr(cls, "Config", None)
    if not has_config(cls):
        raise GlocalkError(f"{names} {NO_CONFIG}")
    if where in _NAMED and "name" in options.model_fields:
        raise GlocalkError(
            f"{names} has an option 'name': call it otherwise, because records keep the name of "
            f"the {where} config there."
        )
    return cls


def has_config(cls: type[Any]) -> bool:
    """Whether a class has a `Config` that is a `BaseConfig`."""
    config = getattr(cls, "Config", None)
    return isinstance(config, type) and issubclass(config, BaseConfig)


NO_CONFIG = (
    "has no options that can be checked: give it a class 'Config' that is a "
    "glocalk.config.BaseConfig."
)
"""The end of an error sentence about a class for which `has_config` is False."""


def import_problem(error: BaseException) -> str:
    """Why an import failed, with the file and the line where it did.

    Args:
        error: what the import raised.
    """
    reason = one_line(error).rstrip(".")
    if not isinstance(error, ImportError):
        reason = f"{type(error).__name__}: {reason}".rstrip(": ")
    if isinstance(error, SyntaxError):
        return f"{error.msg} in '{error.filename}', line {error.lineno}"
    # The frames of this module and of the import system are those of the caller.
    importing = ("<frozen importlib", importlib.__file__, str(Path(__file__).parent))
    places = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(importing)
    ]
    return f"{reason}, in '{places[-1].filename}', line {places[-1].lineno}" if places else reason


_SURE = 0.75  # a likeness that leaves no doubt about a misspelled name


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error sentence: the nearest known name, or all of them."""
    names = sorted(name for name in known if name.strip())
    if not names:
        return "there are none."
    # `rating_column` means `rating`, although it has more letters in common with `split_column`.
    first_word = name.split("_")[0]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if (
        near
        and difflib.SequenceMatcher(None, name, near[0]).ratio() < _SURE
        and first_word in names
    ):
        near = [first_word]
    return f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(names)}."


def unknown_option(name: str, known: Iterable[str]) -> PydanticCustomError:
    """What a validator of an option that is a dict raises about a name not among `known`.

    `BaseConfig.check` turns it into the same sentence as an unknown option of a config class.
    """
    return PydanticCustomError(
        "unknown_option", "unknown option '{name}'", {"name": name, "known": sorted(known)}
    )


def reason_of(error: ValueError) -> str:
    """Why a value from a file is refused, in a few words."""
    if not isinstance(error, ValidationError):
        return str(error)
    problem = error.errors(include_url=False)[0]
    field = ".".join(map(str, problem["loc"]))[:100]
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{field}: {reason[0].lower()}{reason[1:]}" if field else reason


def _over_defaults(cls: type[BaseModel], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, those of nested configs laid over the nested defaults."""
    result = dict(options)
    for name, value in options.items():
        field = cls.model_fields.get(name)
        if field is None or not isinstance(value, Mapping) or field.is_required():
            continue
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            nested = _over_defaults(type(default), value)
            result[name] = {**default.model_dump(), **nested}
    return result


def _first_problem(error: ValidationError, cls: type[BaseConfig], where: str) -> str:
    # Unknown options first: a misspelled option also makes a required one look missing.
    unknown = ("extra_forbidden", "unknown_option")
    problem = min(error.errors(), key=lambda p: p["type"] not in unknown)
    path = [*([where] if where else []), *(str(part) for part in problem["loc"])]
    name = ".".join(path)
    if not name:  # options that do not fit together
        return f"{cls.__name__}: {problem['msg'].removeprefix('Value error, ').rstrip('.')}."
    together = problem["type"] == "value_error" and isinstance(problem["input"], Mapping)
    if not problem["loc"] or together:
        reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
        return f"The options of '{name}' do not fit together: {reason}."
    if problem["type"] == "extra_forbidden":
        known = _fields_at(cls, [str(part) for part in problem["loc"][:-1]])
        return f"Unknown option '{name}': {did_you_mean(path[-1], known)}"
    if problem["type"] == "unknown_option":
        wrong, known = problem["ctx"]["name"], problem["ctx"]["known"]
        return f"Unknown option '{name}.{wrong}': {did_you_mean(wrong, known)}"
    if problem["type"] == "missing":
        return f"Option '{name}' is missing: give it a value."
    reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
    return f"Option '{name}' cannot be {problem['input']!r}: {reason[0].lower()}{reason[1:]}."


def _fields_at(cls: type[BaseModel], path: list[str]) -> Iterable[str]:
    for part in path:
        field = cls.model_fields.get(part)
        if field is None:  # a position in a list of configs, or which of several forms it is
            continue
        inner = _model_in(field.annotation)
        if inner is None:
            return ()
        cls = inner
    return cls.model_fields


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The config class that an annotation is of: itself, or that in a list or among several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _types_in(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of: `int` and `None` in `list[int] | None`."""
    yield annotation
    for part in get_args(annotation):
        yield from _types_in(part)


def _has_truth_value(value: Any) -> bool:
    return isinstance(value, bool) or (
        isinstance(value, list | tuple) and any(map(_has_truth_value, value))
    )


def _split(value: Any) -> Any:
    """`[a,b]` or `a,b` as a list."""
    if not isinstance(value, str):
        return value
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    return [part.strip() for part in inner.split(",")]


Listed = BeforeValidator(_split)
"""Reads a list option as `[a,b]` or `a,b`: `Annotated[list[str], Listed]`."""

Names = Annotated[list[str], Listed]
"""A list of names."""
