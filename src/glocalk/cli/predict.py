"""`glocalk predict run=runs/… pairs=pairs.csv out=out.csv`: predictions of a run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from glocalk.cli.arguments import read_arguments, refuse_words, wants_help
from glocalk.cli.help import Help, fields
from glocalk.cli.lean import import_torchmetrics
from glocalk.config import BaseConfig, import_problem
from glocalk.errors import GlocalkError

_HELP = Help(
    command="predict",
    does="predict with the model of a run: the ratings of given pairs, or the items with the "
    "highest predictions among those that a user has not rated.",
    usage=["predict run=FOLDER out=FILE pairs=FILE", "predict run=FOLDER out=FILE top=N"],
    examples={
        "predict run=runs/ml_100k-bias-1f0c-seed0 pairs=pairs.csv out=out.csv": "the rating of "
        "every pair, in the order of pairs.csv; out.csv has the columns user, item and rating",
        "predict run=runs/ml_100k-bias-1f0c-seed0 top=10 out=top.parquet": "ten items for every "
        "user; the columns are user, item, rank and rating",
    },
    flags={},
)


class PredictConfig(BaseConfig):
    """The model, the users or pairs, and the output file."""

    run: Path = Field(description="folder of the run whose model predicts, or a model file")
    out: Path = Field(description="file to write, .csv or .parquet")
    pairs: Path | None = Field(
        default=None,
        description="file of users and items, in any form that ratings may have: rate these pairs",
    )
    top: int | None = Field(default=None, ge=1, description="number of items per user")
    users: Path | None = Field(
        default=None, description="with top: only for the users in this file"
    )
    user: str | None = Field(
        default=None,
        description="with pairs or users: column of the users, its name or its position counted "
        "from 0; null finds it",
    )
    item: str | None = Field(default=None, description="with pairs: column of the items, like user")
    unknown: Literal["refuse", "mean"] = Field(
        default="refuse",
        description="with pairs, for an unknown id: refuse, or mean of the training ratings",
    )
    header: bool | None = Field(
        default=None,
        description="with pairs or users: whether the first row names the columns; null decides "
        "by its cells",
    )
    encoding: str | None = Field(
        default=None,
        description="with pairs or users: encoding of text, like cp1252; null: as a byte order "
        "mark says, else UTF-8",
    )
    max_bytes: int | None = Field(
        default=None,
        gt=0,
        description="with pairs or users: bytes that the file may take unpacked; null: 4 GiB",
    )
    module: str | None = Field(
        default=None,
        description="import this module first: needed for a completer outside glocalk, "
        "because a model file must not trigger imports",
    )

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, value: str | None) -> str | None:
        from glocalk.data.formats.encodings import check_encoding

        return value if value is None else check_encoding(value)

    def check_choice(self) -> None:
        """Refuse options that do not go together.

        Raises:
            GlocalkError: two of them do not.
        """
        if (self.pairs is None) == (self.top is None):
            raise GlocalkError(
                "Give one of pairs=FILE (rate these pairs) and top=N (the best unrated items)."
            )
        if self.pairs is not None and self.users is not None:
            raise GlocalkError("Option 'users' goes with top=N, not with pairs=FILE.")
        if self.top is not None and self.unknown == "mean":
            raise GlocalkError("Option 'unknown=mean' goes with pairs=FILE, not with top=N.")
        if self.user is not None and self.pairs is None and self.users is None:
            raise GlocalkError("Option 'user' goes with pairs=FILE or users=FILE.")
        if self.item is not None and self.pairs is None:
            raise GlocalkError("Option 'item' goes with pairs=FILE.")
        for name, asked in (("pairs", self.pairs), ("users", self.users)):
            if asked is not None and _is_same(asked, self.out):
                raise GlocalkError(
                    f"Option 'out' names the file of '{name}', which would be lost: choose another "
                    "file."
                )


def predict(config: PredictConfig) -> tuple[int, str]:
    """Write the predictions that `config` asks for.

    Returns:
        The number of rows, and what was taken from the file of pairs or users, if there is one.

    Raises:
        GlocalkError: an error that the user can fix.
    """
    # They import torch, which the help text does without.
    import_torchmetrics()
    from glocalk.completers.registry import load
    from glocalk.data.formats.options import Choice, ReadOptions
    from glocalk.data.labels import Kind
    from glocalk.inference.tables import check_suffix, predict_pairs, read_asked, write_table

    config.check_choice()
    check_suffix(config.out)
    _import(config.module)
    model = load(config.run)
    asked = None
    options = ReadOptions(header=config.header, encoding=config.encoding)
    if config.max_bytes is not None:
        options = replace(options, max_bytes=config.max_bytes)
    user: dict[Kind, Choice] = {"user": _column(config.user)}
    if config.pairs is not None:
        asked = read_asked(config.pairs, {**user, "item": _column(config.item)}, options)
        blocks = predict_pairs(model, asked, config.unknown)
    else:
        assert config.top is not None
        users = None
        if config.users is not None:
            asked = read_asked(config.users, user, options)
            users = asked.distinct("user")
        blocks = model.top_blocks(users, config.top)
    rows = write_table(blocks, config.out)
    return rows, "" if asked is None else f"'{asked.path}': {asked.description}"


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    if not arguments or wants_help(arguments):
        print(_HELP.text(("Options", fields(PredictConfig))))
        return 0
    try:
        words, options = read_arguments("predict", arguments)
        refuse_words(words)
        config = PredictConfig.check(options, "")
        rows, taken = predict(config)
    except GlocalkError as error:
        print(error, file=sys.stderr)
        return 1
    if taken:
        print(f"Read {taken}.")
    print(f"Made '{config.out}': {rows:,} predictions.")
    return 0


def completions() -> list[str]:
    """What the shell may complete an argument to."""
    return [f"{name}=" for name in PredictConfig.model_fields]


def _is_same(one: Path, other: Path) -> bool:
    """Whether both are one file, which exists."""
    return one.exists() and other.exists() and one.samefile(other)


def _column(choice: str | None) -> int | str | None:
    """A column by its name or, if it is a whole number, by its position, as in `data.user=`."""
    return int(choice) if choice is not None and choice.isdecimal() else choice


def _import(module: str | None) -> None:
    if module is None:
        return
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise GlocalkError(
            f"Option 'module' names '{module}', which cannot be imported ({import_problem(error)})."
        ) from error
