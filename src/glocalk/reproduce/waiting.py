"""Which runs of a plan wait for others, because they take something from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glocalk.completers.registry import build_completer
from glocalk.records.identity import config_hash
from glocalk.run.config import RunConfig
from glocalk.run.member_runs import members_of


@dataclass(frozen=True)
class Waits:
    """The runs that a run waits for, by their numbers in the plan.

    Attributes:
        needs: the run of the seed whose epoch it takes, and those of the members of a combination:
            it cannot be made without their records.
        prefers: the run whose first stage it takes over. It makes its own if that run fails.
    """

    needs: tuple[int, ...] = ()
    prefers: tuple[int, ...] = ()


def waits(runs: Sequence[RunConfig]) -> list[Waits]:
    """What each of the runs waits for among them."""
    numbers = _numbers(runs)
    sources, longest = _epoch_sources(runs, numbers), _longest_first_stages(runs)
    return [
        Waits(
            needs=(*_others(number, sources[number]), *_members(run, numbers)),
            prefers=_others(number, longest[number]),
        )
        for number, run in enumerate(runs)
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


def _numbers(runs: Sequence[RunConfig]) -> dict[tuple[str, int], int]:
    """The number of each run, by what identifies it and by its seed."""
    return {(config_hash(run.identity), run.seed): number for number, run in enumerate(runs)}


def _members(run: RunConfig, numbers: Mapping[tuple[str, int], int]) -> list[int]:
    """Those of the members of a combination that are there."""
    keys = [(config_hash(member.identity), member.seed) for member in members_of(run)]
    return [numbers[key] for key in keys if key in numbers]


def _epoch_sources(
    runs: Sequence[RunConfig], numbers: Mapping[tuple[str, int], int]
) -> list[int | None]:
    """For each run, that of the seed whose epoch it takes; None if it takes none, or if absent."""
    return [
        numbers.get((config_hash(run.identity), run.protocol.lowest_seed))
        if run.protocol.selection == "lowest_seed"
        else None
        for run in runs
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
