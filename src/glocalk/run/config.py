"""The config of a run, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from glocalk.completers.registry import completer_class
from glocalk.config import ADDED, BaseConfig, find_class
from glocalk.data.labels import Side
from glocalk.data.sources import Source, build_source
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.names import Label, Name, Seed
from glocalk.records.identity import without_target
from glocalk.run.revealing import MOST_REVEALED, reveal
from glocalk.training.trainer_options import check_trainer_options

COLD_SHARE = 0.1
"""Share of users or items held out whole for a cold start."""


class ProtocolConfig(BaseConfig):
    """How test errors are measured."""

    valid_share: float = Field(
        gt=0, lt=1, description="share of the training ratings held out in the selection run"
    )
    clip: bool = Field(description="clip predictions to the rating scale before they are evaluated")
    selection: Literal["each_seed", "lowest_seed", "never"] = Field(
        description="which seeds make a selection run: each_seed; lowest_seed, whose epoch the "
        "other seeds use; never, without `validated` and `held_out`"
    )
    lowest_seed: Seed = Field(description="the seed of selection=lowest_seed")
    cold_start: Annotated[Side | None, ADDED] = Field(
        default=None,
        description=f"users or items: a random {COLD_SHARE:.0%} of them is held out with all their "
        "ratings, in place of the test ratings of the data set; validation ratings likewise",
    )
    cold_start_seed: Annotated[Seed, ADDED] = Field(
        default=0, description="seed of the draw of cold_start"
    )
    revealed: Annotated[int | None, ADDED] = Field(
        default=None,
        ge=0,
        le=MOST_REVEALED,
        description="with cold_start: number of ratings revealed of each held-out user or item; "
        f"the test ratings are those after the first {MOST_REVEALED} in a random order",
    )
    fold_in: Annotated[bool, ADDED] = Field(
        default=False,
        description="fold the revealed ratings in after the training, in place of training on "
        "them; errors are then those after the last epoch",
    )

    @model_validator(mode="after")
    def _reveals_what_is_held_out(self) -> Self:
        # Not a ValueError, whose sentence would begin with all options of the protocol as a dict.
        cold_start = "protocol.cold_start=users or protocol.cold_start=items"
        if self.cold_start_seed and self.cold_start is None:
            raise GlocalkError(
                f"protocol.cold_start_seed={self.cold_start_seed} has an effect on a cold start "
                f"alone: add {cold_start}, or leave it out."
            )
        if self.revealed is not None and self.cold_start is None:
            raise GlocalkError(
                f"protocol.revealed={self.revealed} has an effect on a cold start alone: add "
                f"{cold_start}, or leave it out."
            )
        if self.fold_in and not self.revealed:
            raise GlocalkError(
                "protocol.fold_in=true needs at least one revealed rating of each new user or "
                "item: add protocol.revealed=5, for example."
            )
        if self.fold_in and self.selection != "never":
            raise GlocalkError(
                "protocol.fold_in=true evaluates the last epoch alone, so that no selection run is "
                "made: add protocol.selection=never."
            )
        return self

    def divided(self, split: Split) -> Split:
        """The split of a data set, or that of a cold start on its ratings."""
        if self.cold_start is None:
            return split
        cold = split.cold_start(self.cold_start, COLD_SHARE, self.cold_start_seed)
        if self.revealed is None:
            return cold
        return reveal(
            cold, self.cold_start, self.revealed, self.cold_start_seed, fold_in=self.fold_in
        )


class TrainerConfig(BaseConfig):
    """The number of threads, and any options of `lightning.Trainer`."""

    model_config = ConfigDict(extra="allow")

    threads: int | None = Field(default=None, ge=1, le=1024, description="null: one per free core")

    @property
    def options(self) -> dict[str, Any]:
        """The options of `lightning.Trainer`."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _are_known(self) -> Self:
        check_trainer_options(self.options)
        return self


class RunConfig(BaseConfig):
    """Everything that the composed config of one run holds."""

    experiment: Name = Field(description="label: the table that the run belongs to")
    variant: Label = Field(description="label of a change; null: the list of overrides, or default")
    settings_from: Literal["paper", "validation"] = Field(
        description="label: where the hyperparameters come from, paper or validation"
    )
    data_name: Name
    model_name: Name
    seed: Seed = Field(description="seed of every random choice")
    train_share: float = Field(gt=0, le=1, description="share of the training ratings kept")
    data: dict[str, Any]
    model: dict[str, Any]
    trainer: TrainerConfig = Field(
        description="options of lightning.Trainer; add others as in +trainer.max_epochs=3"
    )
    logger: dict[str, Any]
    protocol: ProtocolConfig
    data_dir: Path = Field(description="folder with the files of data sets")
    runs_dir: Path = Field(description="folder of the runs")
    force: bool = Field(description="train again even if a record exists")
    checkpoint_seconds: float = Field(
        ge=0, description="minimum time between two checkpoints; 0: one after each epoch"
    )
    save_model: bool = Field(description="keep the fitted model, for glocalk predict")
    save_predictions: bool = Field(
        default=False,
        description="keep the test predictions of the final run, for glocalk evaluate",
    )
    for_combining: bool = Field(
        default=False,
        description="keep what combinations take from the run; set for their members",
    )
    trace: bool = Field(
        default=False,
        description="record the model's internal state after each epoch: glocal_k's global kernel",
    )
    share_stages: bool = Field(
        default=False,
        description="share stages with runs that differ only afterwards: GLocal-K's pre-training",
    )
    progress: bool = Field(description="show a progress bar in a terminal")

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that can change the result, except the seed; `config_hash` is taken over it.

        Names and values only: no class path, so that code may move. Every option of the model and
        of the data is in it, also those that a config leaves at their defaults, unless they were
        added after records existed (`glocalk.config.ADDED`).
        """
        data = _checked(find_class(self.data.get("_target_"), "data", Source), self.data, "data")
        return {
            "experiment": self.experiment,
            "variant": self.variant,
            "settings_from": self.settings_from,
            "train_share": self.train_share,
            "data": {"name": self.data_name, **data.identifying_options()},
            "model": {"name": self.model_name, **self._model.identifying_options()},
            "trainer": self.trainer.options,
            "protocol": self.protocol.identifying_options(),
        }

    def split(self) -> Split:
        """Read the data and divide it.

        Raises:
            GlocalkError: a file is missing, damaged or cannot be read.
        """
        return self.protocol.divided(build_source(self.data).split(self.data_dir))

    @property
    def model_options(self) -> dict[str, Any]:
        """Every option of the completer, checked."""
        return self._model.model_dump(mode="json")

    @property
    def _model(self) -> BaseConfig:
        return _checked(completer_class(self.model), self.model, "model")


def _checked(cls: Any, options: Mapping[str, Any], where: str) -> BaseConfig:
    checked: BaseConfig = cls.Config.check(without_target(options), where)
    return checked
