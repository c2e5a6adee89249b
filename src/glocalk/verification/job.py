"""Train records again, tell the result of each, and write all results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from glocalk.errors import GlocalkError
from glocalk.executors.base import build_executor
from glocalk.executors.jobs import Job, run_jobs
from glocalk.executors.process import Outcome
from glocalk.files import write_atomically
from glocalk.names import inside
from glocalk.records.identity import config_hash, data_key
from glocalk.records.run import Record
from glocalk.report.load import load_committed
from glocalk.reproduce.blocks import Block, Point
from glocalk.reproduce.config import ReproduceConfig
from glocalk.reproduce.plan import expected_time, jobs_of, make_plan
from glocalk.reproduce.runs import Found, find_runs
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.run.execute import held_record
from glocalk.verification.again import epoch_source, point_of
from glocalk.verification.bands import Bands
from glocalk.verification.compared import Result, compare, results_csv
from glocalk.verification.config import VerifyConfig
from glocalk.verification.sample import draw_sample, expected_seconds

_PACKAGE = Path(__file__).resolve().parents[1]
_LOCAL = {"_target_": "glocalk.executors.local.LocalExecutor"}

_Key: TypeAlias = tuple[str, int]
"""A run: the hash of its config, and its seed."""


def verify(config: VerifyConfig, every: bool, say: Callable[[str], None]) -> None:
    """Train a sample of the records again, and say a sentence for each.

    The trainings are kept in a folder for this code on this machine and are not repeated there, so
    that a verification that was stopped continues. The records are only read.

    Args:
        config: which records, and where files are.
        every: whether to take all of them in place of a sample.
        say: takes each sentence as soon as there is a result.

    Raises:
        GlocalkError: there is no record, or one was not reproduced or could not be trained again
            (the others are compared first).
        StoppedError: a signal asked to stop.
    """
    records = load_committed(config.records).done
    sample = choose_records(records, config, every)
    results, points = _composed(sample)
    folder = inside(config.runs_dir, environment_key())
    runs, gaps = _find(config, folder, points)
    missing = "its data is missing or lacks what the model needs"
    found = _runs_of(sample, runs)
    for record in sample:
        if (key := _key(record)) not in results and key not in found:
            results[key] = Result(record, why=gaps.get(record.data, missing).rstrip("."))
    plan = make_plan(runs, records)
    say(f"Records to verify: {len(sample)}. Time of their trainings: {expected_time(plan)}.")
    bands = Bands(records, provenance.cpu(), provenance.versions())
    path = folder / f"verified-{_name_of(sample)}.csv"

    def tell(made: _Key, failure: str = "") -> None:
        for record in sample:
            key = _key(record)
            if key not in results and _key_of(found[key].config) == made:
                results[key] = _result(record, found[key], bands, failure)
                say(results[key].sentence)
        write_atomically(path, results_csv(list(results.values())))

    write_atomically(path, results_csv(list(results.values())))  # there may be none to train
    for result in results.values():
        say(result.sentence)
    for planned in plan:
        if planned.held:
            tell(_key_of(planned.config))
    todo = [_key_of(planned.config) for planned in plan if not planned.held]
    _train(dict(zip(jobs_of(plan), todo, strict=True)), config.jobs, tell)
    _refuse_differences([results[_key(record)] for record in sample], path)
    all_of_them = f"All {len(sample)} records are" if len(sample) > 1 else "The record is"
    say(f"{all_of_them} reproduced: see '{path}'.")


def choose_records(records: Sequence[Record], config: VerifyConfig, every: bool) -> list[Record]:
    """The records to verify.

    Raises:
        GlocalkError: no record fits the options.
    """
    chosen = [record for record in records if config.chooses(record)]
    if not chosen:
        raise GlocalkError(
            f"No record in '{config.records}' is of these experiments, models and data sets: see "
            "its folders EXPERIMENT/DATA/MODEL."
        )
    if every:
        return chosen
    chosen = [record for record in chosen if _has_device(record)]
    if not chosen:
        raise GlocalkError(
            "The records of these experiments, models and data sets were made on a GPU, and there "
            "is none here that torch can use."
        )
    by_key = {_key(record): record for record in records}

    def cost(record: Record) -> float:
        source = epoch_source(record)
        first = None if source is None else by_key.get((record.config_hash, source), record)
        return expected_seconds(record, first)

    sample = draw_sample(chosen, cost, 60 * config.minutes, config.seed)
    if not sample:
        raise GlocalkError(
            f"No record is expected to take at most {config.minutes:g} minutes: give more with "
            "minutes=…"
        )
    return sample


def _has_device(record: Record) -> bool:
    """Whether this machine has a device like that of the record: a GPU if it was made on one."""
    return record.device == "cpu" or provenance.device("gpu") != "cpu"


def environment_key() -> str:
    """A hash of what may change a result here: the package's files, libraries, processor, GPU."""
    machine = provenance.cpu(), provenance.device("gpu")
    digest = hashlib.sha256(repr((*machine, sorted(provenance.versions().items()))).encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(_PACKAGE)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _composed(sample: Sequence[Record]) -> tuple[dict[_Key, Result], list[Point]]:
    """Results of records that cannot be made again, and the points of the others."""
    results: dict[_Key, Result] = {}
    points: list[Point] = []
    for record in sample:
        try:
            if not _has_device(record):
                raise GlocalkError(
                    f"it was made on a GPU ({record.device}), and there is none here"
                )
            point = point_of(record)
        except GlocalkError as error:
            results[_key(record)] = Result(record, why=str(error))
            continue
        source = epoch_source(record)
        points += [point] if source is None else [replace(point, seed=source), point]
    return results, list(dict.fromkeys(points))


def _find(
    config: VerifyConfig, folder: Path, points: Sequence[Point]
) -> tuple[list[Found], dict[str, str]]:
    """The runs whose data is there; by data set, why the others are left out."""
    if not points:
        return [], {}
    models = sorted({point.model for point in points})
    data_sets = sorted({point.data for point in points})
    options = ReproduceConfig(
        experiment=points[0].experiment,
        plan=[Block(models=models, data=data_sets)],
        data_sets=None,
        models=None,
        seeds=None,
        scope="full",
        strict=False,
        force=False,
        data_dir=config.data_dir,
        runs_dir=folder,
        reports_dir=config.records,
    )
    return find_runs(options, points)


def _runs_of(sample: Sequence[Record], runs: Sequence[Found]) -> dict[_Key, Found]:
    """The run of each record; that of any seed if the model does not depend on it."""
    by_key = {_key_of(run.config): run for run in runs}
    of_any_seed = {hashed: run for (hashed, _), run in by_key.items()}
    found = {}
    for record in sample:
        other = of_any_seed.get(record.config_hash) if record.deterministic else None
        run = by_key.get(_key(record), other)
        if run is not None:
            found[_key(record)] = run
    return found


def _train(
    jobs: Mapping[Job, _Key], at_once: int | None, tell: Callable[[_Key, str], None]
) -> None:
    """Make the runs, and tell the result of each at its end."""

    def done(job: Job, outcome: Outcome) -> None:
        tell(jobs[job], "" if outcome.done else outcome.said.rstrip(".") or "its training failed")

    with build_executor({**_LOCAL, "jobs": at_once}, len(jobs)) as executor:
        run_jobs(list(jobs), executor, executor.at_once, done)


def _result(record: Record, run: Found, bands: Bands, failure: str) -> Result:
    if failure:
        return Result(record, why=failure)
    if run.checksum != data_key(record.data_checksum, record.side_checksum):
        return Result(record, why="its data has another checksum")
    here = held_record(run.config, run.checksum)
    if here is None:
        return Result(record, why="its run has no complete record")
    if here.model_version != record.model_version:
        return Result(
            record,
            why=f"it is of model version {record.model_version}, and the code has version "
            f"{here.model_version}",
        )
    return compare(record, here, bands)


def _refuse_differences(results: Sequence[Result], path: Path) -> None:
    """Refuse results other than `reproduced`."""
    wrong = [result for result in results if result.verdict != "reproduced"]
    if wrong:
        counts = [
            f"{sum(result.verdict == verdict for result in wrong)} {verdict}"
            for verdict in ("not reproduced", "not verified")
        ]
        raise GlocalkError(
            f"Of {len(results)} records, {counts[0]} and {counts[1]}: see '{path}', whose column "
            "verdict names them."
        )


def _key(record: Record) -> _Key:
    return record.config_hash, record.seed


def _key_of(run: RunConfig) -> _Key:
    return config_hash(run.identity), run.seed


def _name_of(sample: Sequence[Record]) -> str:
    """A name for the results of this sample: other samples have other names."""
    return config_hash({"sample": [list(_key(record)) for record in sample]})[:12]
