"""Copies this machine's records to the committed ones."""

from __future__ import annotations

import re
from pathlib import Path

from glocalk.errors import GlocalkError
from glocalk.names import inside
from glocalk.records.run import Record
from glocalk.report.load import load_local, name_of

SYNTHETIC = "synthetic"

_LONGEST_NAME = 200  # bytes; most file systems allow 255


def promote(
    runs: Path, records_dir: Path, model: str | None = None, data: str | None = None
) -> list[str]:
    """Copy done records from `runs` to `records_dir`, after checking all of them.

    Synthetic data is left out unless `data` asks for it, because reports show real data.

    Args:
        runs: the runs folder.
        records_dir: the committed records' folder.
        model: config name of the only model to promote.
        data: config name of the only data set to promote.

    Returns:
        A sentence for each record copied or left out.

    Raises:
        GlocalkError: nothing to promote, a damaged record, a record made from a dirty working
            tree, or two records for one place.
    """

    def selected(record: Record) -> bool:
        return model in (None, record.model) and data in (None, record.data)

    local = load_local(runs)
    if local.unreadable:
        raise GlocalkError(local.unreadable[0])
    chosen, messages = [], []
    for record in filter(selected, local.done):
        if record.data == SYNTHETIC and data is None:
            messages.append(f"Left out: {name_of(record)}: not real data (data={SYNTHETIC}).")
        else:
            chosen.append(record)
    for reason, others in (("failed", local.failed), ("an older config", local.outdated)):
        messages += [
            f"Left out: {name_of(record)}: {reason}." for record in filter(selected, others)
        ]
    if not chosen:
        raise GlocalkError(" ".join([f"'{runs}' holds no record to promote.", *messages]))
    places: dict[Path, Record] = {}
    for record in chosen:
        if record.dirty or record.commit is None:
            raise GlocalkError(
                f"The record of {name_of(record)} was made from a dirty working tree: commit "
                "the code and run again; nothing was promoted."
            )
        place = inside(records_dir, str(place_of(record)))
        if place in places:
            raise GlocalkError(
                f"{name_of(places[place])} and {name_of(record)} would both go to '{place}': "
                "nothing was promoted."
            )
        places[place] = record
    for place, record in places.items():
        record.write(place)
    return [
        *(f"Promoted: {name_of(record)} to '{place}'." for place, record in places.items()),
        *messages,
    ]


def place_of(record: Record) -> Path:
    """Path of a record among the committed ones.

    Raises:
        GlocalkError: its variant is too long for the name of a folder.
    """
    name = record.model
    if record.variant != "default":
        name += "-" + re.sub(r"[^\w.,=+-]", "_", record.variant)
    if record.train_share != 1:
        name += f"-share_{record.train_share:g}"
    if len(name.encode()) > _LONGEST_NAME:
        raise GlocalkError(
            f"The variant of {name_of(record)[:100]}… is too long for the name of a folder: name "
            "it with variant=… and run again; nothing was promoted."
        )
    return Path(record.experiment, record.data, name, f"seed_{record.seed}.json")
