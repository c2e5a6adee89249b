"""Makes the record of a run from the outcome of its trainings."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from pydantic import ValidationError

from glocalk.completers.base import Completer
from glocalk.config import reason_of
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.records.identity import config_hash
from glocalk.records.json_text import to_json
from glocalk.records.run import Failure, Member, ProtocolResult, Record, Uncertainty
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.run.protocols import FinishedTraining


@dataclass
class Outcome:
    """The outcome of a run's trainings; empty for a failed run.

    Attributes:
        parameters: number of trained parameters.
        trainings: the selection run, if it was made, and the final run.
        protocols: the result under each protocol.
        epoch_from_seed: the seed whose selection run chose the `validated` epoch, if another's.
        members: the trainings that a combination takes predictions from.
        intercepts: of a combination that has one, by protocol.
    """

    parameters: int | None = None
    trainings: Sequence[FinishedTraining] = ()
    protocols: dict[str, ProtocolResult] = field(default_factory=dict)
    epoch_from_seed: int | None = None
    members: Sequence[Member] = ()
    intercepts: dict[str, float] = field(default_factory=dict)


def done_record(
    config: RunConfig,
    completer: Completer,
    split: Split,
    commit: tuple[str | None, bool],
    outcome: Outcome,
) -> Record:
    """The record of a finished run.

    Args:
        config: config of the run.
        completer: a completer with the class and config of the run, fitted or not.
        split: the data.
        commit: what `provenance.commit` returned before the run, because the checkout may change
            meanwhile.
        outcome: outcome of the trainings.
    """
    return _record(config, completer, split, commit, outcome, None)


def failed_record(
    config: RunConfig,
    completer: Completer,
    split: Split | None,
    commit: tuple[str | None, bool],
    error: Exception,
) -> Record:
    """The record of a run that `error` ended; arguments as in `done_record`."""
    text = "".join(traceback.format_exception(error))
    failure = Failure(message=str(error), traceback=text)
    return _record(config, completer, split, commit, Outcome(), failure)


def refuse_unwritable(
    config: RunConfig, completer: Completer, split: Split, commit: tuple[str | None, bool]
) -> None:
    """Refuse before a training what its record could not hold after it, such as NaN in an option.

    Raises:
        GlocalkError: there is such a value; the message names its field.
    """
    try:
        record = failed_record(config, completer, split, commit, GlocalkError("not trained yet"))
    except ValidationError as error:
        raise GlocalkError(
            f"The record of this run could not be written ({reason_of(error)}): change that option."
        ) from error
    to_json(record.model_dump())


def _record(
    config: RunConfig,
    completer: Completer,
    split: Split | None,
    commit: tuple[str | None, bool],
    outcome: Outcome,
    failure: Failure | None,
) -> Record:
    counts: list[int] = []
    if split is not None and failure is None:
        counts = np.bincount(split.test.users, minlength=split.test.num_users).tolist()
    return Record(
        status="failed" if failure else "done",
        failure=failure,
        experiment=config.experiment,
        data=config.data_name,
        split=split.name if split else "",
        train_share=config.train_share,
        model=config.model_name,
        variant=config.variant,
        settings_from=config.settings_from,
        side_information=bool(completer.needs),
        seed=config.seed,
        deterministic=completer.deterministic,
        members=list(outcome.members),
        intercepts=outcome.intercepts,
        budget=completer.budget,
        config=config.identity,
        config_hash=config_hash(config.identity),
        data_checksum=split.checksum if split else "",
        side_checksum=_side_checksum(completer, split, failure),
        model_version=completer.model_version,
        commit=commit[0],
        dirty=commit[1],
        versions=provenance.versions(),
        threads=torch.get_num_threads(),
        device=provenance.device(_accelerator(config, completer)),
        cpu=provenance.cpu(),
        parameters=outcome.parameters,
        seconds=_seconds(outcome),
        peak_rss_mb=provenance.peak_memory_mb(),
        curves={training.name: training.curves for training in outcome.trainings},
        traces=[trace for training in outcome.trainings for trace in training.monitor.traces],
        protocols=outcome.protocols,
        uncertainty=_uncertainty(outcome.trainings),
        validated_epoch_from_seed=outcome.epoch_from_seed,
        user_counts=counts,
        user_errors=_user_errors(outcome),
    )


def _accelerator(config: RunConfig, completer: Completer) -> str:
    return str(config.trainer.options.get("accelerator")) if completer.uses_trainer else "cpu"


def _user_errors(outcome: Outcome) -> dict[str, list[float]]:
    """The per-user sums behind every result."""
    wanted = {result.user_errors for result in outcome.protocols.values()}
    return {
        key: [round(float(value), 6) for value in training.monitor.user_errors(row)]
        for training in outcome.trainings
        for row in range(len(training.curves.epoch))
        if (key := training.errors_key(row)) in wanted
    }


def _uncertainty(trainings: Sequence[FinishedTraining]) -> Uncertainty | None:
    """The scores of the final run's predictive distributions, if it has any."""
    found = [training.monitor.uncertainty for training in trainings if training.name == "final"]
    return Uncertainty.model_validate(found[0]) if found and found[0] is not None else None


def _seconds(outcome: Outcome) -> dict[str, float]:
    """Seconds of each stage and of evaluation, of each training, of all members, and in total."""
    seconds = {"total": 0.0}
    if outcome.members:
        seconds["members"] = seconds["total"] = sum(one.seconds for one in outcome.members)
    for training in outcome.trainings:
        parts = training.monitor.seconds
        seconds[training.name] = sum(parts.values())
        seconds["total"] += seconds[training.name]
        seconds |= {f"{training.name}/{part}": value for part, value in parts.items()}
    return {name: round(value, 3) for name, value in seconds.items()}


def _side_checksum(completer: Completer, split: Split | None, failure: Failure | None) -> str:
    """That of what the completer needs beside the ratings, as far as it was read."""
    if split is None or failure or not completer.needs:
        return ""
    return split.side.checksum(completer.needs)
