"""What a run is identified by: names and values, never class paths, so that code may move."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 of the config as canonical JSON."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def run_key(config_digest: str, data_checksum: str | None, model_version: int) -> str:
    """The part of a run folder's name that stands for config, data and model version."""
    return config_hash(
        {"config": config_digest, "data": data_checksum, "model_version": model_version}
    )[:12]


def search_identity(
    config: Mapping[str, Any],
    space: Mapping[str, Any],
    seed: int,
    data_checksum: str,
    model_version: int,
) -> str:
    """What tells one search from another."""
    return config_hash(
        {
            "config": config,
            "space": space,
            "seed": seed,
            "data": data_checksum,
            "model_version": model_version,
        }
    )


def without_target(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a config group without the path of its class."""
    return {name: value for name, value in options.items() if name != "_target_"}
