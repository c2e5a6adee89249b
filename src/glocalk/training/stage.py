"""Stages: the LightningModules that a completer trains one after another, each resumable."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import lightning
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException

from glocalk import stopping
from glocalk.errors import GlocalkError, TrainerError, one_line
from glocalk.training.callbacks import EpochEnds, SafePoints, TimedCheckpoints
from glocalk.training.checkpoints import (
    PARTS,
    AtomicCheckpoints,
    OtherTrainingError,
    set_aside,
    usable,
)
from glocalk.training.context import FitContext, PredictPairs
from glocalk.training.quiet import quiet_lightning
from glocalk.training.shared import KeepsShared, SharedPart, StageStore


@dataclass
class Stage:
    """One LightningModule and how it is trained.

    Attributes:
        name: its name in curves, checkpoints and logs.
        module: the module; it logs the loss that it minimizes as `loss`. With `on_epoch=True`, it
            says `logger=False`: the observer logs the loss of an epoch, before a checkpoint is
            written, and Lightning would do it afterwards.
        epochs: number of epochs, at least 1.
        trainer: Trainer options of this stage, which take precedence over those of the run.
        callbacks: Lightning callbacks of this stage, called before the observer.
        shared: what other trainings have in common with this stage; None if nothing.
    """

    name: str
    module: lightning.LightningModule
    epochs: int
    trainer: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[Callback] = ()
    shared: SharedPart | None = None


def run_stage(
    stage: Stage, data: lightning.LightningDataModule, context: FitContext, predict: PredictPairs
) -> None:
    """Train `stage`, from its last checkpoint if `context.folder` holds one.

    After each epoch the observer evaluates `predict`; then a checkpoint replaces the previous one
    if that is at least `context.checkpoint_seconds` old. If the stage has been finished before,
    its checkpoint is loaded and nothing is trained. A damaged checkpoint is renamed to
    `….ckpt.damaged`, and the stage starts again. Without a checkpoint it starts after the epochs
    that other trainings have left in `context.shared`, if there are any. A request to stop is
    obeyed at the next batch or evaluation of the loss; at the end of an epoch a checkpoint is
    written first.

    Args:
        stage: what to train.
        data: its batches.
        context: seed, observer, checkpoint folder and Trainer options.
        predict: the completer's `predict_pairs`.

    Raises:
        UnloadableCheckpointError: the checkpoint is complete but not one of this stage of this
            training.
        StoppedError: a stop was asked for.
    """
    gc.freeze()  # so that the collection below skips the objects that exist now
    safe_points = SafePoints()
    ends = EpochEnds(stage.name, context, predict)
    callbacks: list[Callback] = [*stage.callbacks, safe_points, ends]
    store = None
    if context.shared is not None and stage.shared is not None:
        store = StageStore(context.shared, context.seed, stage.name, stage.module, stage.shared)
        callbacks.append(KeepsShared(store))
    checkpoint = source = None
    if context.folder is not None:
        checkpoint = context.folder / f"{stage.name}.ckpt"
        callbacks.append(
            TimedCheckpoints(
                context.checkpoint_seconds,
                dirpath=context.folder,
                filename=stage.name,
                enable_version_counter=False,
                save_on_train_epoch_end=True,
            )
        )
    options = {
        "max_epochs": stage.epochs,
        "logger": list(context.loggers.get(stage.name, ())),
        "enable_checkpointing": checkpoint is not None,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
        "num_sanity_val_steps": 0,
        **context.trainer,
        **stage.trainer,
    }
    resume = checkpoint if checkpoint is not None and usable(checkpoint) else None
    if checkpoint is not None and resume is None and store is not None:
        source = store.begin(checkpoint, stage.epochs, partial(_adopted, stage, ends))
        resume = checkpoint if source is not None else None
    elif resume is not None:
        saved = AtomicCheckpoints().load_checkpoint(resume)
        if not saved.keys() >= PARTS or ends.state_key not in saved["callbacks"]:
            raise set_aside(resume)
        del saved
    with quiet_lightning():
        trainer = _make_trainer(callbacks=callbacks, plugins=[AtomicCheckpoints()], **options)
        # Lightning would convert the module after loading a checkpoint, which would lose digits.
        trainer.strategy.precision_plugin.convert_module(stage.module)
        try:
            _fit(trainer, stage, data, resume)
        except (GlocalkError, OSError):
            raise
        except Exception as error:
            if resume is None or safe_points.reached:
                raise
            other = isinstance(error, OtherTrainingError)
            why = "is that of another training" if other else "is damaged"
            if source is not None:
                source.unlink(missing_ok=True)  # else the stage would begin with it again
            raise set_aside(resume, why) from error
    # Lightning's objects form reference cycles, which hold the optimizer's vectors.
    stage.module.trainer = data.trainer = None
    del trainer
    gc.collect()
    gc.unfreeze()


def _adopted(stage: Stage, ends: EpochEnds, states: dict[str, Any]) -> dict[str, Any]:
    """States of the callbacks of another training with the same epochs, as those of this one."""
    kept = {callback.state_key for callback in stage.callbacks}
    observed = ends.context.observer.adopted(states[ends.state_key])
    return {
        **{key: state for key, state in states.items() if key in kept},
        ends.state_key: {**observed, "stage": stage.name},
    }


def _fit(
    trainer: lightning.Trainer,
    stage: Stage,
    data: lightning.LightningDataModule,
    resume: Path | None,
) -> None:
    """`trainer.fit`, in which signals have the effect that they have elsewhere."""
    try:
        trainer.fit(stage.module, datamodule=data, ckpt_path=resume)
    except SIGTERMException:  # Lightning noticed the signal before a safe point was reached
        stopping.safe_point()
        raise
    except SystemExit as exit_:  # Lightning turns Ctrl-C into the end of the program
        if isinstance(exit_.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


def _make_trainer(**options: Any) -> lightning.Trainer:
    """A Trainer.

    Raises:
        TrainerError: the options do not fit this machine, for example an accelerator it lacks.
    """
    try:
        return lightning.Trainer(**options)
    except (MisconfigurationException, TypeError, ValueError) as error:
        reason = one_line(error).rstrip(".")
        raise TrainerError(
            f"The Trainer cannot be made ({reason}): change the options of trainer, as in "
            "trainer=cpu where torch finds no GPU."
        ) from error
