"""Completers by name: built from a config, or restored from a model file."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glocalk.completers import PUBLIC
from glocalk.completers.base import Completer
from glocalk.config import build, find_class
from glocalk.errors import GlocalkError
from glocalk.inference.model_file import MODEL_FILE, ModelFile, damaged


def build_completer(options: Mapping[str, Any]) -> Completer:
    """The completer that a `conf/model/*.yaml` names.

    Args:
        options: `_target_`, the class, and the options of its `Config`.

    Raises:
        GlocalkError: there is no such class, or an option is wrong.
    """
    completer: Completer = build(options, "model", Completer)
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
    cls = _class_of(file, file_path)
    if cls.model_version != file.model_version:
        raise GlocalkError(
            f"'{file_path}' holds version {file.model_version} of {cls.__name__}, which is at "
            f"version {cls.model_version} here: train it again."
        )
    try:
        completer = cls(cls.Config.check(file.options, "model"))
        completer.restore(file.state, file.shape)
        completer.trained_on, completer.clip = file.trained_on(), file.clip
    except GlocalkError as error:
        raise GlocalkError(damaged(file_path, str(error).rstrip("."))) from error
    return completer


def _class_of(file: ModelFile, path: Path) -> type[Completer]:
    """Importing a module executes it, so a file may not choose which one."""
    module, _, name = file.class_name.rpartition(".")
    inside = module.startswith("glocalk.completers.") or (module == "glocalk" and name in PUBLIC)
    if not inside and module not in sys.modules:
        raise GlocalkError(
            f"'{path}' names '{file.class_name}', a class outside glocalk: if you trust it, "
            f"import '{module}' before you load the model."
        )
    try:
        cls: type[Completer] = find_class(file.class_name, "model", Completer)
    except GlocalkError as error:
        raise GlocalkError(damaged(path, str(error).rstrip("."))) from error
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
