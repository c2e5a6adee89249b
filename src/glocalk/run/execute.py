"""Executes a run: its trainings, their results under the protocols, and the record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from glocalk import stopping
from glocalk.completers.base import Completer
from glocalk.completers.combined.base import Combined
from glocalk.completers.registry import build_completer
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.metrics import why_no_ndcg
from glocalk.records.identity import config_hash, run_key
from glocalk.records.run import Record
from glocalk.run import provenance
from glocalk.run.combine import Combination, refuse_without_models
from glocalk.run.config import RunConfig
from glocalk.run.contract import check_schedule
from glocalk.run.folder import RunFolder
from glocalk.run.predictions import KeptPredictions, write_predictions
from glocalk.run.record import Outcome, done_record, failed_record, refuse_unwritable
from glocalk.run.revealing import RevealedSplit
from glocalk.run.threads import set_threads
from glocalk.run.trackers.tracking import Tracking
from glocalk.run.trainings import Trainings, takes_from_lowest_seed
from glocalk.stopping import StoppedError
from glocalk.training.checkpoints import usable

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
        if held is None or config.force:
            run.refuse_members_without_models()
        if config.force:
            run.folder.clear()
        run.folder.refuse_links()
        run.folder.remove_leftovers()
        if held is not None and not config.force:
            run.folder.remove_checkpoints()
            run.tracking.complete(held)
            _log.info("%s is already in '%s'.", run.folder.title, run.folder.path)
            if config.trace and not held.traces:
                _log.info("Its record has no traces: add force=true to train it again.")
            if config.save_predictions and not run.folder.predictions.is_file():
                _log.info("It has no predictions: add force=true to train it again.")
            return held
        run.keep_what_is_there()
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
        run.tracking.report(record)
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


def _prepare(config: RunConfig) -> _Run:
    completer = build_completer(config.model)
    check_schedule(completer)
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
        checksum = split.checksum if split else ""
        self.tracking = Tracking(config, self.folder, checksum, completer.model_version)

    def _folder(self, seed: int) -> RunFolder:
        checksum = self.split.checksum_with(self.completer.needs) if self.split else None
        return _folder(self.config, self.completer, checksum, seed)

    def held_record(self) -> Record | None:
        """The complete record, if all is there that is to be kept of the run."""
        if self.config.for_combining and not usable(self.folder.member_file):
            return None
        return self.folder.held_record()

    def keep_what_is_there(self) -> None:
        """Keep the files and traces of a finished run that is trained again for a combination."""
        held = self.folder.held_record()
        if held is None:
            return
        _log.info(
            "%s is trained again, because what combinations take was not kept: a run that a "
            "combination makes keeps it.",
            self.folder.title,
        )
        wanted = {
            "save_model": self.config.save_model or self.folder.model_file.is_file(),
            "save_predictions": self.folder.predictions.is_file(),
            "trace": bool(held.traces),
        }
        self.config = self.config.model_copy(update=wanted)

    def train(self) -> Record:
        """Make the trainings and compute the results."""
        assert self.split is not None
        self.tracking.check()
        if why := why_no_ndcg(self.split.test):
            _log.info("%s", why)
        provenance.reset_peak_memory()
        set_threads(self.config.trainer.threads, self.folder.threads)
        if isinstance(self.completer, Combined):
            outcome = self._combine(self.completer)
        else:
            outcome = Trainings(
                self.config,
                self.completer,
                self.split,
                self.folder,
                self._folder,
                self._keep_model,
                self.tracking,
            ).make()
        return done_record(self.config, self.completer, self.split, self.commit, outcome)

    def _combine(self, completer: Combined) -> Outcome:
        """Make the members' runs, and combine them."""
        assert self.split is not None
        lender = self._lender() if completer.needs_held_out else None
        combination = Combination(
            self.config, completer, self.split, execute, self._lacks_model, lender
        )
        outcome = combination.run()
        self._keep_model(combination.fitted if self.config.save_model else None)
        if self.config.save_predictions:
            predicted = combination.predictions
            kept = KeptPredictions("last", None, predicted["last"], predicted.get("validated"))
            write_predictions(kept, outcome.protocols, self.split, self.folder.path)
        return outcome

    def refuse_members_without_models(self) -> None:
        """Refuse a combination whose model would lack members, before anything is removed."""
        if not isinstance(self.completer, Combined):
            return
        try:
            refuse_without_models(self.config, self._lacks_model)
        except GlocalkError as error:
            self.write_failure(error)
            raise

    def _lacks_model(self, member: RunConfig) -> bool:
        """Whether the run of a member has been made, and would be taken without a model."""
        run = _Run(member, build_completer(member.model), self.split)
        return run.held_record() is not None and not run.folder.model_file.exists()

    def _lender(self) -> Record | None:
        """The record of the seed whose weights are taken, if it is not this one's.

        Raises:
            GlocalkError: there is none.
        """
        if not takes_from_lowest_seed(self.config):
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
        """Write the failed record, unless the run has been finished before.

        Checkpoints stay, so that the next start continues from them.
        """
        self.tracking.fail()
        if self.folder.held_record() is not None:
            return
        record = failed_record(self.config, self.completer, self.split, self.commit, error)
        try:
            record.write(self.folder.record)
        except GlocalkError as unwritten:
            _log.warning("%s", unwritten)  # the error itself matters more

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
