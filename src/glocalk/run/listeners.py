"""What a monitor tells of a training, and to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from glocalk.metrics import Errors


class Listener(Protocol):
    """Called at the end of each epoch, for example a progress display."""

    def epoch_ended(
        self, stage: str, epoch: int | None, test: Errors, valid: Errors | None
    ) -> None: ...


@runtime_checkable
class StatefulLogger(Protocol):
    """A logger with a state, which goes into checkpoints."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Follower(Protocol):
    """Is shown the whole curves after each epoch."""

    def follow(self, columns: Mapping[str, Sequence[Any]]) -> None: ...
