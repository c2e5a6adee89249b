"""`glocalk predict run=runs/… pairs=pairs.csv out=out.csv`: predictions of a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from glocalk.completers.registry import load
from glocalk.config import BaseConfig
from glocalk.errors import GlocalkError
from glocalk.inference.predictor import Unknown
from glocalk.inference.tables import check_suffix, predict_file, read_users, write_table

_USAGE = """\
glocalk predict run=FOLDER out=FILE pairs=FILE [unknown=mean]
glocalk predict run=FOLDER out=FILE top=N [users=FILE]

  run=FOLDER     the run whose model predicts
  out=FILE       where to, .csv or .parquet
  pairs=FILE     a CSV file with the columns user and item; out has user, item and rating
  unknown=mean   the mean of the training ratings where an id is unknown, instead of an error
  top=N          the N unseen items with the highest predictions of every user; out has user,
                 item, rank and rating
  users=FILE     only for the users in the column user of a CSV file"""


class PredictConfig(BaseConfig):
    """What to predict with, for whom, and where to."""

    run: Path
    out: Path
    pairs: Path | None = None
    top: int | None = Field(default=None, ge=1)
    users: Path | None = None
    unknown: Unknown = "refuse"

    def check_choice(self) -> None:
        """Refuse options that do not go together."""
        if (self.pairs is None) == (self.top is None):
            raise GlocalkError(
                "Give one of pairs=FILE (rate these pairs) and top=N (the best unseen items)."
            )
        if self.pairs is not None and self.users is not None:
            raise GlocalkError("Option 'users' goes with top=N, not with pairs=FILE.")
        if self.top is not None and self.unknown == "mean":
            raise GlocalkError("Option 'unknown=mean' goes with pairs=FILE, not with top=N.")


def predict(settings: PredictConfig) -> int:
    """Write the predictions that `settings` ask for; returns the number of rows.

    Raises:
        GlocalkError: what a user can mend.
    """
    settings.check_choice()
    check_suffix(settings.out)
    model = load(settings.run)
    if settings.pairs is not None:
        blocks = predict_file(model, settings.pairs, settings.unknown)
    else:
        assert settings.top is not None
        users = None if settings.users is None else read_users(settings.users)
        blocks = model.top_blocks(users, settings.top)
    return write_table(blocks, settings.out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or {"-h", "--help"} & set(given):
        print(_USAGE)
        return 0
    try:
        settings = PredictConfig.check(_options(given), "")
        rows = predict(settings)
    except GlocalkError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Made '{settings.out}': {rows:,} predictions.")
    return 0


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """The arguments by name."""
    options: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not (name and equals and value):
            raise GlocalkError(f"'{argument}' cannot be read: write name=value.")
        if name in options:
            raise GlocalkError(f"Option '{name}' is given twice.")
        options[name] = value
    return options


if __name__ == "__main__":
    sys.exit(main())
