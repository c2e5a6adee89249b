"""Stages: the LightningModules that a completer trains one after another, each resumable."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightning
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback

from glocalk.errors import GlocalkError
from glocalk.training.callbacks import EpochEnds, TimedCheckpoints
from glocalk.training.checkpoints import AtomicCheckpoints, usable
from glocalk.training.context import FitContext, PredictPairs
from glocalk.training.quiet import quiet_lightning


@dataclass
class Stage:
    """One LightningModule and how it is trained.

    Attributes:
        name: its name in curves, checkpoints and logs.
        module: the module; it logs the loss that it minimizes as `loss`.
        epochs: number of epochs, at least 1.
        trainer: Trainer options of this stage, which take precedence over those of the run.
        callbacks: Lightning callbacks of this stage, called before the observer.
    """

    name: str
    module: lightning.LightningModule
    epochs: int
    trainer: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[Callback] = ()


def run_stage(
    stage: Stage, data: lightning.LightningDataModule, context: FitContext, predict: PredictPairs
) -> None:
    """Train `stage`, from its last checkpoint if `context.folder` holds one.

    After each epoch the observer evaluates `predict`; then a checkpoint replaces the previous one
    if that is at least `context.checkpoint_seconds` old. If the stage has been finished before,
    its checkpoint is loaded and nothing is trained. A damaged checkpoint is renamed to
    `….ckpt.damaged`, and the stage starts again.

    Args:
        stage: what to train.
        data: its batches.
        context: seed, observer, checkpoint folder and Trainer options.
        predict: the completer's `predict_pairs`.
    """
    gc.freeze()  # so that the collection below skips the objects that exist now
    callbacks: list[Callback] = [*stage.callbacks, EpochEnds(stage.name, context, predict)]
    checkpoint = None
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
    with quiet_lightning():
        trainer = _make_trainer(callbacks=callbacks, plugins=[AtomicCheckpoints()], **options)
        # Lightning would convert the module after loading a checkpoint, which would lose digits.
        trainer.strategy.precision_plugin.convert_module(stage.module)
        trainer.fit(stage.module, datamodule=data, ckpt_path=resume)
    # Lightning's objects form reference cycles, which hold the optimizer's vectors.
    stage.module.trainer = data.trainer = None
    del trainer
    gc.collect()
    gc.unfreeze()


def _make_trainer(**options: Any) -> lightning.Trainer:
    """A Trainer.

    Raises:
        GlocalkError: the options do not fit this machine, for example an accelerator it lacks.
    """
    try:
        return lightning.Trainer(**options)
    except (MisconfigurationException, TypeError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise GlocalkError(
            f"The Trainer cannot be made ({reason}): change the options of trainer."
        ) from error
