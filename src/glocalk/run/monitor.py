"""Watches a training from outside: errors after each epoch, and time spent."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from lightning.pytorch.loggers import Logger

from glocalk.data.rating_matrix import RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.metrics import evaluate
from glocalk.records.run import Curves, Trace
from glocalk.run.listeners import Follower, Listener, StatefulLogger
from glocalk.run.predictions import KeptPredictions
from glocalk.training.checkpoints import OtherTrainingError
from glocalk.training.context import Observer, PredictPairs

_log = logging.getLogger(__name__)


class Monitor:
    """Evaluates a completer after each epoch, and keeps the curves.

    The only place of a run where predictions are clipped and test ratings are read. Its state goes
    into every checkpoint, so that a resumed training has the curves of an uninterrupted one.

    Args:
        test: the test ratings; None evaluates nothing.
        valid: the held-out training ratings, if there are any.
        clip: whether predictions are clipped to the rating scale first.
        listeners: called after each epoch.
        loggers: Lightning loggers of each stage, which the loss and the errors of an epoch are
            logged to.
        training: identifies the training, which takes no state of another one.
        kept: where test predictions are kept, if they are.
        follower: shown the curves after each epoch, if anyone is.
        schedule: number of epochs of each stage, to which epochs must belong; None: any.
    """

    def __init__(
        self,
        test: RatingMatrix | None = None,
        valid: RatingMatrix | None = None,
        clip: bool = True,
        listeners: Sequence[Listener] = (),
        loggers: Mapping[str, Sequence[Logger]] | None = None,
        training: str = "",
        kept: KeptPredictions | None = None,
        follower: Follower | None = None,
        schedule: Mapping[str, int] | None = None,
    ) -> None:
        self.test, self.valid, self.clip, self.listeners = test, valid, clip, listeners
        self.loggers, self.training, self.kept = loggers or {}, training, kept
        self.follower, self.schedule = follower, schedule
        self._columns: dict[str, list[Any]] = {name: [] for name in Curves.model_fields}
        self._user_errors: list[Values] = []
        self._traces: list[dict[str, Any]] = []
        self.uncertainty: dict[str, Any] | None = None  # scores of predictive distributions
        self.seconds: dict[str, float] = {}
        self._mark = time.perf_counter()

    @property
    def curves(self) -> Curves:
        """The errors after each epoch so far."""
        return Curves.model_validate(self._columns)

    @property
    def traces(self) -> list[Trace]:
        """What the training told of itself so far."""
        return [Trace.model_validate(trace) for trace in self._traces]

    def user_errors(self, row: int) -> Values:
        """Sums of squared test errors [users] behind row `row` of the curves."""
        return self._user_errors[row]

    def observer(self) -> Observer:
        """What a completer may hold of this monitor: it cannot reach the ratings through it."""
        handle = _Handle()
        _monitors[handle] = self
        return handle

    def observe(
        self,
        stage: str,
        epoch: int | None,
        predict: PredictPairs,
        loss: float | None = None,
        step: int | None = None,
    ) -> None:
        """Evaluate at the end of an epoch.

        Args:
            stage: name of the stage.
            epoch: 1, 2, … within the stage; None for a completer without epochs.
            predict: the completer's `predict_pairs`, as trained so far.
            loss: what the training minimizes, where it has one; left out with a warning if it
                is not finite.
            step: the last update of the epoch, for the loggers; None logs nothing.

        Raises:
            GlocalkError: a prediction is not finite, or there is no such epoch.
        """
        self._charge(stage)
        if self.test is None:
            return
        if epoch is not None and self.schedule is not None:
            last = self.schedule.get(stage, 0)
            if not 1 <= epoch <= last:
                epochs = f"epochs 1 to {last}" if last else f"no stage '{stage}'"
                raise GlocalkError(
                    f"The completer tells of epoch {epoch} of stage '{stage}', but its schedule "
                    f"has {epochs}: make them fit together."
                )
        predicted = self._predict(predict, self.test)
        test = evaluate(predicted, self.test)
        held_out = self._predict(predict, self.valid) if self.valid else None
        valid = evaluate(held_out, self.valid) if self.valid and held_out is not None else None
        if self.kept is not None:
            self.kept.keep(
                stage,
                epoch,
                np.array(predicted, dtype=np.float64),
                None if held_out is None else np.array(held_out, dtype=np.float64),
                valid.rmse if valid else None,
            )
        row: dict[str, Any] = {
            "stage": stage,
            "epoch": epoch,
            "loss": self._recordable(loss, stage, epoch),
            "valid_rmse": valid.rmse if valid else None,
            "test_rmse": test.rmse,
            "test_mae": test.mae,
            "test_ndcg": test.ndcg,
        }
        for name, column in self._columns.items():
            column.append(row[name])
        self._user_errors.append(test.squared_errors)
        self._charge("evaluation")
        for listener in self.listeners:
            listener.epoch_ended(stage, epoch, test, valid)
        if self.follower is not None:
            self.follower.follow(self._columns)
        if epoch is not None and step is not None:
            measured = ("loss", "valid_rmse", "test_rmse", "test_mae", "test_ndcg")
            metrics = {name: row[name] for name in measured if row[name] is not None}
            for logger in self.loggers.get(stage, ()):
                logger.log_metrics({"epoch": epoch - 1, **metrics}, step=step)

    def observe_folded_in(
        self,
        test: RatingMatrix,
        fold_in: Callable[[], PredictPairs],
        stage: str,
        epoch: int | None,
    ) -> None:
        """Fold in after the last epoch and evaluate; for a monitor without test ratings before.

        Args:
            test: the test ratings.
            fold_in: returns predictions with new ratings folded in; its time is kept apart.
            stage: the last stage.
            epoch: its last epoch; None for a completer without epochs.
        """
        self._charge(stage)
        predict = fold_in()
        self._charge("fold_in")
        self.test = test
        self.observe(stage, epoch, predict)

    def observe_distribution(self, score: Callable[[RatingMatrix], dict[str, Any]]) -> None:
        """Keep what `score` says of predictive distributions of the test ratings, at the end."""
        assert self.test is not None
        self.uncertainty = score(self.test)
        self._charge("evaluation")

    def keep_trace(self, stage: str, epoch: int, numbers: Mapping[str, Sequence[float]]) -> None:
        """Keep what a training tells of itself, to six significant digits."""
        rounded = {
            name: [float(f"{number:.6g}") for number in listed] for name, listed in numbers.items()
        }
        self._traces.append({"stage": stage, "epoch": epoch, "numbers": rounded})

    def state_dict(self) -> dict[str, Any]:
        """Plain values and one tensor, which `torch.load` reads with `weights_only=True`."""
        errors = np.array(self._user_errors) if self._user_errors else np.empty((0, 0))
        return {
            "training": self.training,
            "columns": {name: list(column) for name, column in self._columns.items()},
            "user_errors": torch.from_numpy(errors),
            "traces": list(self._traces),
            "seconds": dict(self.seconds),
            "logs": {
                stage: [
                    logger.state_dict() for logger in loggers if isinstance(logger, StatefulLogger)
                ]
                for stage, loggers in self.loggers.items()
            },
            **({} if self.kept is None else {"predictions": self.kept.state_dict()}),
            **({} if self.uncertainty is None else {"uncertainty": self.uncertainty}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Raises:
            OtherTrainingError: the state is one of another training, or of one that kept no test
                predictions where they are kept.
            ValueError: the state is not one of a monitor of these test ratings.
        """
        if state["training"] != self.training:
            raise OtherTrainingError
        columns = {name: list(column) for name, column in state["columns"].items()}
        rows = len(Curves.model_validate(columns).epoch)
        shape = state["user_errors"].shape
        users = shape[1] if self.test is None or not rows else self.test.num_users
        if {*map(len, columns.values())} != {rows} or tuple(shape) != (rows, users):
            raise ValueError("the errors of users and the curves do not match")
        if self.kept is not None:
            self.kept.load_state_dict(state.get("predictions"), columns["stage"])
        self._columns = columns
        self._user_errors = list(state["user_errors"].numpy())
        self._traces = list(state["traces"])
        self.uncertainty = state.get("uncertainty")
        self.seconds = dict(state["seconds"])
        for stage, loggers in self.loggers.items():
            stateful = [logger for logger in loggers if isinstance(logger, StatefulLogger)]
            for logger, saved in zip(stateful, state["logs"].get(stage, ()), strict=False):
                logger.load_state_dict(saved)
        self._mark = time.perf_counter()

    def adopted(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state of another training's monitor as one of this training's.

        The loggers have no lines of its epochs.
        """
        return {**state, "training": self.training, "logs": {}}

    @staticmethod
    def _recordable(loss: float | None, stage: str, epoch: int | None) -> float | None:
        """The loss; None, with a warning, if it is not finite, because JSON has no such number."""
        if loss is None or math.isfinite(loss):
            return loss
        _log.warning(
            "The loss of epoch %s of stage %s is %g, which is left out of the record.",
            epoch,
            stage,
            loss,
        )
        return None

    def _predict(self, predict: PredictPairs, observed: RatingMatrix) -> Values:
        """Predictions as they are evaluated."""
        predicted = predict(observed.users, observed.items)
        return np.clip(predicted, *observed.scale) if self.clip else predicted

    def _charge(self, account: str) -> None:
        now = time.perf_counter()
        self.seconds[account] = self.seconds.get(account, 0.0) + now - self._mark
        self._mark = now


class _Handle:
    """The observer that a completer is given.

    It holds no reference to its monitor, and so none to the test ratings: it finds the monitor in
    a table of this module.
    """

    __slots__ = ("__weakref__",)

    def epoch_ended(
        self,
        stage: str,
        epoch: int | None,
        predict: PredictPairs,
        loss: float | None,
        step: int | None = None,
    ) -> None:
        _monitors[self].observe(stage, epoch, predict, loss, step)

    def traced(self, stage: str, epoch: int, numbers: Mapping[str, Sequence[float]]) -> None:
        _monitors[self].keep_trace(stage, epoch, numbers)

    def state_dict(self) -> dict[str, Any]:
        return _monitors[self].state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        _monitors[self].load_state_dict(state)

    def adopted(self, state: dict[str, Any]) -> dict[str, Any]:
        return _monitors[self].adopted(state)


_monitors: WeakKeyDictionary[_Handle, Monitor] = WeakKeyDictionary()
