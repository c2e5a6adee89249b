"""Which runs of a plan wait for others, because they take something from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glocalk.completers.registry import build_completer
from glocalk.records.identity import config_hash
from glocalk.run.config import RunConfig


@dataclass(frozen=True)
class Waits:
    """The runs that a run waits for, by their numbers in the plan.

    Attributes:
        needs: the run of the seed whose epoch it takes: it cannot be made without that record.
        prefers: the run whose first stage it takes over. It makes its own if that run fails.
    """

    needs: tuple[int, ...] = ()
    prefers: tuple[int, ...] = ()


def waits(runs: Sequence[RunConfig]) -> list[Waits]:
    """What each of the runs waits for among them."""
    sources, longest = _epoch_sources(runs), _longest_first_stages(runs)
    return [
        Waits(needs=_others(number, sources[number]), prefers=_others(number, longest[number]))
        for number in range(len(runs))
    ]


def needed_first(waiting: Sequence[Waits]) -> list[int]:
    """The numbers of the runs in their order, but each after those that it waits for."""
    placed: dict[int, None] = {}

    def place(number: int) -> None:
        for other in (*waiting[number].needs, *waiting[number].prefers):
            if other not in placed:
                place(other)
        placed.setdefault(number)

    for number in range(len(waiting)):
        place(number)
    return list(placed)


def _others(number: int, other: int | None) -> tuple[int, ...]:
    return () if other is None or other == number else (other,)


def _epoch_sources(runs: Sequence[RunConfig]) -> list[int | None]:
    """For each run, that of the seed whose epoch it takes; None if it takes none, or if absent."""
    digests = [config_hash(run.identity) for run in runs]
    seeds = [run.seed for run in runs]
    numbers = {key: number for number, key in enumerate(zip(digests, seeds, strict=True))}
    return [
        numbers.get((digest, run.protocol.lowest_seed))
        if run.protocol.selection == "lowest_seed"
        else None
        for digest, run in zip(digests, runs, strict=True)
    ]


def _longest_first_stages(runs: Sequence[RunConfig]) -> list[int]:
    """For each run, the one that makes most epochs of the first stage that they share."""
    keys, epochs = [], []
    for number, run in enumerate(runs):
        completer = build_completer(run.model)
        shared = completer.shared_stage
        if shared is None or not run.share_stages:
            keys.append(str(number))
            epochs.append(0)
        else:
            depends_on = {
                **{name: run.identity[name] for name in ("data", "trainer", "train_share")},
                **{"options": shared.options, "seed": run.seed},  # no model: ablations share, too
                "clip": run.protocol.clip,  # the curves depend on it
            }
            keys.append(config_hash(depends_on))
            epochs.append(completer.schedule.get(shared.name, 0))
    longest: dict[str, int] = {}
    for number, key in enumerate(keys):
        if key not in longest or epochs[number] > epochs[longest[key]]:
            longest[key] = number
    return [longest[key] for key in keys]
