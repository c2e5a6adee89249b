"""What the conformance tests try each completer with: quick options, and a change of each option.

`options/<model>.yaml` may say, all optional:

    quick: options that make it fast on small matrices
    change: values to change options to, where the automatic ones do not fit
    neutral: names of options that decide how the numbers are computed, not which
"""

from __future__ import annotations

import typing
from pathlib import Path

import glocalk.conf
from omegaconf import OmegaConf

from glocalk.completers.registry import build_completer
from glocalk.config import BaseConfig

CONFIGS = sorted((Path(glocalk.conf.__path__[0]) / "model").glob("*.yaml"))
NAMES = [path.stem for path in CONFIGS]


def _read(path):
    return OmegaConf.to_container(OmegaConf.load(path), resolve=True)


def case(name):
    path = Path(__file__).parent / "options" / f"{name}.yaml"
    return {"quick": {}, "change": {}, "neutral": [], **(_read(path) if path.exists() else {})}


def new(name, options=None):
    """An unfitted completer as `conf/model/<name>.yaml` has it, made quick; `options` over it."""
    config = _read(CONFIGS[NAMES.index(name)])
    return build_completer(
        OmegaConf.to_container(OmegaConf.merge(config, case(name)["quick"], options or {}))
    )


def changes(name):
    """{option: options that change it} for each option that decides what is computed."""
    said = case(name)
    given = dict(_leaves(said["change"]))
    found = {}
    for path, (annotation, value) in _options(new(name).config):
        if path in said["neutral"] or any(path.startswith(f"{n}.") for n in said["neutral"]):
            continue
        other = given[path] if path in given else _other(annotation, value)
        nested = other
        for part in reversed(path.split(".")):
            nested = {part: nested}
        found[path] = nested
    return found


def _options(settings, prefix=""):
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseConfig):
            yield from _options(value, f"{prefix}{name}.")
        else:
            yield prefix + name, (field.annotation, value)


def _leaves(options, prefix=""):
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _other(annotation, value):
    """Another value of the option's type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.5 + (value == 0)
    if typing.get_origin(annotation) is typing.Literal:
        return next(choice for choice in typing.get_args(annotation) if choice != value)
    raise ValueError(f"options/*.yaml must say what to change an option of {annotation} to.")
