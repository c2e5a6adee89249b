"""The model file: a fitted completer, with the ids that it predicts under.

It holds tensors, numbers and text; reading it executes nothing.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from torch import Tensor

from glocalk.data.ids import Ids, Labels
from glocalk.errors import GlocalkError
from glocalk.files import replacing
from glocalk.inference.predictor import Trained

MODEL_FILE = "model.pt"
_FORMAT: Literal[2] = 2


class ModelFile(BaseModel):
    """A fitted completer and what surrounds it.

    Attributes:
        format: raised when an older reader could not read it.
        data: name of the data set, for error messages.
        class_name: the completer's class, as `package.Class`.
        options: every option of its config.
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

    format: Literal[2] = _FORMAT
    data: str
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
        sizes = (_size(self.users), _size(self.items), _size(counts))
        if sizes != ((users,), (items,), (users,)):
            raise ValueError("its parts differ in shape")
        outside = (rated < 0) | (rated >= items)
        if (counts < 0).any() or _size(rated) != (int(counts.sum()),) or outside.any():
            raise ValueError("its training pairs lie outside its shape")
        return self

    @classmethod
    def of(
        cls,
        trained: Trained,
        state: Mapping[str, Tensor],
        *,
        class_name: str,
        options: Mapping[str, Any],
        model_version: int,
        clip: bool,
    ) -> Self:
        """What to keep of a fitted completer.

        Args:
            trained: what it knows of its training ratings.
            state: its `state()`.
            class_name: its class, as `package.Class`.
            options: every option of its config.
            model_version: of its class.
            clip: whether its predictions are clipped to the scale.
        """
        return cls(
            data=trained.title,
            class_name=class_name,
            options=dict(options),
            model_version=model_version,
            shape=(len(trained.ids.users), len(trained.ids.items)),
            scale=trained.scale,
            clip=clip,
            mean=trained.mean,
            users=_plain(trained.ids.users),
            items=_plain(trained.ids.items),
            trained_counts=torch.from_numpy(np.asarray(trained.counts)),
            trained_items=torch.from_numpy(np.asarray(trained.items)),
            # Clones: of a view, torch would save everything that it is a view of.
            state={name: part.detach().cpu().clone() for name, part in state.items()},
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
                changed = archive.testzip()  # torch does not compare checksums
            if changed:
                raise GlocalkError(damaged(path, f"its part '{changed}' has changed"))
            content = torch.load(path, map_location="cpu", weights_only=True)
        except GlocalkError:
            raise
        except OSError as error:
            raise GlocalkError(f"The model '{path}' cannot be read: {error.strerror}.") from error
        except Exception as error:  # what damaged bytes raise has no end
            raise GlocalkError(damaged(path)) from error
        if not isinstance(content, dict):
            raise GlocalkError(damaged(path))
        found = content.get("format", _FORMAT)
        if found != _FORMAT:
            older = isinstance(found, int) and found < _FORMAT
            fix = "train it again (force=true replaces a run)" if older else "use a newer glocalk"
            raise GlocalkError(
                f"'{path}' is of format {found}, and this glocalk reads format {_FORMAT}: {fix}."
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise GlocalkError(damaged(path)) from error

    def trained(self) -> Trained:
        """What to know of the training ratings.

        Raises:
            GlocalkError: two users or two items have the same label.
        """
        return Trained(
            ids=Ids(_labels(self.users), _labels(self.items)),
            scale=self.scale,
            mean=self.mean,
            counts=self.trained_counts.numpy(),
            items=self.trained_items.numpy(),
            title=self.data,
        )


def damaged(path: Path, why: str = "") -> str:
    return (
        f"'{path}' is damaged, or not a model that glocalk saved{f' ({why})' if why else ''}: train "
        "it again (force=true replaces a run)."
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
