"""The trainings of a run: its selection run and its final run, each continued where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glocalk import stopping
from glocalk.completers.base import Completer
from glocalk.completers.registry import build_completer
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.records.run import RunName
from glocalk.run.config import RunConfig
from glocalk.run.contract import check_followed, parameters_of
from glocalk.run.folder import RunFolder
from glocalk.run.listeners import Follower, Listener
from glocalk.run.loggers import make_loggers
from glocalk.run.member_runs import write_member_file
from glocalk.run.monitor import Monitor
from glocalk.run.predictions import KeptPredictions, KeptSelection, write_predictions
from glocalk.run.progress import EpochProgress
from glocalk.run.protocols import FinishedTraining, settled_epoch, take_results, validated_epoch
from glocalk.run.record import Outcome
from glocalk.run.revealing import RevealedSplit
from glocalk.run.shared import shared_stages
from glocalk.run.trackers.tracking import Tracking
from glocalk.run.uncertainty import observe_distribution
from glocalk.training.checkpoints import (
    AtomicCheckpoints,
    OtherTrainingError,
    UnloadableCheckpointError,
    set_aside,
    usable,
)
from glocalk.training.context import FitContext


def train_once(
    config: RunConfig,
    split: Split,
    folder: Path,
    listeners: Sequence[Listener] = (),
    name: str = "",
    trace: bool = False,
    kept: KeptPredictions | None = None,
    follower: Follower | None = None,
) -> tuple[Completer, Monitor]:
    """One training on `split`, with checkpoints and logs in `folder`.

    It continues from no checkpoint of a training with another `name`.
    """
    completer = build_completer(config.model)
    loggers = {stage: make_loggers(config, folder, stage) for stage in completer.schedule}
    test = None if isinstance(split, RevealedSplit) else split.test
    clip = config.protocol.clip
    monitor = Monitor(
        test, split.valid, clip, listeners, loggers, name, kept, follower, completer.schedule
    )
    context = FitContext(
        seed=config.seed,
        observer=monitor.observer(),
        folder=folder,
        checkpoint_seconds=config.checkpoint_seconds,
        trainer=config.trainer.options,
        loggers=loggers,
        trace=trace,
        side=split.side,
        shared=shared_stages(config, split) if config.share_stages else None,
    )
    with stopping.only_at_safe_points():
        completer.fit(split.train, context=context)
        if isinstance(split, RevealedSplit):
            split.evaluate(completer, monitor)
        elif not completer.has_epochs:
            monitor.observe("fit", None, completer.predict_pairs)
        check_followed(completer, monitor)
    return completer, monitor


def takes_from_lowest_seed(config: RunConfig) -> bool:
    """Whether the run takes what a selection run chooses from that of another seed."""
    protocol = config.protocol
    return protocol.selection == "lowest_seed" and config.seed != protocol.lowest_seed


@dataclass
class Trainings:
    """The trainings of a run that is no combination.

    Attributes:
        config: config of the run.
        completer: a completer with the class and config of the run, unfitted.
        split: the data.
        folder: folder of the run.
        folder_of: returns that of the same run with another seed.
        keep_model: keeps the completer of the final run, if the config asks for it.
        tracking: tells trackers of the trainings.
    """

    config: RunConfig
    completer: Completer
    split: Split
    folder: RunFolder
    folder_of: Callable[[int], RunFolder]
    keep_model: Callable[[Callable[[], Completer]], None]
    tracking: Tracking

    def make(self) -> Outcome:
        """Make them, and take the results under the protocols."""
        outcome = Outcome()
        chosen = settled = None
        config, has_epochs = self.config, self.completer.has_epochs
        last_stage = next(reversed(self.completer.schedule), "fit")
        makes_selection = (has_epochs or config.for_combining) and self._may_hold_out()
        if makes_selection and takes_from_lowest_seed(config):
            makes_selection = False
            if has_epochs:
                chosen = self._epoch_of_lowest_seed("validated")
                if self.completer.official == "settled":
                    settled = self._epoch_of_lowest_seed("official")
                outcome.epoch_from_seed = config.protocol.lowest_seed
        with EpochProgress(
            self.folder.title,
            self.completer.schedule,
            2 if makes_selection else 1,
            config.progress,
        ) as progress:
            selection = kept_selection = None
            if makes_selection:
                if config.for_combining:
                    kept_selection = KeptSelection(last_stage, None)
                selection, _ = self._train_once("selection", progress, kept_selection)
                chosen, settled = validated_epoch(selection), settled_epoch(selection)
            kept = None
            if config.save_predictions or config.for_combining:
                kept = KeptPredictions(last_stage, chosen)
            final, outcome.parameters = self._train_once("final", progress, kept)
        outcome.trainings = [final] if selection is None else [selection, final]
        outcome.protocols = take_results(selection, final, chosen, self.completer.official, settled)
        if kept is not None and config.save_predictions:
            write_predictions(kept, outcome.protocols, self.split, self.folder.path)
        if kept is not None and config.for_combining:
            write_member_file(self.folder.member_file, kept, kept_selection)
        return outcome

    def _may_hold_out(self) -> bool:
        if self.config.protocol.selection != "never":
            return True
        if self.completer.official in ("validated", "settled"):
            raise GlocalkError(
                f"{self.folder.title} is reported at the epoch that its selection run chooses: "
                "protocol.selection cannot be 'never'."
            )
        return False

    def _epoch_of_lowest_seed(self, protocol: str) -> int | None:
        seed = self.config.protocol.lowest_seed
        record = self.folder_of(seed).held_record()
        if record is None:
            raise GlocalkError(
                f"{self.folder.title} takes its validated epoch from seed {seed}, which has no "
                f"record in '{self.config.runs_dir}': run seed={seed} first, or set "
                "protocol.selection=each_seed."
            )
        result = record.protocols.get(protocol)
        epochs = list(self.completer.schedule.values())[-1]
        if result is None or not 0 < (result.rmse_epoch or 0) <= epochs:
            raise GlocalkError(
                f"'{self.folder_of(seed).record}' has no {protocol} epoch between 1 and {epochs}: "
                f"run seed={seed} again with force=true."
            )
        return result.rmse_epoch

    def _train_once(
        self, name: RunName, progress: EpochProgress, kept: KeptPredictions | None = None
    ) -> tuple[FinishedTraining, int]:
        config = self.config
        progress.training_started(name)
        finished = self._finished(name, kept)
        if finished is not None:
            return finished
        split = self.split.keep(config.train_share, config.seed)
        if name == "selection":
            split = split.hold_out(config.protocol.valid_share, config.seed)
        try:
            with self.tracking.training(name):
                completer, monitor = train_once(
                    config,
                    split,
                    self.folder.path / name,
                    [progress],
                    self._name_of(name),
                    trace=config.trace and name == "final",
                    kept=kept,
                    follower=self.tracking,
                )
        except UnloadableCheckpointError:  # it is renamed now, so that this ends
            return self._train_once(name, progress, kept)
        if name == "final":
            observe_distribution(completer, split, monitor)
            self.keep_model(lambda: completer)
        training, parameters = FinishedTraining(name, monitor), parameters_of(completer)
        self._keep_finished(training, parameters)
        return training, parameters

    def _finished(
        self, name: RunName, kept: KeptPredictions | None
    ) -> tuple[FinishedTraining, int] | None:
        """The training and its number of parameters, if it was finished before."""
        path = self.folder.finished(name)
        without_model = name == "final" and self.config.save_model
        if (without_model and not self.folder.model_file.exists()) or not usable(path):
            return None
        try:
            saved = AtomicCheckpoints().load_checkpoint(path)
            monitor = Monitor(
                self.split.test,
                training=self._name_of(name),
                kept=kept,
                follower=self.tracking if name == "final" else None,
            )
            monitor.load_state_dict(saved["monitor"])
            return FinishedTraining(name, monitor), int(saved["parameters"])
        except OtherTrainingError:
            set_aside(path, "is that of another training")
        except Exception:  # another program's content raises errors of many kinds
            set_aside(path)
        return None

    def _name_of(self, name: RunName) -> str:
        """What a training of this run has in common with no other: config, data, seed, part."""
        return f"{self.folder.name}/{name}"

    def _keep_finished(self, training: FinishedTraining, parameters: int) -> None:
        """Keep what the record needs of a finished training, in place of its checkpoints."""
        content = {"monitor": training.monitor.state_dict(), "parameters": parameters}
        AtomicCheckpoints().save_checkpoint(content, self.folder.finished(training.name))
        self.folder.remove_checkpoints(training.name)
        stopping.safe_point()
