"""Tells the trackers of a run what they show; none of their failures ends a training."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import hydra.utils

from glocalk.errors import GlocalkError
from glocalk.files import write_atomically
from glocalk.records.run import Record, RunName
from glocalk.run.config import RunConfig
from glocalk.run.folder import RunFolder
from glocalk.run.trackers.base import Columns, End, Tracked, Tracker, reason_of

_log = logging.getLogger(__name__)


def is_tracker(node: Any) -> bool:
    """Whether an entry of `logger` names a tracker; others are Lightning's loggers."""
    try:
        cls = hydra.utils.get_class(node["_target_"])
    except Exception:  # making it tells what is wrong with it
        return False
    return issubclass(cls, Tracker)


class Tracking:
    """The trackers of one run. Without trackers, nothing is done.

    The ids of the tracked runs are kept in the folder of the run, so that a training that is
    continued is one tracked run. A tracker that cannot be used is an error before the first
    training, and a warning afterwards.

    Args:
        config: config of the run.
        folder: its folder.
        checksum: that of its ratings.
        model_version: that of its completer.

    Raises:
        GlocalkError: an unknown option of a tracker.
    """

    def __init__(
        self, config: RunConfig, folder: RunFolder, checksum: str, model_version: int
    ) -> None:
        self._config, self._folder = config, folder
        self._tags = {
            "data": config.data_name,
            "model": config.model_name,
            "variant": config.variant,
            "experiment": config.experiment,
            "seed": str(config.seed),
            "data_checksum": checksum,
            "model_version": str(model_version),
            "glocalk": version("glocalk"),
            "run": folder.name,
        }
        self._trackers: list[Tracker] = []
        for name, node in config.logger.items():
            if is_tracker(node):
                try:
                    self._trackers.append(hydra.utils.instantiate(node))
                except Exception as error:
                    raise GlocalkError(
                        f"logger.{name} has an unknown option or a wrong value: its options are "
                        f"those in conf/logger/{name}.yaml."
                    ) from error
        self._lost: set[str] = set()  # trackers that failed
        self._began = False
        self._open: str | None = None  # the training whose tracked run is under way,
        self._active: list[Tracker] = []  # and the trackers that show it

    def check(self) -> None:
        """Refuse trackers that cannot be used.

        Raises:
            GlocalkError: there is one.
        """
        for tracker in self._trackers:
            try:
                tracker.check()
            except Exception as error:
                raise tracker.unavailable(error) from None  # a chained one may show a password

    @contextmanager
    def training(self, name: RunName) -> Iterator[None]:
        """Track a training; the tracked run of the final one is left open for `report`."""
        self._begin(name)
        try:
            yield
        except Exception:
            self._end(name, "failed")
            raise
        except BaseException:
            self._end(name, "stopped")
            raise
        if name == "selection":
            self._end(name, "finished")

    def follow(self, columns: Columns) -> None:
        """Show the epochs so far of the training under way."""
        self._each(lambda tracker: tracker.follow(columns))

    def report(self, record: Record) -> None:
        """Complete the tracked runs with what is in the record, which is written."""
        for name, curves in sorted(record.curves.items(), reverse=True):
            if not self._trackers or self._has_ended(name):
                continue
            self._began = True  # what is trained is not lost to a tracker
            if self._open != name:
                self._begin(name)
            self.follow(curves.model_dump())
            self._end(name, "finished", record if name == "final" else None)

    def fail(self) -> None:
        """End the tracked run under way, if there is one: its run has failed."""
        if self._open is not None:
            self._end(self._open, "failed")

    def complete(self, record: Record) -> None:
        """Show a run that is finished, as far as the trackers lack it.

        A process was killed or lost a tracker, or the run was made without one or with another.
        """
        if all(map(self._has_ended, record.curves)):
            return
        for tracker in self._trackers:
            self._try(tracker, lambda each: each.check())
        self.report(record)

    def _begin(self, name: str) -> None:
        title = f"{self._folder.title} {name}"
        tracked = Tracked(
            name=title if self._config.variant == "default" else f"{title} {self._config.variant}",
            group=self._folder.name.rpartition("-")[0],
            training=name,  # type: ignore[arg-type]
            tags={**self._tags, "training": name},
            parameters={**flat(self._config.identity), "seed": self._config.seed},
        )
        self._active = []
        for tracker in self._trackers:
            entry = self._entry(tracker, name)
            if tracker.key in self._lost or entry.get("ended"):
                continue
            held = entry.get("id")
            try:
                begun = tracker.begin(tracked, held)
            except Exception as error:
                if not self._began:
                    raise tracker.unavailable(error) from None
                self._lose(tracker, error)
            else:
                self._active.append(tracker)
                self._keep(tracker, name, {"id": begun, "address": tracker.address})
        self._began, self._open = True, name

    def _end(self, name: str, how: End, record: Record | None = None) -> None:
        results = {} if record is None else results_of(record)
        file = None if record is None else self._folder.record
        self._open = None
        for tracker in self._active:
            if self._try(tracker, lambda each: each.end(how, results, file)) and how == "finished":
                entry = self._kept()[tracker.key][name]
                self._keep(tracker, name, {**entry, "ended": True})

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for tracker in self._active:
            self._try(tracker, call)

    def _try(self, tracker: Tracker, call: Callable[[Tracker], None]) -> bool:
        """Whether a call succeeded; after one that fails there are no others."""
        if tracker.key in self._lost:
            return False
        try:
            call(tracker)
        except Exception as error:
            self._lose(tracker, error)
            return False
        return True

    def _lose(self, tracker: Tracker, error: Exception) -> None:
        self._lost.add(tracker.key)
        _log.warning(
            "%s at '%s' failed (%s): %s goes on without it.",
            *(tracker.title, tracker.address, reason_of(error), self._folder.title),
        )

    def _has_ended(self, name: str) -> bool:
        return all(self._entry(each, name).get("ended") for each in self._trackers)

    def _entry(self, tracker: Tracker, name: str) -> dict[str, Any]:
        """What is kept of a tracked run at the tracker's present address, if anything."""
        entry = self._kept().get(tracker.key, {}).get(name, {})
        return entry if entry.get("address") == tracker.address else {}

    def _kept(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The tracked runs by tracker and training."""
        try:
            kept = json.loads(self._folder.trackers.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none so far, or not ours: they are made again
            return {}
        trackers = kept.values() if isinstance(kept, dict) else [kept]
        entries = [list(each.values()) if isinstance(each, dict) else [each] for each in trackers]
        is_ours = all(isinstance(entry, dict) for each in entries for entry in each)
        return kept if is_ours and isinstance(kept, dict) else {}

    def _keep(self, tracker: Tracker, name: str, entry: Mapping[str, Any]) -> None:
        kept = self._kept()
        kept.setdefault(tracker.key, {})[name] = dict(entry)
        write_atomically(self._folder.trackers, json.dumps(kept, indent=1) + "\n")


def results_of(record: Record) -> dict[str, float]:
    """The figures of a record: of each protocol, the number of parameters, the seconds."""
    figures: dict[str, float | None] = {
        f"{protocol}/{name}": getattr(result, name)
        for protocol, result in record.protocols.items()
        for name in ("rmse", "mae", "ndcg", "rmse_epoch")
    }
    figures |= {"parameters": record.parameters, "seconds": record.seconds.get("total")}
    return {name: float(value) for name, value in figures.items() if value is not None}


def flat(options: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested options by dotted names; lists are values."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def trackers_in(loggers: Mapping[str, Any]) -> Sequence[str]:
    """The names of the trackers among the entries of `logger`."""
    return [name for name, node in loggers.items() if is_tracker(node)]
