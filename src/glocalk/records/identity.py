"""What a run is identified by: names and values, never class paths, so that code may move."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 of the config as canonical JSON; equal configs have equal hashes."""
    text = json.dumps(_canonical(config), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def run_key(config_digest: str, data_checksum: str | None, model_version: int) -> str:
    """The part of a run folder's name that stands for config, data and model version."""
    return config_hash(
        {"config": config_digest, "data": data_checksum, "model_version": model_version}
    )[:12]


def data_key(ratings: str, side: str) -> str:
    """What identifies the data of a run: a checksum of its ratings and of what stands beside them.

    Args:
        ratings: checksum of the split.
        side: that of the side information which the completer needs; empty if it needs none.
    """
    return hashlib.sha256(f"{ratings} {side}".encode()).hexdigest() if side else ratings


def search_identity(
    config: Mapping[str, Any],
    space: Mapping[str, Any],
    seed: int,
    data_checksum: str,
    model_version: int,
    valid_seed: int | None = None,
) -> str:
    """The hash of everything that can change a search's trials, but for how many there are."""
    own_seed = {} if valid_seed is None else {"valid_seed": valid_seed}
    return config_hash(
        {
            "config": config,
            "space": space,
            "seed": seed,
            "data": data_checksum,
            "model_version": model_version,
            **own_seed,
        }
    )


def run_folder(data: str, model: str, key: str, seed: int) -> str:
    """Name of the folder of a run, whose `key` is that of `run_key`."""
    return f"{data}-{model}-{key}-seed{seed}"


def names_in(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """Names of the data set and of the model in a run's config; None where there is none."""
    groups = (config.get(group) for group in ("data", "model"))
    data, model = (group.get("name") if isinstance(group, Mapping) else None for group in groups)
    return data, model


def without_target(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a config group without the path of its class."""
    return {name: value for name, value in options.items() if name != "_target_"}


def _canonical(value: Any) -> Any:
    """The value with one spelling of each number: a config may say 20 or 20.0."""
    if isinstance(value, Mapping):
        return {name: _canonical(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
