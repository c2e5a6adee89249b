"""The model file: a fitted completer and the ids under which it predicts.

It holds tensors, numbers and text only; reading it executes no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from torch import Tensor

from glocalk.config import reason_of
from glocalk.data.ids import Ids
from glocalk.data.labels import Labels
from glocalk.errors import GlocalkError
from glocalk.files import is_sealed_zip, replacing, seal_zip, writing
from glocalk.inference.archive import load_archive
from glocalk.inference.trained_on import TrainedOn
from glocalk.names import Label

MODEL_FILE = "model.pt"
_FORMAT: Literal[2] = 2
_LONGEST_REASON = 300
_WHOLE = (torch.int32, torch.int64)


class ModelFile(BaseModel):
    """The content of a model file: a fitted completer with the ids of its training ratings.

    Attributes:
        format: raised with every change that older versions of glocalk cannot read.
        data: name of the data set, for error messages.
        class_name: the completer's class, as `package.Class`.
        options: every option of its config.
        model_version: `Completer.model_version` of the class that returned the state.
        shape: (users, items).
        scale: (lowest, highest) rating.
        clip: whether predictions are clipped to the scale.
        mean: mean of the training ratings.
        users: [users] label of each user index: whole numbers or text.
        items: [items] label of each item index.
        trained_counts: [users] number of training ratings of each user.
        trained_items: [ratings] the item of each training rating, user after user.
        state: see `Completer.state`.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )

    format: Literal[2] = _FORMAT
    data: Label
    class_name: str
    options: dict[str, Any]
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
        (lowest, highest), mean = self.scale, self.mean
        # The mean of equal ratings may differ from them in its last digit.
        slack = 1e-6 * max(abs(lowest), abs(highest))
        if not lowest - slack <= mean <= highest + slack:
            raise ValueError("its mean lies outside its scale")
        if lowest > highest:
            raise ValueError("its scale is reversed")
        for part in (self.users, self.items, counts, rated):
            if isinstance(part, Tensor) and part.dtype not in _WHOLE:
                raise ValueError("its ids or counts are not whole numbers")
        sizes = (_size(self.users), _size(self.items), _size(counts))
        if sizes != ((users,), (items,), (users,)):
            raise ValueError("its parts differ in shape")
        outside = (rated < 0) | (rated >= items)
        implausible = (counts < 0) | (counts > len(rated))  # their sum may overflow
        if implausible.any() or _size(rated) != (int(counts.sum()),) or outside.any():
            raise ValueError("its training pairs are outside its shape")
        return self

    @classmethod
    def of(
        cls,
        trained_on: TrainedOn,
        state: Mapping[str, Tensor],
        *,
        class_name: str,
        options: Mapping[str, Any],
        model_version: int,
        clip: bool,
    ) -> Self:
        """The model file of a fitted completer.

        Args:
            trained_on: what the completer knows about its training ratings.
            state: its `state()`.
            class_name: its class, as `package.Class`.
            options: every option of its config.
            model_version: `model_version` of its class.
            clip: whether its predictions are clipped to the rating scale.
        """
        return cls(
            data=trained_on.title,
            class_name=class_name,
            options=dict(options),
            model_version=model_version,
            shape=(len(trained_on.ids.users), len(trained_on.ids.items)),
            scale=trained_on.scale,
            clip=clip,
            mean=trained_on.mean,
            users=_plain(trained_on.ids.users),
            items=_plain(trained_on.ids.items),
            trained_counts=torch.from_numpy(np.asarray(trained_on.counts)),
            trained_items=torch.from_numpy(np.asarray(trained_on.items)),
            # Clones, because torch saves the whole storage of a view.
            state={name: part.detach().cpu().clone() for name, part in state.items()},
        )

    def write(self, path: Path) -> None:
        """Write the file atomically.

        Raises:
            GlocalkError: the folder cannot be written to.
        """
        with replacing(path) as temporary:
            content = {name: getattr(self, name) for name in type(self).model_fields}
            with writing(temporary) as file:
                torch.save(content, file)
            seal_zip(temporary)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file at `path`.

        Raises:
            GlocalkError: there is no such file, it is damaged, glocalk did not write it, or it has
                another format.
        """
        try:
            content = load_archive(path)
        except OSError as error:
            raise GlocalkError(f"The model '{path}' cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise GlocalkError(damaged(path, str(error))) from error
        if not isinstance(content, dict):
            raise GlocalkError(damaged(path))
        found = content.get("format")
        if isinstance(found, int) and found != _FORMAT:
            raise GlocalkError(
                f"'{path}' has format {found}, but this version of glocalk reads format {_FORMAT}: "
                "train the model again, or use the version that wrote it."
            )
        if not is_sealed_zip(path):  # torch verifies no checksum
            raise GlocalkError(damaged(path, "it does not hold what was written"))
        try:
            return cls.model_validate(content, strict=True)
        except ValidationError as error:
            raise GlocalkError(damaged(path, reason_of(error))) from error

    def trained_on(self) -> TrainedOn:
        """What the completer knows about its training ratings.

        Raises:
            GlocalkError: two users or two items have the same label.
        """
        return TrainedOn(
            ids=Ids(_labels(self.users), _labels(self.items)),
            scale=self.scale,
            mean=self.mean,
            counts=self.trained_counts.numpy(),
            items=self.trained_items.numpy(),
            title=self.data,
        )


def damaged(path: Path, why: str = "") -> str:
    """The error sentence about a file that does not hold a model, with the reason if known."""
    reason = f" ({why[:_LONGEST_REASON]})" if why else ""
    return (
        f"'{path}' is damaged, or not a model that glocalk saved{reason}: train it again "
        "(force=true replaces a run)."
    )


def _size(part: Tensor | list[str]) -> tuple[int, ...]:
    return tuple(part.shape) if isinstance(part, Tensor) else (len(part),)


def _plain(labels: Labels) -> Tensor | list[str]:
    """Labels as a tensor or as text; reading an array of objects would execute code."""
    if labels.dtype.kind in "iu":
        return torch.from_numpy(labels.astype(np.int64))
    return [str(label) for label in labels]


def _labels(plain: Tensor | list[str]) -> Labels:
    return plain.numpy() if isinstance(plain, Tensor) else np.array(plain, dtype=object)
