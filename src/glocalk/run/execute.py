"""Executes a run: its trainings, their results under the protocols, and the record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from glocalk import stopping
from glocalk.completers.base import Completer
from glocalk.completers.combined.base import Combined
from glocalk.completers.registry import build_completer
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.metrics import why_no_ndcg
from glocalk.records.identity import config_hash, run_key
from glocalk.records.run import Record, RunName
from glocalk.run import provenance
from glocalk.run.combine import Combination, write_member_file
from glocalk.run.config import RunConfig
from glocalk.run.folder import RunFolder
from glocalk.run.loggers import make_loggers
from glocalk.run.monitor import Listener, Monitor
from glocalk.run.predictions import KeptPredictions, KeptSelection, write_predictions
from glocalk.run.progress import EpochProgress
from glocalk.run.protocols import FinishedTraining, settled_epoch, take_results, validated_epoch
from glocalk.run.record import Outcome, done_record, failed_record, refuse_unwritable
from glocalk.run.revealing import RevealedSplit
from glocalk.run.shared import shared_stages
from glocalk.run.threads import set_threads
from glocalk.run.uncertainty import observe_distribution
from glocalk.stopping import StoppedError
from glocalk.training.checkpoints import (
    AtomicCheckpoints,
    OtherTrainingError,
    UnloadableCheckpointError,
    set_aside,
    usable,
)
from glocalk.training.context import FitContext

_log = logging.getLogger(__name__)


def execute(config: RunConfig) -> Record:
    """Train as `config` says and write the record, or return the existing one.

    A run that was killed continues from its last checkpoint, and repeats no finished training. If
    another process is already executing the same run, this one waits and returns its record.

    Raises:
        GlocalkError: an error that the user can fix. A failed record holds it too, as it does any
            other exception.
        StoppedError: a signal asked to stop; says how the run continues.
    """
    run = _prepare(config)
    for note in run.split.notes if run.split else ():
        _log.info("%s", note)
    with run.folder.lock():
        held = run.held_record()
        if config.force:
            run.folder.clear()
        run.folder.refuse_links()
        run.folder.remove_leftovers()
        if held is not None and not config.force:
            run.folder.remove_checkpoints()
            _log.info("%s is already in '%s'.", run.folder.title, run.folder.path)
            if config.trace and not held.traces:
                _log.info("Its record has no traces: add force=true to train it again.")
            if config.save_predictions and not run.folder.predictions.is_file():
                _log.info("It has no predictions: add force=true to train it again.")
            return held
        run.refuse_unwritable()
        try:
            with stopping.only_at_safe_points():
                record = run.train()
                record.write(run.folder.record)
                run.folder.remove_checkpoints()
        except StoppedError as stopped:
            stopped.continues = stopped.continues or run.folder.how_it_continues()
            raise
        except OSError as error:
            where = f" at '{error.filename}'" if error.filename else ""
            unwritten = GlocalkError(
                f"{run.folder.title} stopped, because it cannot write ({error.strerror}{where}): "
                "free disk space or choose another folder with runs_dir=…, then start it again; it "
                "continues from its last checkpoint."
            )
            run.write_failure(unwritten)
            raise unwritten from error
        except Exception as error:
            run.write_failure(error)
            raise
        return record


def held_record(config: RunConfig, checksum: str | None = None) -> Record | None:
    """The finished record of this run in its runs folder, if there is one.

    Args:
        config: the run.
        checksum: that of its split; None reads the data.
    """
    if checksum is None:
        return _prepare(config).folder.held_record()
    return _folder(config, build_completer(config.model), checksum, config.seed).held_record()


def train_once(
    config: RunConfig,
    split: Split,
    folder: Path,
    listeners: Sequence[Listener] = (),
    name: str = "",
    trace: bool = False,
    kept: KeptPredictions | None = None,
) -> tuple[Completer, Monitor]:
    """One training on `split`, with checkpoints and logs in `folder`.

    It continues from no checkpoint of a training with another `name`.
    """
    completer = build_completer(config.model)
    loggers = {stage: make_loggers(config, folder, stage) for stage in completer.schedule}
    test = None if isinstance(split, RevealedSplit) else split.test
    clip = config.protocol.clip
    monitor = Monitor(test, split.valid, clip, listeners, loggers, name, kept)
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
    return completer, monitor


def _prepare(config: RunConfig) -> _Run:
    completer = build_completer(config.model)
    try:
        split = config.split()
        split.side.check(completer.needs, split.train.shape, f"model={config.model_name}")
        if isinstance(split, RevealedSplit):
            split.check(completer, f"model={config.model_name}")
    except GlocalkError as error:
        _Run(config, completer, None).write_failure(error)
        raise
    return _Run(config, completer, split)


def _folder(config: RunConfig, completer: Completer, checksum: str | None, seed: int) -> RunFolder:
    """The folder of the run with a seed, on data with this checksum."""
    key = run_key(config_hash(config.identity), checksum, completer.model_version)
    return RunFolder(config.runs_dir, config.data_name, config.model_name, key, seed)


class _Run:
    """A run, identified by its config, its data and its model's version."""

    def __init__(self, config: RunConfig, completer: Completer, split: Split | None) -> None:
        self.config, self.completer, self.split = config, completer, split
        self.commit = provenance.commit()
        self.folder = self._folder(config.seed)

    def _folder(self, seed: int) -> RunFolder:
        checksum = self.split.checksum_with(self.completer.needs) if self.split else None
        return _folder(self.config, self.completer, checksum, seed)

    def held_record(self) -> Record | None:
        """The complete record, if all is there that is to be kept of the run."""
        if self.config.for_combining and not usable(self.folder.member_file):
            return None
        return self.folder.held_record()

    def train(self) -> Record:
        """Make the trainings and compute the results."""
        assert self.split is not None
        if why := why_no_ndcg(self.split.test):
            _log.info("%s", why)
        provenance.reset_peak_memory()
        set_threads(self.config.trainer.threads, self.folder.threads)
        if isinstance(self.completer, Combined):
            outcome = self._combine(self.completer)
        else:
            outcome = self._make_trainings()
        return done_record(self.config, self.completer, self.split, self.commit, outcome)

    def _make_trainings(self) -> Outcome:
        assert self.split is not None
        outcome = Outcome()
        chosen = settled = None
        config, has_epochs = self.config, self.completer.has_epochs
        last_stage = next(reversed(self.completer.schedule), "fit")
        makes_selection = (has_epochs or config.for_combining) and self._may_hold_out()
        if makes_selection and self._takes_epoch_of_lowest_seed():
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

    def _combine(self, completer: Combined) -> Outcome:
        """Make the members' runs, and combine them."""
        assert self.split is not None
        lender = self._lender() if completer.needs_held_out else None
        combination = Combination(self.config, completer, self.split, execute, lender)
        outcome = combination.run()
        self._keep_model(combination.fitted if self.config.save_model else None)
        if self.config.save_predictions:
            predicted = combination.predictions
            kept = KeptPredictions("last", None, predicted["last"], predicted.get("validated"))
            write_predictions(kept, outcome.protocols, self.split, self.folder.path)
        return outcome

    def _lender(self) -> Record | None:
        """The record of the seed whose weights are taken, if it is not this one's.

        Raises:
            GlocalkError: there is none.
        """
        if not self._takes_epoch_of_lowest_seed():
            return None
        seed = self.config.protocol.lowest_seed
        record = self._folder(seed).held_record()
        if record is None or not record.members:
            raise GlocalkError(
                f"{self.folder.title} takes its weights from seed {seed}, which has no record in "
                f"'{self.config.runs_dir}': run seed={seed} first, or set "
                "protocol.selection=each_seed."
            )
        return record

    def refuse_unwritable(self) -> None:
        """Refuse what the record could not hold, before hours are spent."""
        assert self.split is not None
        refuse_unwritable(self.config, self.completer, self.split, self.commit)

    def write_failure(self, error: Exception) -> None:
        """Write the failed record. Checkpoints stay, so that the next start continues from them."""
        record = failed_record(self.config, self.completer, self.split, self.commit, error)
        try:
            record.write(self.folder.record)
        except GlocalkError as unwritten:
            _log.warning("%s", unwritten)  # the error itself matters more

    def _train_once(
        self, name: RunName, progress: EpochProgress, kept: KeptPredictions | None = None
    ) -> tuple[FinishedTraining, int]:
        assert self.split is not None
        config = self.config
        progress.training_started(name)
        finished = self._finished(name, kept)
        if finished is not None:
            return finished
        split = self.split.keep(config.train_share, config.seed)
        if name == "selection":
            split = split.hold_out(config.protocol.valid_share, config.seed)
        try:
            completer, monitor = train_once(
                config,
                split,
                self.folder.path / name,
                [progress],
                self._name_of(name),
                trace=config.trace and name == "final",
                kept=kept,
            )
        except UnloadableCheckpointError:  # it is renamed now, so that this ends
            return self._train_once(name, progress, kept)
        if name == "final":
            observe_distribution(completer, split, monitor)
            self._keep_model(lambda: completer)
        training = FinishedTraining(name, monitor)
        self._keep_finished(training, completer.num_parameters)
        return training, completer.num_parameters

    def _finished(
        self, name: RunName, kept: KeptPredictions | None
    ) -> tuple[FinishedTraining, int] | None:
        """The training and its number of parameters, if it was finished before."""
        assert self.split is not None
        path = self.folder.finished(name)
        without_model = name == "final" and self.config.save_model
        if (without_model and not self.folder.model_file.exists()) or not usable(path):
            return None
        try:
            saved = AtomicCheckpoints().load_checkpoint(path)
            monitor = Monitor(self.split.test, training=self._name_of(name), kept=kept)
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

    def _keep_model(self, fitted: Callable[[], Completer] | None) -> None:
        """Write the model file if requested; before the record, which marks the run as finished."""
        if fitted is None or not self.config.save_model:
            self.folder.model_file.unlink(missing_ok=True)
            return
        completer = fitted()
        assert completer.trained_on is not None
        completer.trained_on = replace(completer.trained_on, title=self.config.data_name)
        completer.clip = self.config.protocol.clip
        completer.save(self.folder.model_file)

    def _may_hold_out(self) -> bool:
        if self.config.protocol.selection != "never":
            return True
        if self.completer.official in ("validated", "settled"):
            raise GlocalkError(
                f"{self.folder.title} is reported at the epoch that its selection run chooses: "
                "protocol.selection cannot be 'never'."
            )
        return False

    def _takes_epoch_of_lowest_seed(self) -> bool:
        protocol = self.config.protocol
        return protocol.selection == "lowest_seed" and self.config.seed != protocol.lowest_seed

    def _epoch_of_lowest_seed(self, protocol: str) -> int | None:
        seed = self.config.protocol.lowest_seed
        record = self._folder(seed).held_record()
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
                f"'{self._folder(seed).record}' has no {protocol} epoch between 1 and {epochs}: "
                f"run seed={seed} again with force=true."
            )
        return result.rmse_epoch
