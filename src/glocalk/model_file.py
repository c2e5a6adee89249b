"""The model file: what a run keeps of its fitted completer, enough to predict under its ids.

It holds tensors, numbers and text, and reading it executes nothing.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from torch import Tensor

from glocalk.completers.base import Completer
from glocalk.data.ids import Ids, Labels
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.files import replacing
from glocalk.run.settings import build_completer

MODEL_FILE = "model.pt"
_FORMAT: Literal[1] = 1


class ModelFile(BaseModel):
    """A fitted completer and what surrounds it.

    Attributes:
        format: raised when an older reader could not read it.
        data: config name of the data set.
        model: the config group, with its `_target_`.
        model_version: of the completer that gave the state.
        shape: (users, items).
        scale: (lowest, highest) rating.
        clip: whether predictions are clipped to the scale.
        mean: of the training ratings.
        users: [users] label of each user index, whole numbers or text.
        items: [items] label of each item index.
        trained_counts: [users] number of training ratings of each user.
        trained_items: [ratings] the item of each training rating, user after user.
        state: see `Completer.state`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    format: Literal[1] = _FORMAT
    data: str
    model: dict[str, Any]
    model_version: int
    shape: tuple[int, int]
    scale: tuple[float, float]
    clip: bool
    mean: float
    users: Tensor | list[str]
    items: Tensor | list[str]
    trained_counts: Tensor
    trained_items: Tensor
    state: dict[str, Tensor]

    @model_validator(mode="after")
    def _fits_the_shape(self) -> Self:
        users, items = self.shape
        counts, rated = self.trained_counts, self.trained_items
        sizes = (_size(self.users), _size(self.items), _size(counts))
        if sizes != ((users,), (items,), (users,)):
            raise ValueError("its parts differ in shape")
        outside = (rated < 0) | (rated >= items)
        if (counts < 0).any() or _size(rated) != (int(counts.sum()),) or outside.any():
            raise ValueError("its training pairs lie outside its shape")
        return self

    @classmethod
    def of(
        cls, completer: Completer, split: Split, *, data: str, model: Mapping[str, Any], clip: bool
    ) -> Self:
        """What to keep of `completer`, fitted on `split.train`.

        Args:
            completer: a fitted one.
            split: what it was fitted on.
            data: config name of the data set.
            model: the config group that it was built from.
            clip: whether its predictions are clipped to the scale.
        """
        train, labels = split.train, split.labels
        return cls(
            data=data,
            model=dict(model),
            model_version=completer.model_version,
            shape=train.shape,
            scale=train.scale,
            clip=clip,
            mean=float(train.ratings.mean()),
            users=_plain(labels.users),
            items=_plain(labels.items),
            trained_counts=torch.from_numpy(np.bincount(train.users, minlength=train.num_users)),
            trained_items=torch.from_numpy(train.items.astype(np.int32)),
            # Clones: of a view, torch would save all that it is a view of.
            state={name: part.detach().cpu().clone() for name, part in completer.state().items()},
        )

    def write(self, path: Path) -> None:
        """Write the file atomically.

        Raises:
            GlocalkError: the folder cannot be written to.
        """
        buffer = io.BytesIO()
        torch.save({name: getattr(self, name) for name in type(self).model_fields}, buffer)
        with replacing(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    @classmethod
    def read(cls, path: Path) -> Self:
        """The file at `path`.

        Raises:
            GlocalkError: no such file, a damaged one, one that is no model of ours, or one of a
                newer format.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()  # torch does not compare checksums
            if damaged:
                raise GlocalkError(_not_whole(path, f"its part '{damaged}' has changed"))
            content = torch.load(path, map_location="cpu", weights_only=True)
        except GlocalkError:
            raise
        except OSError as error:
            raise GlocalkError(f"The model '{path}' cannot be read: {error.strerror}.") from error
        except Exception as error:  # what damaged bytes raise has no end
            raise GlocalkError(_not_whole(path)) from error
        if not isinstance(content, dict):
            raise GlocalkError(_not_whole(path))
        found = content.get("format", _FORMAT)
        if found != _FORMAT:
            raise GlocalkError(
                f"'{path}' is of format {found}, and this glocalk reads format {_FORMAT}: use the "
                "glocalk that made it."
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise GlocalkError(_not_whole(path)) from error

    def completer(self, path: Path) -> Completer:
        """The fitted completer.

        Args:
            path: of this file, for error sentences.

        Raises:
            GlocalkError: its class is not to be had or is of another version, or the state does
                not fit it.
        """
        self._refuse_foreign_class(path)
        try:
            completer = build_completer(self.model)
        except GlocalkError as error:
            raise GlocalkError(_not_whole(path, str(error).rstrip("."))) from error
        if completer.model_version != self.model_version:
            raise GlocalkError(
                f"'{path}' holds version {self.model_version} of {type(completer).__name__}, which "
                f"is at version {completer.model_version} here: run its training again."
            )
        try:
            completer.restore(self.state, self.shape)
        except GlocalkError as error:
            raise GlocalkError(_not_whole(path, str(error).rstrip("."))) from error
        return completer

    def ids(self, path: Path) -> Ids:
        """Labels of users and items; `path` as in `completer`."""
        try:
            return Ids(_labels(self.users), _labels(self.items))
        except GlocalkError as error:
            raise GlocalkError(_not_whole(path, str(error).rstrip("."))) from error

    def _refuse_foreign_class(self, path: Path) -> None:
        """Importing a module executes it, so a file may not choose which one."""
        target = self.model.get("_target_")
        if not isinstance(target, str):
            raise GlocalkError(_not_whole(path))
        module = target.replace(":", ".").rpartition(".")[0]
        if module not in sys.modules and not module.startswith("glocalk.completers."):
            raise GlocalkError(
                f"'{path}' names '{target}', a class outside glocalk: if you trust it, import "
                f"'{module}' before you load the model."
            )


def _not_whole(path: Path, why: str = "") -> str:
    return (
        f"'{path}' is damaged, or no model that glocalk saved{f' ({why})' if why else ''}: run its "
        "training again with force=true."
    )


def _size(part: Tensor | list[str]) -> tuple[int, ...]:
    return tuple(part.shape) if isinstance(part, Tensor) else (len(part),)


def _plain(labels: Labels) -> Tensor | list[str]:
    """Labels as a tensor or as text: an array of objects would need code to be read."""
    if labels.dtype.kind in "iu":
        return torch.from_numpy(labels.astype(np.int64))
    return [str(label) for label in labels]


def _labels(plain: Tensor | list[str]) -> Labels:
    return plain.numpy() if isinstance(plain, Tensor) else np.array(plain, dtype=object)
