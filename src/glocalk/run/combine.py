"""Combinations: a run of each member, which combinations share, and results from predictions.

A member's run is made as any other, and keeps what combinations take from it: predictions of the
test ratings, and of those that its selection run holds out, which are the same for all members of
one seed. Under `validated`, each member is taken at the epoch that its own selection run chose,
under `last` at its last one, and the weights come from the predictions of the held-out ratings at
the same kind of epoch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glocalk.completers.combined.base import Combined
from glocalk.completers.combined.config import SETTINGS_FROM
from glocalk.completers.combined.weights import Weights
from glocalk.completers.registry import build_completer, load
from glocalk.config import did_you_mean
from glocalk.data.rating_matrix import Values
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.inference.model_file import MODEL_FILE
from glocalk.names import inside
from glocalk.records.run import Member, ProtocolResult, Record
from glocalk.run.config import RunConfig
from glocalk.run.folder import MEMBER_FILE
from glocalk.run.monitor import Monitor
from glocalk.run.predictions import KeptPredictions
from glocalk.run.protocols import FinishedTraining
from glocalk.run.record import Outcome
from glocalk.training.checkpoints import AtomicCheckpoints

_log = logging.getLogger(__name__)


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
    for line in re.split(r",(?=[+~]*[\w.@]+=)", variant):
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
class _Made:
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
    def of(cls, record: Record, runs_dir: Path) -> _Made:
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


class Combination:
    """A run that combines members' runs.

    Args:
        config: config of the run.
        completer: the combination, unfitted.
        split: its data.
        execute: makes the run of a member, or finds its record.
        lender: the record of the seed whose weights are taken, if it is not this one's.
    """

    def __init__(
        self,
        config: RunConfig,
        completer: Combined,
        split: Split,
        execute: Callable[[RunConfig], Record],
        lender: Record | None,
    ) -> None:
        self.config, self.completer, self.split = config, completer, split
        self._execute, self._lender = execute, lender
        self._refuse_idle_options()
        self.predictions: dict[str, Values] = {}
        self.weights: dict[str, Weights] = {}
        self._made: list[_Made] = []

    def run(self) -> Outcome:
        """Make the members' runs that are missing, and combine them.

        Raises:
            GlocalkError: a member's run fails, or lacks the model that is to be saved.
        """
        runs = members_of(self.config)
        for number, run in enumerate(runs, start=1):
            _log.info("Member %d of %d: %s seed %d.", number, len(runs), run.model_name, run.seed)
            record = self._execute(run.model_copy(update={"force": False}))
            self._made.append(made := _Made.of(record, run.runs_dir))
            if self.config.save_model and not (made.folder / MODEL_FILE).exists():
                raise GlocalkError(
                    f"The run of member '{run.model_name}' was made with save_model=false: repeat "
                    f"it with member={run.model_name} seed={run.seed} force=true, or set "
                    "save_model=false here, too."
                )
        records = [made.record for made in self._made]
        chosen = all("validated" in record.protocols for record in records)
        protocols = ["validated", "last"] if chosen else ["last"]
        final = Monitor(self.split.test, clip=self.config.protocol.clip)
        for protocol in protocols:
            self.weights[protocol] = self._solve(protocol)
            combined = self._combined([made.final(protocol) for made in self._made], protocol)
            self.predictions[protocol] = combined
            _observe(final, protocol, combined)
        trainings = [FinishedTraining("final", final)]
        if chosen and (selection := self._selection()) is not None:
            trainings.insert(0, selection)
        found = (record.validated_epoch_from_seed for record in records)
        lenders = [seed for seed in found if seed is not None]
        return Outcome(
            parameters=sum(record.parameters or 0 for record in records),
            trainings=trainings,
            protocols=_results(trainings),
            epoch_from_seed=min(lenders, default=None),
            members=[self._member(number, record) for number, record in enumerate(records)],
            intercepts=self._intercepts(),
        )

    def fitted(self) -> Combined:
        """The combination of the members' saved models, with the weights of `last`."""
        fitted = tuple(load(made.folder) for made in self._made)
        self.completer.adopt(fitted, self.weights["last"], self.split.train.scale)
        self.completer.trained_on = fitted[0].trained_on
        return self.completer

    def _refuse_idle_options(self) -> None:
        """Refuse options that would have no effect, or that lack what they need.

        Raises:
            GlocalkError: there is one.
        """
        if not self.completer.needs_held_out:
            return
        protocol, held_out = self.config.protocol, getattr(self.completer.config, "held_out", None)
        if protocol.selection == "never":
            raise GlocalkError(
                f"{self.config.model_name} takes its weights from what selection runs hold out: "
                "protocol.selection cannot be 'never'."
            )
        if held_out != protocol.valid_share:
            raise GlocalkError(
                f"A run holds out protocol.valid_share={protocol.valid_share:g} of the training "
                f"ratings, so that model.held_out={held_out:g} would have no effect: give both the "
                "same value."
            )

    def _solve(self, protocol: str) -> Weights:
        if not self.completer.needs_held_out:
            nothing = np.empty((0, len(self._made)))
            return self.completer.solve(nothing, np.empty(0))
        if self._lender is not None:
            lent = {member.model: member.weights[protocol] for member in self._lender.members}
            weights = np.array([lent[made.record.model] for made in self._made])
            return Weights(weights, self._lender.intercepts.get(protocol, 0.0))
        config = self.config
        kept = self.split.keep(config.train_share, config.seed)
        held_out = kept.hold_out(config.protocol.valid_share, config.seed).valid
        assert held_out is not None
        predicted = self._clipped([made.held_out(protocol) for made in self._made])
        return self.completer.solve(predicted, held_out.ratings)

    def _selection(self) -> FinishedTraining | None:
        """The selection runs combined, where all members have one."""
        found = [made.selection for made in self._made]
        predicted = [part for part in found if part is not None]
        if len(predicted) < len(found):
            return None
        monitor = Monitor(self.split.test, clip=self.config.protocol.clip)
        _observe(monitor, "validated", self._combined(predicted, "validated"))
        return FinishedTraining("selection", monitor)

    def _clipped(self, predicted: Sequence[Values]) -> Values:
        """[n, members] predictions as the completer combines them."""
        return np.clip(np.stack(predicted, axis=-1), *self.split.train.scale)

    def _combined(self, predicted: Sequence[Values], protocol: str) -> Values:
        return self.weights[protocol].combine(self._clipped(predicted))

    def _member(self, number: int, record: Record) -> Member:
        weights = {name: float(found.members[number]) for name, found in self.weights.items()}
        return Member(
            model=record.model,
            seed=record.seed,
            weights=weights,
            seconds=record.seconds["total"],
        )

    def _intercepts(self) -> dict[str, float]:
        found = {name: weights.intercept for name, weights in self.weights.items()}
        return found if any(found.values()) else {}


def _observe(monitor: Monitor, protocol: str, predicted: Values) -> None:
    monitor.observe(protocol, None, lambda *_: predicted)


def _results(trainings: Sequence[FinishedTraining]) -> dict[str, ProtocolResult]:
    """The result under every protocol that a combination has.

    No protocol chooses epochs of members by their test errors: `best_test` is `last`.
    """
    results: dict[str, ProtocolResult] = {}
    for training in trainings:
        for row, protocol in enumerate(training.curves.stage):
            name = "held_out" if training.name == "selection" else protocol
            results[name] = training.at(row, row, row)
    last = results["last"]
    return {"best_test": last, **results, "official": last}
