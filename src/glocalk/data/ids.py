"""The ids of users and items: the labels behind the indices of a rating matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from glocalk.data.rating_matrix import Indices
from glocalk.errors import GlocalkError

Labels: TypeAlias = NDArray[Any]
"""[n] ids: whole numbers (int64), or text (objects of type str)."""

Kind: TypeAlias = Literal["user", "item"]

_EXACT = 2**53  # a float below is exact


@dataclass(frozen=True, eq=False)
class Ids:
    """The id of each user index and of each item index.

    Attributes:
        users: [num_users] distinct ids, whole numbers or text.
        items: [num_items] distinct ids, whole numbers or text.

    Raises:
        GlocalkError: an id is not distinct.

    Example:
        >>> import numpy as np
        >>> from glocalk.data.ids import Ids
        >>> ids = Ids(np.array(["ann", "bob"], dtype=object), np.array([10, 20, 30]))
        >>> ids.find_users(["bob", "eve"]).tolist(), ids.find_items([30, 10]).tolist()
        ([1, -1], [2, 0])
    """

    users: Labels
    items: Labels

    def __post_init__(self) -> None:
        for kind, labels in (("user", self.users), ("item", self.items)):
            repeated = pd.Index(labels).duplicated()
            if repeated.any():
                label = labels[np.argmax(repeated)]
                raise GlocalkError(f"The {kind} id '{label}' occurs more than once.")

    @classmethod
    def numbered(cls, shape: tuple[int, int]) -> Ids:
        """Ids equal to the indices, for data without ids."""
        return cls(np.arange(shape[0]), np.arange(shape[1]))

    def equals(self, other: Ids) -> bool:
        """Whether both assign the same ids to the same indices."""
        return self is other or (
            np.array_equal(self.users, other.users) and np.array_equal(self.items, other.items)
        )

    def find_users(self, labels: ArrayLike) -> Indices:
        """[n] index of each user id, −1 for unknown ids."""
        return _positions(self.users, labels)

    def find_items(self, labels: ArrayLike) -> Indices:
        """[n] index of each item id, −1 for unknown ids."""
        return _positions(self.items, labels)


def as_labels(values: ArrayLike | Sequence[Any], kind: Kind) -> Labels:
    """[n] ids as whole numbers if all of them are, else as text.

    Floats are accepted if they are whole numbers: pandas reads integer columns with missing values
    as floats.

    Args:
        values: [n] a list, NumPy array, Series or tensor.
        kind: for error messages.

    Raises:
        GlocalkError: `values` is not one-dimensional, or an id is missing or is neither a whole
            number nor text.
    """
    array = as_array(values, f"{kind} ids")
    if array.ndim != 1:
        raise GlocalkError(f"The {kind} ids must be one-dimensional, not of shape {array.shape}.")
    if not len(array):
        return array.astype(np.int64)
    if array.dtype.kind == "U" and not hasattr(values, "dtype"):
        array = np.array(values, dtype=object)  # NumPy turns NaN in a list of text into 'nan'
    missing = pd.isna(array)
    if missing.any():
        raise GlocalkError(
            f"The {kind} id at position {int(np.argmax(missing))} is missing: remove the rating or "
            "give it an id."
        )
    held = pd.api.types.infer_dtype(array, skipna=False)
    if held == "integer":
        if int(array.min()) >= -(2**63) and int(array.max()) < 2**63:
            return array.astype(np.int64)
    elif held in ("floating", "mixed-integer-float"):
        numbers = array.astype(np.float64)
        whole = (np.abs(numbers) < _EXACT) & (numbers == np.floor(numbers))
        if not whole.all():
            raise _neither(array[np.argmin(whole)], kind)
        return numbers.astype(np.int64)
    elif held in ("boolean", "bytes", "complex"):
        raise _neither(array[0], kind)
    return array if held == "string" and array.dtype == object else array.astype(str).astype(object)


def as_array(values: ArrayLike | Sequence[Any], what: str) -> NDArray[Any]:
    """`values` as an array, a tensor on any device included.

    Raises:
        GlocalkError: NumPy cannot convert them.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise GlocalkError(f"The {what} cannot be converted to an array ({reason}).") from error


def _neither(label: Any, kind: Kind) -> GlocalkError:
    return GlocalkError(
        f"The {kind} id {label} is neither a whole number nor text: convert the ids to one of them."
    )


def _positions(known: Labels, labels: ArrayLike) -> Indices:
    wanted = np.asarray(labels)
    if known.dtype.kind in "iu" and wanted.dtype.kind not in "iu":
        # `7` read from text is still 7.
        wanted = pd.to_numeric(pd.Series(wanted), errors="coerce").to_numpy()
    elif known.dtype.kind not in "iu":
        wanted = wanted.astype(str).astype(object)
    return pd.Index(known).get_indexer(pd.Index(wanted)).astype(np.int64)
