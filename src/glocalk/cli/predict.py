"""`glocalk predict run=runs/… pairs=pairs.csv out=out.csv`: predictions of a run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

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
        "every pair; out.csv has the columns user, item and rating",
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
        default=None, description="CSV file with the columns user and item: rate these pairs"
    )
    top: int | None = Field(default=None, ge=1, description="number of items per user")
    users: Path | None = Field(
        default=None, description="with top: only for the users in this CSV file's column user"
    )
    unknown: Literal["refuse", "mean"] = Field(
        default="refuse",
        description="with pairs, for an unknown id: refuse, or mean of the training ratings",
    )
    module: str | None = Field(
        default=None,
        description="import this module first: needed for a completer outside glocalk, "
        "because a model file must not trigger imports",
    )

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


def predict(config: PredictConfig) -> int:
    """Write the predictions that `config` asks for; returns the number of rows.

    Raises:
        GlocalkError: an error that the user can fix.
    """
    # They import torch, which the help text does without.
    import_torchmetrics()
    from glocalk.completers.registry import load
    from glocalk.inference.tables import check_suffix, predict_file, read_users, write_table

    config.check_choice()
    check_suffix(config.out)
    _import(config.module)
    model = load(config.run)
    if config.pairs is not None:
        blocks = predict_file(model, config.pairs, config.unknown)
    else:
        assert config.top is not None
        users = None if config.users is None else read_users(config.users)
        blocks = model.top_blocks(users, config.top)
    return write_table(blocks, config.out)


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    if not arguments or wants_help(arguments):
        print(_HELP.text(("Options", fields(PredictConfig))))
        return 0
    try:
        words, options = read_arguments("predict", arguments)
        refuse_words(words)
        config = PredictConfig.check(options, "")
        rows = predict(config)
    except GlocalkError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Made '{config.out}': {rows:,} predictions.")
    return 0


def completions() -> list[str]:
    """What the shell may complete an argument to."""
    return [f"{name}=" for name in PredictConfig.model_fields]


def _import(module: str | None) -> None:
    if module is None:
        return
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise GlocalkError(
            f"Option 'module' names '{module}', which cannot be imported ({import_problem(error)})."
        ) from error
