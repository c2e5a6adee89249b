"""Lightning callbacks that run at the start and the end of an epoch."""

from __future__ import annotations

import time
from typing import Any

import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from glocalk import stopping
from glocalk.training.checkpoints import Cadence
from glocalk.training.context import FitContext, PredictPairs


class TimedCheckpoints(ModelCheckpoint):
    """Saves when a checkpoint is due, because saving may take longer than an epoch.

    The last epoch is always saved, and so is one after which the training is asked to stop.

    Args:
        seconds: minimum time between two checkpoints, see `Cadence`.
        **options: options of `ModelCheckpoint`.
    """

    def __init__(self, seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self.cadence = Cadence(seconds)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        is_last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if is_last or self.cadence.due or stopping.requested():
            began = time.monotonic()
            super().on_train_epoch_end(trainer, pl_module)
            self.cadence.saved(time.monotonic() - began)
        stopping.safe_point()


class SafePoints(Callback):
    """Stops within an epoch if that is asked for: at a batch, or at an evaluation of its loss.

    Attributes:
        reached: whether the training has begun, with all that a checkpoint holds restored.
    """

    reached = False

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        del trainer, pl_module
        self.reached = True

    def on_train_batch_start(self, *_: Any) -> None:
        stopping.safe_point()

    def on_before_backward(self, *_: Any) -> None:  # L-BFGS evaluates many times a batch
        stopping.safe_point()


class EpochEnds(Callback):
    """Seeds each epoch, and lets the observer evaluate at its end.

    Each epoch has its own seed, so that a resumed stage draws the same random numbers as an
    uninterrupted one. The observer's metrics go directly to the loggers: if they were logged
    through the module, the module could read them.

    Args:
        stage: name of the stage.
        context: seed and observer.
        predict: what the observer evaluates.
    """

    def __init__(self, stage: str, context: FitContext, predict: PredictPairs) -> None:
        self.stage, self.context, self.predict = stage, context, predict

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        del pl_module
        entropy = [self.context.seed, trainer.current_epoch, *self.stage.encode()]
        lightning.seed_everything(
            int(np.random.SeedSequence(entropy).generate_state(1)[0]), verbose=False
        )

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        del pl_module
        loss = trainer.callback_metrics.get("loss")
        self.context.observer.epoch_ended(
            self.stage,
            trainer.current_epoch + 1,
            self.predict,
            None if loss is None else float(loss),
            step=trainer.global_step - 1,  # under which Lightning logs the loss
        )

    def state_dict(self) -> dict[str, Any]:
        return {"stage": self.stage, **self.context.observer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.context.observer.load_state_dict(state_dict)
