"""What a search is about: its config, its data, its folder and its record without trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from glocalk.completers.base import Completer
from glocalk.completers.combined.base import Combined
from glocalk.completers.registry import build_completer, completer_class
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.names import inside
from glocalk.records.identity import config_hash, search_identity
from glocalk.records.search import PLAIN_SEARCH, Budget, Search
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.run.contract import check_schedule
from glocalk.run.space import Space, flat_space, value_of, with_values
from glocalk.run.trial import without_test

if TYPE_CHECKING:
    from glocalk.run.study import Study

RECORD = "search.json"


def space_of(config: RunConfig, nested: Mapping[str, Any]) -> Space:
    """The checked search space.

    Raises:
        GlocalkError: it names an unknown option, is not a space, or has a value that the option
            cannot have.
    """
    source = f"conf/search/{config.model_name}.yaml"
    of_data = f"conf/search_on/{config.data_name}/{config.model_name}.yaml"
    options, cls = config.model_options, completer_class(config.model)
    space = flat_space(nested, options, source, of_data)
    for name, choice in space.items():
        for value in choice if isinstance(choice, list) else (choice["low"], choice["high"]):
            try:
                cls.Config.check(with_values(options, {name: value}), "model")
            except GlocalkError as error:
                # Other options may forbid it, which the search may change too.
                if f"'model.{name}" in str(error):
                    raise GlocalkError(f"The search tries an impossible value: {error}") from error
    return space


def identity_of(config: RunConfig, space: Space, checksum: str, valid_seed: int | None) -> str:
    """What identifies the search."""
    version = completer_class(config.model).model_version
    return search_identity(config.identity, space, config.seed, checksum, version, valid_seed)


def folder_of(config: RunConfig) -> Path:
    """The folder of the search."""
    of_experiment = () if config.experiment == PLAIN_SEARCH else (config.experiment,)
    name = f"{config.data_name}-{config.model_name}"
    return inside(config.runs_dir, "searches", *of_experiment, name)


@dataclass
class Task:
    """A search: its config, its data, its folder and its record without trials.

    The test ratings of its `split` are the held-out ones.
    """

    config: RunConfig
    split: Split
    folder: Path
    blank: Search

    @classmethod
    def of(
        cls,
        config: RunConfig,
        space: Space,
        budget: Budget,
        valid_seed: int | None,
        split: Split,
    ) -> Task:
        """Check the data against the needs of the model."""
        completer = build_completer(config.model)
        check_schedule(completer)
        split.side.check(completer.needs, split.train.shape, f"model={config.model_name}")
        checksum = split.checksum_with(completer.needs)
        commit, dirty = provenance.commit()
        blank = Search(
            data=config.data_name,
            model=config.model_name,
            seed=config.seed,
            valid_seed=valid_seed,
            budget=budget,
            config=config.identity,
            space=space,
            identity=identity_of(config, space, checksum, valid_seed),
            data_checksum=checksum,
            model_version=completer.model_version,
            commit=commit,
            dirty=dirty,
            versions=provenance.versions(),
            threads=torch.get_num_threads(),
            trials=[],
        )
        seed = config.seed if valid_seed is None else valid_seed
        return cls(config, without_test(split, config, seed), folder_of(config), blank)

    @property
    def title(self) -> str:
        """The search in sentences."""
        return f"A search over {self.config.model_name} on {self.config.data_name}"

    @property
    def warning(self) -> str | None:
        """What to say where the ratings that judge the trials also choose in a later run."""
        protocol, seed, valid_seed = self.config.protocol, self.config.seed, self.blank.valid_seed
        completer = build_completer(self.config.model)
        chosen = None if protocol.selection == "never" else _chosen_in_runs(completer)
        if not self.split.division.draws:
            ineffective = (
                f"The split of {self.config.data_name} itself chooses which ratings are held out, "
                "so that valid_seed has no effect"
            )
            if chosen is None:
                return f"{ineffective}."
            return (
                f"{ineffective}: the ratings that judge the trials choose {chosen} of a later run, "
                "too."
            )
        own = seed if valid_seed is None else valid_seed
        seeds = completer.seeds(seed) if isinstance(completer, Combined) else (seed,)
        selecting = (protocol.lowest_seed,) if protocol.selection == "lowest_seed" else seeds
        # With another seed, another part of the training ratings is kept.
        is_same_part = own == seed or self.config.train_share == 1
        if chosen is None or own not in selecting or not is_same_part:
            return None
        shown = "null" if valid_seed is None else valid_seed
        return (
            f"With valid_seed={shown}, the trials are judged by the ratings that seed={own} holds "
            f"out in a run, so that they choose {chosen} of that run, too: give valid_seed a value "
            "that is the seed of no run."
        )

    @property
    def path(self) -> Path:
        return self.folder / RECORD

    @property
    def journal(self) -> Path:
        return self.folder / "journal.log"

    def held_record(self) -> Search | None:
        """The record of this search in the runs folder, if it has spent this budget already.

        Raises:
            GlocalkError: the existing record is damaged or of another schema.
        """
        if self.config.force or not self.path.exists():
            return None
        held, budget = Search.read(self.path), self.blank.budget
        assert budget is not None
        is_this = held.identity == self.blank.identity
        return held if is_this and held.has_spent(budget) else None

    def study(self) -> Study:
        """The study that the search continues; a new one with `force`."""
        from glocalk.run.study import Study

        if self.config.force:
            self.journal.unlink(missing_ok=True)
        return Study(self.journal, self.blank.identity, **self.of_study)

    @property
    def of_study(self) -> dict[str, Any]:
        """What a study of this search is made of."""
        options, space = self.config.model_options, self.blank.space
        return {
            "space": space,
            "start": {name: value_of(options, name) for name in space},
            "seed": self.config.seed,
            "warmup_epochs": sum(build_completer(self.config.model).schedule.values()) // 3,
        }

    @property
    def study_name(self) -> str:
        """A name that no other search and no other budget has."""
        budget = self.blank.budget
        assert budget is not None
        key = config_hash({"search": self.blank.identity, "budget": budget.model_dump()})
        return f"{self.blank.data}-{self.blank.model}-{key[:12]}"

    def record(self, study: Study) -> Search:
        """The record with the trials made so far."""
        return self.blank.model_copy(update={"trials": study.trials})


def _chosen_in_runs(completer: Completer) -> str | None:
    """What the held-out ratings of a selection run choose in a run; None if it makes none."""
    if isinstance(completer, Combined):
        weights = " and weights" if completer.needs_held_out else ""
        return f"the members' epochs{weights}"
    return "the epoch" if completer.has_epochs else None
