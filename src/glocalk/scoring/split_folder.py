"""The split of a data set as files for other libraries."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from glocalk.data.ratings import Ratings
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.inference.tables import check_suffix, write_table
from glocalk.records.json_text import parse, to_json
from glocalk.run.revealing import RevealedSplit

Format: TypeAlias = Literal["csv", "parquet"]

FACTS = "split.json"
_PARTS = ("train", "valid", "test")


def write_split(
    split: Split, folder: Path, *, data: str, share: float, seed: int, form: Format = "csv"
) -> bool:
    """Write the ratings of a split, and `split.json` about them: all of them or nothing.

    `train` and `valid` are those of the selection run of this seed; the final run is trained on
    both together. Ratings that are folded in after the training are in `revealed`. The columns are
    user, item and rating.

    Args:
        split: the split, without validation ratings.
        folder: where to write; a folder that exists is empty, or holds this very split.
        data: name of the data set.
        share: share of the training ratings in `valid`.
        seed: seed of the draw of `valid`, and of the run.
        form: format of the files.

    Returns:
        Whether files were written; False if the folder holds the split already.

    Raises:
        GlocalkError: the folder holds something else, or cannot be written to.
    """
    check_suffix(Path(f"train.{form}"))
    held_out = split.hold_out(share, seed)
    facts = _facts(split, held_out, data=data, share=share, seed=seed)
    if folder.exists() and not folder.is_dir():
        raise GlocalkError(f"'{folder}' cannot be written: it is a file, not a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        _refuse_other(folder, facts, list(_parts(held_out)), form)
        return False
    whole = bool((split.train.ratings % 1 == 0).all() and (split.test.ratings % 1 == 0).all())
    with _replacing(folder) as temporary:
        digests = {}
        for part, ratings in _parts(held_out).items():
            path = temporary / f"{part}.{form}"
            frame = ratings.to_frame()
            # As the files of most data sets have them.
            frame = frame.astype({"rating": np.int64}) if whole else frame
            write_table([frame], path, digits=None)
            digests[path.name] = _digest(path)
        content = {**facts, "files": digests, "glocalk": version("glocalk")}
        (temporary / FACTS).write_text(to_json(content, indent=1), encoding="utf-8")
    return True


def _facts(split: Split, held_out: Split, *, data: str, share: float, seed: int) -> dict[str, Any]:
    parts = _parts(held_out)
    return {
        "data": data,
        "split": split.name,
        "data_checksum": split.checksum,
        "scale": list(map(float, split.test.scale)),
        "users": split.train.num_users,
        "items": split.train.num_items,
        **{part: len(ratings) for part, ratings in parts.items()},
        "valid_share": share,
        "seed": seed,
    }


def _parts(held_out: Split) -> dict[str, Ratings]:
    """The ratings of each file."""
    parts: dict[str, Ratings] = {part: getattr(held_out, part) for part in _PARTS}
    if isinstance(held_out, RevealedSplit):
        assert held_out.to_fold_in is not None
        assert held_out.ids is not None
        parts["revealed"] = Ratings.of(held_out.to_fold_in, held_out.ids)
    return parts


def _refuse_other(
    folder: Path, facts: Mapping[str, Any], parts: Sequence[str], form: Format
) -> None:
    """Refuse a folder that does not hold this split."""
    remedy = "choose another folder, or remove it"
    path = folder / FACTS
    if not path.is_file():
        raise GlocalkError(f"'{folder}' is not empty and holds no {FACTS}: {remedy}.")
    try:
        held = parse(path.read_text(encoding="utf-8"))
        files = dict(held["files"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise GlocalkError(f"'{path}' cannot be read: {remedy}.") from error
    for name, value in facts.items():
        if held.get(name) != value:
            raise GlocalkError(
                f"'{folder}' holds another split (its {name} is {held.get(name)}, not {value}): "
                f"{remedy}."
            )
    for part in parts:
        name = f"{part}.{form}"
        if name not in files:
            raise GlocalkError(f"'{folder}' holds this split in another format: {remedy}.")
        if not (folder / name).is_file() or _digest(folder / name) != files[name]:
            raise GlocalkError(f"'{folder / name}' is missing or was changed: {remedy}.")


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, which takes its place once the body has filled it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            yield temporary
            temporary.chmod(0o755)
            temporary.replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise GlocalkError(f"'{folder}' cannot be written: {error.strerror}.") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
