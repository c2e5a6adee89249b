"""Migrates records and searches of an older schema to the current one.

Errors, epochs and times stay as they are.

Schema 1 → 2:

- `format` becomes `schema_version`.
- The trainings `training_1` (with ratings held out) and `training_2` become `selection` and
  `final`, wherever they are named.
- Class paths (`_target_`) are removed from the config, and with it from the hash.
- Options follow American spelling and the project's vocabulary, see `_OPTIONS`.
- Options that were added under schema 1 get the value that the code had before, see `_ADDED`.
- The config hash is taken anew over the result, in which 20 and 20.0 are the same number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glocalk.config import reason_of
from glocalk.errors import GlocalkError, printable
from glocalk.names import inside
from glocalk.records.identity import config_hash, search_identity, without_target
from glocalk.records.json_text import read_json
from glocalk.records.run import Record
from glocalk.records.schema import SCHEMA_VERSION, version_of
from glocalk.records.search import Search

# Old name of an option → new name.
_OPTIONS = {
    "regularisation": "regularization",
    "bias_regularisation": "bias_regularization",
    "neighbours": "neighbors",
    "max_neighbours": "max_neighbors",
    "factors": "rank",
    "training_1": "selection",
}
# Model → options that its older records lack.
_ADDED: dict[str, dict[str, Any]] = {"igmc": {"aggregation": "sum"}}
_TRAININGS = {"training_1": "selection", "training_2": "final", 1: "selection", 2: "final"}


def migrate_record(old: Mapping[str, Any]) -> dict[str, Any]:
    """A run's record in the current schema; a current one is returned as it is.

    Args:
        old: the content of a record of any schema up to the current one.
    """
    if "schema_version" in old:
        return dict(old)
    new = {"schema_version": 2, **old}
    del new["format"]
    new["variant"] = _variant(old["variant"])
    new["config"] = _config(old["config"])
    new["config_hash"] = config_hash(new["config"])
    for name in ("seconds", "curves", "user_errors"):
        new[name] = {_training(key): value for key, value in old[name].items()}
    new["protocols"] = {
        protocol: {
            **result,
            "training": _TRAININGS[result["training"]],
            "user_errors": _training(result["user_errors"]),
        }
        for protocol, result in old["protocols"].items()
    }
    return new


def migrate_search(old: Mapping[str, Any]) -> dict[str, Any]:
    """A search in the current schema; the argument as in `migrate_record`."""
    if "schema_version" in old:
        return dict(old)
    new = {"schema_version": 2, **old}
    del new["format"]
    new["config"] = _config(old["config"])
    new["space"] = _dotted(old["space"])
    new["trials"] = [{**trial, "options": _dotted(trial["options"])} for trial in old["trials"]]
    new["identity"] = search_identity(
        new["config"], new["space"], new["seed"], new["data_checksum"], new["model_version"]
    )
    return new


def migrate_folder(folder: Path) -> list[str]:
    """Migrate every record and search below `folder`, in place.

    A second call changes nothing. The folder of a run is renamed, because its name holds the hash
    of the config. Other files are left alone.

    Returns:
        A sentence for each file that was changed or could not be.

    Raises:
        GlocalkError: there is no such folder, or it cannot be written to.
    """
    if not folder.is_dir():
        raise GlocalkError(f"There is no folder '{folder}' to migrate.")
    messages: list[str] = []
    for path in sorted(folder.glob("**/*.json")):
        content = _content(path)
        if content is None or version_of(content) != 1:
            continue
        try:
            record = _migrated(content)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            messages.append(
                printable(f"Left alone: '{path}' is not a complete record ({_why(error)}).")
            )
            continue
        record.write(inside(folder, str(path.relative_to(folder))))
        messages.append(f"Migrated: '{path}' to schema {SCHEMA_VERSION}.")
        if isinstance(record, Record) and path.name == "record.json":
            messages += _rename_run(path.parent, record)
    return messages


def _migrated(content: Mapping[str, Any]) -> Record | Search:
    if "trials" in content:
        return Search.checked(migrate_search(content))
    return Record.checked(migrate_record(content))


def _why(error: Exception) -> str:
    if isinstance(error, ValueError):
        return reason_of(error)
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing or unknown"
    return "a part of it is of another type"


def _rename_run(folder: Path, record: Record) -> list[str]:
    """Give the folder of a run the name that its new config hash asks for."""
    if folder.name in ("", ".."):  # `.` has no name to replace
        folder = folder.resolve()
    renamed = folder.with_name(record.folder)
    if renamed == folder:
        return []
    if renamed.exists():
        return [f"Not renamed: '{folder}', because '{renamed}' exists already."]
    try:
        folder.rename(renamed)
    except OSError as error:
        raise GlocalkError(f"'{folder}' cannot be renamed: {error.strerror}.") from error
    return [f"Renamed: '{folder}' to '{renamed}'."]


def _content(path: Path) -> dict[str, Any] | None:
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    new = {
        name: _renamed(without_target(value) if isinstance(value, Mapping) else value)
        for name, value in config.items()
    }
    new["model"] = {**_ADDED.get(new["model"]["name"], {}), **new["model"]}
    return {**new, "variant": _variant(config["variant"])}


def _renamed(value: Any) -> Any:
    """The value with every option inside it renamed."""
    if not isinstance(value, Mapping):
        return value
    return {_OPTIONS.get(name, name): _renamed(inner) for name, inner in value.items()}


def _dotted(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options under dotted names, renamed."""
    return {
        ".".join(_OPTIONS.get(part, part) for part in name.split(".")): value
        for name, value in options.items()
    }


def _variant(variant: str) -> str:
    """A sorted list of overrides, `default` where there are none; its options renamed."""
    overrides = re.split(r",(?=[+~]*[\w.@]+=)", variant)  # a value may contain commas
    return ",".join(sorted(re.sub(r"[^=]*", _renamed_override, o, count=1) for o in overrides))


def _renamed_override(name: re.Match[str]) -> str:
    return next(iter(_dotted({name[0]: None})))


def _training(key: str) -> str:
    """A key that may begin with the name of a training: `training_2/finetune/1`."""
    name, slash, rest = key.partition("/")
    return f"{_TRAININGS.get(name, name)}{slash}{rest}"
