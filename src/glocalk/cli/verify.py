"""`glocalk verify`: train committed records again and compare their errors."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from functools import partial

from glocalk.cli.arguments import read_arguments, wants_help
from glocalk.cli.help import Help, fields
from glocalk.errors import GlocalkError
from glocalk.verification.config import VerifyConfig

_HELP = Help(
    command="verify",
    does="train a sample of the committed records again, with the code as it is, and compare their "
    "test RMSE, MAE and NDCG under each protocol within a band that follows from the spread of "
    "other seeds. It exits with 1 unless all are reproduced. Missing data is downloaded. Trainings "
    "of the same code on the same machine are not repeated.",
    usage=["verify [all] [name=value ...]"],
    examples={
        "verify minutes=2 data_sets=[ml_100k]": "a small sample on one data set",
        "verify all experiments=[table1] models=[bias,item_knn]": "every record of two rows",
        "verify seed=1": "another sample",
    },
    flags={},
)


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    if wants_help(arguments):
        print(_HELP.text(("Options", fields(VerifyConfig))))
        return 0
    from glocalk.cli.app import exit_with_sentence

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    with exit_with_sentence():
        words, options = read_arguments("verify", arguments)
        if words not in ([], ["all"]):
            raise GlocalkError(f"'{words[0]}' is not name=value.")
        config = VerifyConfig.check(options, "")
        if not config.records.is_dir():
            raise GlocalkError(
                f"There is no folder '{config.records}': name one with records=FOLDER."
            )
        from glocalk.verification.job import verify

        verify(config, bool(words), partial(print, flush=True))
    return 0


def completions() -> list[str]:
    """What the shell may complete an argument to."""
    return ["all", *(f"{name}=" for name in VerifyConfig.model_fields)]
