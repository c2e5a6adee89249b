"""Loads records for tables: complete ones, each run once, no stale seed within a cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from glocalk.errors import GlocalkError
from glocalk.records.identity import config_hash
from glocalk.records.run import PROTOCOLS, Record
from glocalk.report.cells import is_default

# What the seeds of one cell share; if they do not, they measure different things.
_SHARED = ("split", "model_version", "config_hash", "data_checksum", "side_checksum")

# Which seeds make a selection run is no difference: it changes neither training.
_SELECTION = ("selection", "lowest_seed")


class CellKey(NamedTuple):
    """What runs of one cell of a table have in common."""

    experiment: str
    data: str
    train_share: float
    model: str
    variant: str


@dataclass(frozen=True)
class Committed:
    """The records that reports are made from.

    Attributes:
        done: in order of path.
        paths: the file of each of them.
        failed: number of failed records, which no table shows.
    """

    done: list[Record]
    paths: list[Path]
    failed: int


@dataclass(frozen=True)
class Local:
    """The records of this machine that enter its table.

    Attributes:
        done: the newest record of each run, in order of path, without the outdated ones.
        failed: runs whose newest record is a failed one.
        outdated: done records with an older config, data or model version than the newest record
            of their cell.
        unreadable: a sentence for each file that is not a complete record.
    """

    done: list[Record]
    failed: list[Record]
    outdated: list[Record]
    unreadable: list[str]


def cell_of(record: Record) -> CellKey:
    """The cell of a table that a run belongs to, with other seeds."""
    return CellKey(record.experiment, record.data, record.train_share, record.model, record.variant)


def name_of(record: Record) -> str:
    """A run in an error sentence or a note."""
    variant = "" if record.variant == "default" else f" ({record.variant})"
    return f"{record.data} {record.model}{variant} seed {record.seed}"


def load_committed(folder: Path, checksum: str = "") -> Committed:
    """The records below `folder`, checked to fit together.

    Args:
        folder: a folder of records, in folders of any depth.
        checksum: that of a split, whose records alone are read; empty for all.

    Raises:
        GlocalkError: a record is incomplete, a run has two records, or the seeds of one cell
            differ in split, model version, config or data.
    """
    done: dict[Path, Record] = {}
    failed = 0
    for path in sorted(folder.glob("**/*.json")):
        if checksum and checksum.encode() not in path.read_bytes():
            continue  # most of the time goes into checking records
        record = _read(path)
        if checksum not in ("", record.data_checksum):
            continue
        if record.status == "done":
            done[path] = record
        else:
            failed += 1
    _refuse_twice(done)
    _refuse_stale(done)
    return Committed(list(done.values()), list(done), failed)


def load_local(runs: Path) -> Local:
    """The records of the run folders in `runs`: `runs/<run>/record.json`."""
    records: dict[Path, Record] = {}
    unreadable = []
    for path in sorted(runs.glob("*/record.json")):
        try:
            records[path] = _read(path)
        except GlocalkError as error:
            unreadable.append(str(error))
    oldest_first = sorted(records, key=lambda path: (path.stat().st_mtime_ns, path))
    newest = {(*cell_of(records[path]), records[path].seed): path for path in oldest_first}
    counting = sorted(newest.values())
    superseded = [path for path in sorted(records) if path not in counting]
    current = {  # of each cell, what its newest done record was made with
        cell_of(records[path]): _shared(records[path])
        for path in oldest_first
        if path in counting and records[path].status == "done"
    }
    local = Local([], [], [], unreadable)
    for record in map(records.__getitem__, counting):
        if record.status == "failed":
            local.failed.append(record)
        elif _shared(record) == current[cell_of(record)]:
            local.done.append(record)
        else:
            local.outdated.append(record)
    for record in map(records.__getitem__, superseded):
        if record.status == "done" and _shared(record) != current.get(cell_of(record)):
            local.outdated.append(record)
    return local


def _read(path: Path) -> Record:
    record = Record.read(path)
    # A seed that takes another's epoch has no `held_out`; a run outside Table 1 may have no epoch
    # chosen at all.
    optional = {"held_out"} if is_default(record) else {"held_out", "validated"}
    needed = set(PROTOCOLS) - optional
    if record.status == "done" and not (
        needed <= record.protocols.keys() and {"total", "final"} <= record.seconds.keys()
    ):
        raise GlocalkError(
            f"'{path}' is done but lacks a protocol or its time: remove it and run its training "
            "again."
        )
    return record


def _shared(record: Record) -> tuple[str, ...]:
    data = record.data_checksum, record.side_checksum
    return (record.split, str(record.model_version), _config_hash(record), *data)


def _config_hash(record: Record) -> str:
    """Hash of the config without the rule of which seeds make a selection run."""
    protocol = record.config.get("protocol")
    if not isinstance(protocol, dict):
        return record.config_hash
    kept = {name: value for name, value in protocol.items() if name not in _SELECTION}
    return config_hash({**record.config, "protocol": kept})


def _refuse_twice(records: Mapping[Path, Record]) -> None:
    seen: dict[object, Path] = {}
    for path, record in records.items():
        first = seen.setdefault((*cell_of(record), record.split, record.seed), path)
        if first != path:
            raise GlocalkError(
                f"'{first}' and '{path}' are records of one run ({name_of(record)}): remove one, "
                "because tables would count the run twice."
            )


def _refuse_stale(records: Mapping[Path, Record]) -> None:
    cells: dict[CellKey, list[Path]] = {}
    for path, record in records.items():
        cells.setdefault(cell_of(record), []).append(path)
    for paths in cells.values():
        shared = [_shared(records[path]) for path in paths]
        for name, values in zip(_SHARED, zip(*shared, strict=True), strict=True):
            odd, other = _odd_one(values)
            if values[odd] != values[other]:
                raise GlocalkError(
                    f"'{paths[odd]}' does not fit '{paths[other]}', a seed of the same cell: its "
                    f"{name} is {values[odd]}, not {values[other]}; remove the one that is "
                    "out of date or run it again."
                )
        epochs = [(records[path].epochs, path) for path in paths if records[path].epochs]
        for found, path in epochs:
            if found != epochs[0][0]:
                raise GlocalkError(
                    f"'{path}' has curves over other epochs than '{epochs[0][1]}', a seed of the "
                    "same cell: remove the one that is wrong or run it again."
                )


def _odd_one(values: Sequence[object]) -> tuple[int, int]:
    """Positions of the rarest value (the later, on ties) and of the commonest."""
    counts = Counter(values).most_common()
    return values.index(counts[-1][0]), values.index(counts[0][0])
