"""Combinations: a run of each member, which combinations share, and results from predictions.

A member's run is made as any other, and keeps what combinations take from it: predictions of the
test ratings, and of those that its selection run holds out, which are the same for all members of
one seed. Under `validated`, each member is taken at the epoch that its own selection run chose,
under `last` at its last one, and the weights come from the predictions of the held-out ratings at
the same kind of epoch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from glocalk.completers.combined.base import Combined
from glocalk.completers.combined.weights import Weights, mean_weights
from glocalk.completers.registry import load
from glocalk.data.rating_matrix import Values
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.records.run import Member, ProtocolResult, Record
from glocalk.run.config import RunConfig
from glocalk.run.member_runs import MemberRun, members_of
from glocalk.run.monitor import Monitor
from glocalk.run.protocols import FinishedTraining
from glocalk.run.record import Outcome

_log = logging.getLogger(__name__)


class Combination:
    """A run that combines members' runs.

    Args:
        config: config of the run.
        completer: the combination, unfitted.
        split: its data.
        execute: makes the run of a member, or finds its record.
        lacks_model: whether the run of a member has been made, and would be taken without a model.
        lender: the record of the combination whose weights are taken, if they are not its own.
    """

    def __init__(
        self,
        config: RunConfig,
        completer: Combined,
        split: Split,
        execute: Callable[[RunConfig], Record],
        lacks_model: Callable[[RunConfig], bool],
        lender: Record | None,
    ) -> None:
        self.config, self.completer, self.split = config, completer, split
        self._execute, self._lacks_model, self._lender = execute, lacks_model, lender
        self._refuse_idle_options()
        self.predictions: dict[str, Values] = {}
        self.weights: dict[str, Weights] = {}
        self._made: list[MemberRun] = []

    def run(self) -> Outcome:
        """Make the members' runs that are missing, and combine them.

        Raises:
            GlocalkError: a member's run fails, or lacks the model that is to be saved.
        """
        runs = members_of(self.config)
        for number, run in enumerate(runs, start=1):
            _log.info("Member %d of %d: %s seed %d.", number, len(runs), run.model_name, run.seed)
            record = self._execute(run.model_copy(update={"force": False}))
            self._made.append(MemberRun.of(record, run.runs_dir))
        # Another process may have made one in the meantime.
        refuse_without_models(self.config, self._lacks_model)
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
        seeds, lowest = self.completer.seeds(self.config.seed), protocol.lowest_seed
        if protocol.selection == "lowest_seed" and self._lender is None and lowest not in seeds:
            raise GlocalkError(
                f"The members have the seeds {seeds[0]} to {seeds[-1]}, and none of them makes the "
                f"selection run of protocol.lowest_seed={lowest}, from which the weights come: "
                "set protocol.selection=each_seed."
            )
        if held_out != protocol.valid_share:
            raise GlocalkError(
                f"A run holds out protocol.valid_share={protocol.valid_share:g} of the training "
                f"ratings, so that model.held_out={held_out:g} would have no effect: give both the "
                "same value."
            )

    def _solve(self, protocol: str) -> Weights:
        seeds = self.completer.seeds(self.config.seed)
        if not self.completer.needs_held_out:
            nothing = np.empty((0, len(self.completer.members)))
            return mean_weights([self.completer.solve(nothing, np.empty(0))] * len(seeds))
        if self._lender is not None:
            return mean_weights([self._lent(self._lender, protocol)] * len(seeds))
        if self.config.protocol.selection == "lowest_seed":  # the others have no selection run
            lowest = self._solve_seed(self.config.protocol.lowest_seed, protocol)
            return mean_weights([lowest] * len(seeds))
        return mean_weights([self._solve_seed(seed, protocol) for seed in seeds])

    def _lent(self, lender: Record, protocol: str) -> Weights:
        """The weights of the members in the record of another seed."""
        totals = dict.fromkeys(self.completer.members, 0.0)
        for member in lender.members:
            totals[member.model] += member.weights[protocol]
        return Weights(np.array(list(totals.values())), lender.intercepts.get(protocol, 0.0))

    def _solve_seed(self, seed: int, protocol: str) -> Weights:
        """The weights of the members by what the selection runs of a seed hold out."""
        kept = self.split.keep(self.config.train_share, seed)
        held_out = kept.hold_out(self.config.protocol.valid_share, seed).valid
        assert held_out is not None
        trained = [made for made in self._made if made.record.seed == seed]
        predicted = self._clipped([made.held_out(protocol) for made in trained])
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


def refuse_without_models(config: RunConfig, lacks_model: Callable[[RunConfig], bool]) -> None:
    """Refuse to save a combination's model if members that have been made have none.

    Args:
        config: config of the combination's run.
        lacks_model: whether the run of a member has been made, and would be taken without a model.

    Raises:
        GlocalkError: there are such members; names all.
    """
    lacking = [run for run in members_of(config) if lacks_model(run)] if config.save_model else []
    if lacking:
        one = len(lacking) == 1
        raise GlocalkError(
            f"{'The run of member' if one else 'The runs of members'} {_shown(lacking)} "
            f"{'was' if one else 'were'} made with save_model=false: repeat "
            f"{'it' if one else 'them'} with {_repeating(lacking)}, or set save_model=false here, "
            "too."
        )


def _shown(runs: Sequence[RunConfig]) -> str:
    """The names of members in words: 'bias', 'item_knn' and 'svd_pp'."""
    *first, last = dict.fromkeys(f"'{run.model_name}'" for run in runs)
    return f"{', '.join(first)} and {last}" if first else last


def _repeating(runs: Sequence[RunConfig]) -> str:
    """The options that make these runs again; no others, which may take hours."""
    seeds_of: dict[str, list[int]] = {}
    for run in runs:
        seeds_of.setdefault(run.model_name, []).append(run.seed)
    names_of: dict[tuple[int, ...], list[str]] = {}
    for name, seeds in seeds_of.items():
        names_of.setdefault(tuple(seeds), []).append(name)
    return ", then with ".join(
        f"{'-m ' if len(own) * len(names) > 1 else ''}member={','.join(names)} "
        f"seed={','.join(map(str, own))} force=true"
        for own, names in names_of.items()
    )


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
