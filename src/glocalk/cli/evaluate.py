"""`glocalk evaluate predictions.csv data=ml_100k`: scores predictions made elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from pydantic import Field, field_validator

from glocalk.cli.app import exit_with_sentence, overrides_first, run_app
from glocalk.cli.config_help import data_section, groups, options
from glocalk.cli.help import HYDRA_FLAGS, Help
from glocalk.config import BaseConfig
from glocalk.data.formats.encodings import check_encoding
from glocalk.data.formats.options import Choice, ReadOptions
from glocalk.data.sources import build_source
from glocalk.errors import GlocalkError
from glocalk.names import Label
from glocalk.run.compose import CONFIGS, VERSION_BASE, as_dict
from glocalk.run.config import ProtocolConfig
from glocalk.scoring.order import in_test_order
from glocalk.scoring.predictions import Predictions
from glocalk.scoring.score import Score, refuse_lacking, score_predictions
from glocalk.scoring.written import terminal_text, write_score

_EXAMPLE = "glocalk evaluate predictions.csv data=ml_100k"

_HELP = Help(
    command="evaluate",
    does="score predictions made elsewhere as the test predictions of a run are scored, and "
    "compare them with the committed rows of the same split. FILE has a user, an item and a "
    "prediction for each test rating, in any order and in any form that ratings may have.",
    usage=["evaluate FILE data=NAME [name=value ...] [flags]"],
    examples={
        "evaluate predictions.csv data=ml_100k name='my SVD' out=scored": "its RMSE, MAE and NDCG, "
        "and its differences to other models; also written to scored/evaluation.md, .csv and .json",
        "evaluate est.parquet data=csv data.path=train.csv data.test_path=test.csv": "on "
        "user-supplied ratings",
    },
    flags=HYDRA_FLAGS,
)


class EvaluateConfig(BaseConfig):
    """The predictions, how they are read, and what they are compared with."""

    predictions: Path = Field(description="the file; its name alone does, too")
    name: Label | None = Field(
        description="what the predictions are called; null: the name of the file"
    )
    out: Path | None = Field(
        description="folder for evaluation.md, evaluation.csv and evaluation.json; null: none"
    )
    records: Path = Field(
        description="folder of the records to compare with: the committed ones, or runs"
    )
    variants: bool = Field(
        default=False,
        description="also compare with rows of other hyperparameters, ablations and shares of the "
        "training ratings",
    )
    groups: int | None = Field(
        default=None,
        ge=1,
        description="also the errors by activity of users and items, in this many groups each, and "
        "by rating; null: none",
    )
    k: int | None = Field(
        default=None,
        ge=1,
        description="also precision, recall, NDCG and others at k; null: none",
    )
    user: str | int | None = Field(
        description="column of the users, its name or its position counted from 0; null finds it"
    )
    item: str | int | None = Field(description="column of the items, like user")
    prediction: str | int | None = Field(description="column of the predictions, like user")
    header: bool | None = Field(
        description="whether the first row names the columns; null decides by its cells"
    )
    decimal: Literal[".", ","] = Field(description="decimal separator of the predictions")
    encoding: str | None = Field(
        description="encoding of text, like cp1252; null: as a byte order mark says, else UTF-8"
    )
    max_bytes: int | None = Field(
        gt=0, description="bytes that the file may take unpacked; null: 4 GiB"
    )
    data_dir: Path = Field(description="folder with the files of data sets")
    data: dict[str, Any]
    protocol: ProtocolConfig

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, value: str | None) -> str | None:
        return value if value is None else check_encoding(value)

    @property
    def choices(self) -> dict[str, Choice]:
        """The chosen columns by role."""
        return {"user": self.user, "item": self.item, "prediction": self.prediction}

    @property
    def reading(self) -> ReadOptions:
        """How the file is read."""
        read = ReadOptions(header=self.header, decimal=self.decimal, encoding=self.encoding)
        return read if self.max_bytes is None else replace(read, max_bytes=self.max_bytes)


@hydra.main(version_base=VERSION_BASE, config_path=CONFIGS, config_name="evaluate")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        if OmegaConf.is_missing(config, "predictions"):
            raise GlocalkError(f"Name the file of predictions, as in {_EXAMPLE}.")
        chosen = EvaluateConfig.check(as_dict(config), "")
        hydra_config = HydraConfig.get()
        if any(line.startswith("records=") for line in hydra_config.overrides.task):
            refuse_lacking(chosen.records)
        evaluate(chosen, hydra_config.runtime.choices["data"])


def evaluate(chosen: EvaluateConfig, data: str) -> None:
    """Print the score that `chosen` asks for, and write its files.

    Args:
        chosen: the predictions and the split.
        data: name of the data set.

    Raises:
        GlocalkError: an error that the user can fix; nothing is written.
    """
    if chosen.out is not None and chosen.out.exists() and not chosen.out.is_dir():
        raise GlocalkError(f"Option 'out' is a folder, but '{chosen.out}' is a file.")
    score = _score(chosen, data)
    print(terminal_text(score))
    if chosen.out is not None:
        files = write_score(score, chosen.out)
        print(f"Made {', '.join(map(repr, map(str, files)))}.")


def _score(chosen: EvaluateConfig, data: str) -> Score:
    # First, because reading the data takes longer.
    table = Predictions.of_file(chosen.predictions, chosen.choices, chosen.reading)
    split = chosen.protocol.divided(build_source(chosen.data).split(chosen.data_dir))
    predicted = in_test_order(table, split, data)
    for note in split.notes:
        print(note)
    print(f"Read {table.title}: {'; '.join(table.notes)}.")
    return score_predictions(
        predicted,
        split,
        name=chosen.name or chosen.predictions.name,
        data=data,
        clip=chosen.protocol.clip,
        records=chosen.records,
        variants=chosen.variants,
        groups=chosen.groups,
        k=chosen.k,
    )


def _named(given: Sequence[str]) -> list[str]:
    """The arguments with `predictions=` before a file that is named without it."""
    ordered = overrides_first("evaluate", given)
    files = [
        at
        for at, argument in enumerate(ordered)
        if "=" not in argument
        and not argument.startswith(("-", "~"))
        and not _is_value(ordered, at)
    ]
    if len(files) > 1:
        raise GlocalkError(
            f"'{ordered[files[1]]}' is a second file of predictions: name one, as in {_EXAMPLE}."
        )
    return [f"predictions={text}" if at in files else text for at, text in enumerate(ordered)]


def _is_value(arguments: Sequence[str], at: int) -> bool:
    """Whether an argument belongs to the flag before it."""
    return at > 0 and arguments[at - 1].startswith("-")


def _help(config: DictConfig) -> str:
    others = {"data", "protocol"}
    top = [name for name in EvaluateConfig.model_fields if name not in others]
    return _HELP.text(
        ("Config groups", groups(config, ["data", "protocol"])),
        ("Options", options(OmegaConf.masked_copy(config, top), EvaluateConfig)),
        data_section(config),
        ("Options of the protocol", options(config.protocol, ProtocolConfig, "protocol.")),
    )


def main() -> None:
    """Entry point; the arguments are in `sys.argv`."""
    with exit_with_sentence():
        sys.argv[1:] = _named(sys.argv[1:])
    run_app(_app, "evaluate", _help)
