"""Completers by name: built from a config, or restored from a model file."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from glocalk.completers import PUBLIC
from glocalk.completers.base import Completer
from glocalk.config import build, find_class
from glocalk.errors import GlocalkError
from glocalk.inference.model_file import MODEL_FILE, ModelFile, damaged

_OF_GLOCALK = re.compile(r"glocalk\.completers(\.[a-z_]+)+")


def build_completer(options: Mapping[str, Any], where: str = "model") -> Completer:
    """The completer that a `conf/model/*.yaml` names.

    Args:
        options: `_target_`, the class, and the options of its `Config`.
        where: what the options are an entry of, for error sentences.

    Raises:
        GlocalkError: there is no such class, or an option is wrong.
    """
    completer: Completer = build(options, where, Completer)
    return completer


def completer_class(options: Mapping[str, Any]) -> type[Completer]:
    """The class that a `conf/model/*.yaml` names."""
    cls: type[Completer] = find_class(options.get("_target_"), "model", Completer)
    return cls


def load(path: str | Path) -> Completer:
    """A fitted completer: what `Completer.save` or a run wrote.

    Reading the file executes nothing in it. A class outside glocalk must have been imported
    before.

    Args:
        path: a model file, or the folder of a run.

    Raises:
        GlocalkError: there is no such file or run, the run kept no model, or the file is damaged
            or of another version.
    """
    file_path = _find(Path(path))
    file = ModelFile.read(file_path)
    cls = _class_of(file.class_name, file_path)
    for target in _targets(file.options):
        _class_of(target, file_path)
    if file.model_version < cls.model_version:
        raise _other_version(file_path, file, cls, cls.model_version)
    try:
        trained_on = file.trained_on()
        completer = cls(cls.Config.check(file.options, "model"))
    except GlocalkError as error:
        raise GlocalkError(damaged(file_path, str(error).rstrip("."))) from error
    if file.model_version != completer.model_version:
        raise _other_version(file_path, file, cls, completer.model_version)
    try:
        completer.restore(file.state, file.shape)
        unknown = sorted(file.state.keys() - completer.state().keys())
        if unknown:
            raise GlocalkError(f"The saved '{unknown[0]}' is not a part of {cls.__name__}.")
    except GlocalkError as error:
        raise GlocalkError(damaged(file_path, str(error).rstrip("."))) from error
    completer.trained_on, completer.clip = trained_on, file.clip
    return completer


def _other_version(path: Path, file: ModelFile, cls: type[Completer], version: int) -> GlocalkError:
    return GlocalkError(
        f"'{path}' holds version {file.model_version} of {cls.__name__}, which is at version "
        f"{version} here: train it again."
    )


def _targets(options: Any) -> Iterator[str]:
    """The classes that options name: those of the members of a combination."""
    if isinstance(options, Mapping):
        if isinstance(target := options.get("_target_"), str):
            yield target.replace(":", ".")  # as `find_class` reads it
        options = options.values()
    elif not isinstance(options, list | tuple):
        return
    for inner in options:
        yield from _targets(inner)


def _class_of(class_name: str, path: Path) -> type[Completer]:
    """The class that a file names.

    Importing a module executes it, so a file chooses among those of glocalk only. Other classes are
    looked up where the caller has imported them, without calling anything: not even a module's
    `__getattr__`.
    """
    module_name, _, name = class_name.rpartition(".")
    if module_name == "glocalk":
        module_name = PUBLIC.get(name, module_name)
    if _OF_GLOCALK.fullmatch(module_name):
        try:
            importlib.import_module(module_name)
        except ImportError as error:
            why = f"it names '{class_name}', which cannot be imported"
            raise GlocalkError(damaged(path, why)) from error
    if module_name not in sys.modules:
        raise GlocalkError(
            f"'{path}' names '{class_name[:100]}', a class outside glocalk: if you trust it, "
            f"import '{module_name[:100]}' before you load the model, on the command line with "
            f"module={module_name[:100]}."
        )
    cls = vars(sys.modules[module_name]).get(name)
    if not (isinstance(cls, type) and issubclass(cls, Completer)) or inspect.isabstract(cls):
        why = f"it names '{class_name}', which is not a completer"
        raise GlocalkError(damaged(path, why))
    return cls


def _find(path: Path) -> Path:
    """The model file at `path`, or in the folder of a run there."""
    file = path if path.is_file() else path / MODEL_FILE
    if file.exists():
        return file
    if not _is_run(path):
        raise GlocalkError(f"Unknown run '{path}': {_nearest_runs(path)}")
    raise GlocalkError(
        f"The run '{path}' has no '{MODEL_FILE}', because it failed or was made with "
        "save_model=false: run it again with force=true."
    )


def _is_run(folder: Path) -> bool:
    return (folder / MODEL_FILE).exists() or (folder / "record.json").exists()


def _nearest_runs(folder: Path) -> str:
    """The end of an error sentence: the runs with the names nearest to that of `folder`."""
    places = (folder, folder.parent, Path("runs"))
    found = {
        str(run): run.name
        for place in places
        if place.is_dir()
        for run in sorted(place.iterdir())
        if _is_run(run)
    }
    if not found:
        return f"there are no runs in '{folder.parent}'."
    near = difflib.get_close_matches(folder.name, found.values(), n=3, cutoff=0.3)
    nearest = [run for name in dict.fromkeys(near) for run in found if found[run] == name]
    quoted = [f"'{run}'" for run in nearest or list(found)[:3]]
    return f"did you mean {' or '.join(quoted)}?"
