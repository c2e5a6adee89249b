"""The runs of a combination's members: which they are, and what combinations take from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glocalk.completers.combined.base import Combined
from glocalk.completers.combined.config import SETTINGS_FROM
from glocalk.completers.registry import build_completer
from glocalk.config import did_you_mean
from glocalk.data.rating_matrix import Values
from glocalk.errors import GlocalkError
from glocalk.names import inside
from glocalk.records.run import Record
from glocalk.run.config import RunConfig
from glocalk.run.folder import MEMBER_FILE
from glocalk.run.predictions import KeptPredictions
from glocalk.training.checkpoints import AtomicCheckpoints


def members_of(config: RunConfig) -> list[RunConfig]:
    """The runs that a combination takes predictions from; none for another completer."""
    completer = build_completer(config.model)
    if not isinstance(completer, Combined):
        return []
    return [member_run(config, name, seed) for name, seed in completer.trainings(config.seed)]


def member_run(config: RunConfig, name: str, seed: int) -> RunConfig:
    """The run of one member, which is the same in all combinations that have it.

    Args:
        config: that of the combination.
        name: name of the member.
        seed: seed of the run.

    Raises:
        GlocalkError: it has no such member.
    """
    completer = build_completer(config.model)
    if not isinstance(completer, Combined):
        raise GlocalkError(
            f"Option 'member' has no effect on model={config.model_name}, which is no combination: "
            "leave it out."
        )
    members = completer.config.members
    if name not in members:
        raise GlocalkError(f"Unknown member '{name}': {did_you_mean(name, members)}")
    given = config.model.get("members")
    label = given.get(name) if isinstance(given, Mapping) else None
    return config.model_copy(
        update={
            "model_name": name,
            "model": members[name],
            "seed": seed,
            "variant": _variant_of(config.variant, name),
            "settings_from": (label or {}).get(SETTINGS_FROM, "paper"),
            "for_combining": True,
            "save_predictions": False,
            "trace": False,
        }
    )


def _variant_of(variant: str, member: str) -> str:
    """What a variant of the combination, a list of overrides, is for one of its members."""
    prefix = f"model.members.{member}."
    kept = []
    for line in re.split(r",(?=[+~]*[\w.@]+=|~[\w.@]+(?:,|$))", variant):
        name = line.lstrip("+~")
        if name.startswith(prefix):
            kept.append(f"model.{name.removeprefix(prefix)}")
        elif not name.startswith("model."):
            kept.append(line)
    return ",".join(sorted(kept)) or "default"


def write_member_file(
    path: Path, final: KeptPredictions, selection: KeptPredictions | None
) -> None:
    """Keep what combinations take from a run."""
    parts = {"final": final, "selection": selection}
    content = {name: kept.state_dict() for name, kept in parts.items() if kept is not None}
    AtomicCheckpoints().save_checkpoint(content, path)


@dataclass(frozen=True)
class MemberRun:
    """A member's run that was made.

    Attributes:
        record: its record.
        folder: its folder.
        kept: what it keeps for combinations.
    """

    record: Record
    folder: Path
    kept: dict[str, Any]

    @classmethod
    def of(cls, record: Record, runs_dir: Path) -> MemberRun:
        folder = inside(runs_dir, record.folder)
        return cls(record, folder, AtomicCheckpoints().load_checkpoint(folder / MEMBER_FILE))

    def final(self, protocol: str) -> Values:
        """[test ratings] predictions of the final run."""
        name = "chosen" if protocol == "validated" and "chosen" in self.kept["final"] else "last"
        values: Values = self.kept["final"][name].numpy()
        return values

    def held_out(self, protocol: str) -> Values:
        """[held-out ratings] predictions of the selection run."""
        name = "chosen_held_out" if protocol == "validated" else "last_held_out"
        values: Values = self.kept["selection"][name].numpy()
        return values

    @property
    def selection(self) -> Values | None:
        """[test ratings] predictions of the selection run at the epoch that it chose, if made."""
        kept = self.kept.get("selection")
        return None if kept is None else kept["chosen"].numpy()
