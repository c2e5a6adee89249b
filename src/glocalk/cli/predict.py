"""`glocalk predict run=runs/… pairs=pairs.csv out=out.csv`: predictions of a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from glocalk.cli.arguments import read_arguments, refuse_words, wants_help
from glocalk.cli.help import Help, fields
from glocalk.cli.lean import import_torchmetrics
from glocalk.cli.loading import load_model
from glocalk.config import BaseConfig
from glocalk.errors import GlocalkError

_HELP = Help(
    command="predict",
    does="predict with the model of a run: the ratings of given pairs, or the items with the "
    "highest predictions among those that a user has not rated.",
    usage=["predict run=FOLDER out=FILE pairs=FILE", "predict run=FOLDER out=FILE top=N"],
    examples={
        "predict run=runs/ml_100k-bias-1f0c-seed0 pairs=pairs.csv out=out.csv": "the rating of "
        "every pair, in the order of pairs.csv; out.csv has the columns user, item and rating",
        "predict run=runs/ml_100k-gc_mc-1f0c-seed0 pairs=pairs.csv out=out.csv return_std=true": (
            "also the column std, the standard deviation of each rating"
        ),
        "predict run=runs/ml_100k-bias-1f0c-seed0 top=10 out=top.parquet": "ten items for every "
        "user; the columns are user, item, rank and rating",
        "predict run=runs/ml_100k-bias-1f0c-seed0 new_ratings=new.csv top=10 out=top.csv": "ten "
        "items for each new user in new.csv, which has the columns user, item and rating",
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
    new_ratings: Path | None = Field(
        default=None,
        description="file of ratings by new users or of new items, in any form that ratings may "
        "have: predict for these too, without training; with top and without users: for the users "
        "in this file",
    )
    user: str | None = Field(
        default=None,
        description="column of the users in these files, its name or its position counted from 0; "
        "null finds it",
    )
    item: str | None = Field(
        default=None, description="with pairs or new_ratings: column of the items, like user"
    )
    rating: str | None = Field(
        default=None, description="with new_ratings: column of the ratings, like user"
    )
    unknown: Literal["refuse", "mean"] = Field(
        default="refuse",
        description="with pairs, for an unknown id: refuse, or mean of the training ratings",
    )
    return_std: bool = Field(
        default=False,
        description="with pairs: also the standard deviation of each rating, of models that give a "
        "distribution",
    )
    header: bool | None = Field(
        default=None,
        description="whether the first row of these files names the columns; null decides by its "
        "cells",
    )
    encoding: str | None = Field(
        default=None,
        description="encoding of text in these files, like cp1252; null: as a byte order mark "
        "says, else UTF-8",
    )
    max_bytes: int | None = Field(
        default=None,
        gt=0,
        description="bytes that each of these files may take unpacked; null: 4 GiB",
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
        if self.top is not None and self.return_std:
            raise GlocalkError("Option 'return_std=true' goes with pairs=FILE, not with top=N.")
        files = {"pairs": self.pairs, "users": self.users, "new_ratings": self.new_ratings}
        for option, readers in (
            ("user", ("pairs", "users", "new_ratings")),
            ("item", ("pairs", "new_ratings")),
            ("rating", ("new_ratings",)),
        ):
            if getattr(self, option) is not None and not any(files[name] for name in readers):
                places = " or ".join(f"{name}=FILE" for name in readers)
                raise GlocalkError(f"Option '{option}' goes with {places}.")
        for name, asked in files.items():
            if asked is not None and _is_same(asked, self.out):
                raise GlocalkError(
                    f"Option 'out' names the file of '{name}', which would be lost: choose another "
                    "file."
                )


def predict(config: PredictConfig) -> tuple[int, list[str]]:
    """Write the predictions that `config` asks for.

    Returns:
        The number of rows, and what was taken from each file that was read.

    Raises:
        GlocalkError: an error that the user can fix.
    """
    # They import torch, which the help text does without.
    import_torchmetrics()
    from glocalk.data.formats.options import ReadOptions
    from glocalk.inference.tables import (
        check_suffix,
        predict_pairs,
        read_asked,
        read_ratings,
        write_table,
    )

    config.check_choice()
    check_suffix(config.out)
    model = load_model(config.run, config.module)
    options = ReadOptions(header=config.header, encoding=config.encoding)
    if config.max_bytes is not None:
        options = replace(options, max_bytes=config.max_bytes)
    user, item = _column(config.user), _column(config.item)
    users, taken = None, []
    if config.new_ratings is not None:
        assert model.trained_on is not None
        choices = {"user": user, "item": item, "rating": _column(config.rating)}
        ratings, description = read_ratings(
            config.new_ratings, choices, model.trained_on.scale, options
        )
        model, users = model.fold_in(ratings), ratings.ids.users
        taken.append(f"'{config.new_ratings}': {description}")
    if config.pairs is not None:
        asked = read_asked(config.pairs, {"user": user, "item": item}, options)
        taken.append(f"'{asked.path}': {asked.description}")
        blocks = predict_pairs(model, asked, config.unknown, return_std=config.return_std)
    else:
        assert config.top is not None
        if config.users is not None:
            asked = read_asked(config.users, {"user": user}, options)
            taken.append(f"'{asked.path}': {asked.description}")
            users = asked.distinct("user")
        blocks = model.top_blocks(users, config.top)
    return write_table(blocks, config.out), taken


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
    for what in taken:
        print(f"Read {what}.")
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
