"""The ids of users and items: the labels behind the indices of a rating matrix.

`glocalk.data.labels` says what an id is, and which ids are the same.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from glocalk.data.labels import Kind, Labels, as_labels, as_numbers, canonical, is_whole
from glocalk.data.rating_matrix import Indices
from glocalk.errors import GlocalkError, shown

_NUMBER = re.compile(r"0|-?[1-9]\d*", re.ASCII)  # of any size
_FIELDS: dict[Kind, str] = {"user": "users", "item": "items"}


@dataclass(frozen=True, eq=False)
class Ids:
    """The id of each user index and of each item index.

    Attributes:
        users: [num_users] distinct ids, whole numbers or text.
        items: [num_items] distinct ids, whole numbers or text.

    Raises:
        GlocalkError: an id is missing, is neither a whole number nor text, or is not distinct.

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
        for kind, field in _FIELDS.items():
            labels = as_labels(getattr(self, field), kind)
            repeated = _index(labels).duplicated()
            if repeated.any():
                label = shown(labels[np.argmax(repeated)])
                raise GlocalkError(f"The {kind} id '{label}' occurs more than once.")
            object.__setattr__(self, field, labels)

    @classmethod
    def numbered(cls, shape: tuple[int, int]) -> Ids:
        """Ids equal to the indices, for data without ids."""
        return cls(np.arange(shape[0]), np.arange(shape[1]))

    def equals(self, other: Ids) -> bool:
        """Whether both assign the same ids to the same indices."""
        return self is other or (_same(self.users, other.users) and _same(self.items, other.items))

    def find_users(self, labels: ArrayLike | Sequence[Any]) -> Indices:
        """[n] index of each user id, −1 for unknown ids."""
        return _positions(self.users, labels, "user")

    def find_items(self, labels: ArrayLike | Sequence[Any]) -> Indices:
        """[n] index of each item id, −1 for unknown ids."""
        return _positions(self.items, labels, "item")


def join(columns: Sequence[Labels | Sequence[str]]) -> tuple[Labels, list[Indices]]:
    """The ids that occur in any of the columns, ascending, and where each column has them.

    Args:
        columns: the distinct values of each column, whole numbers or text.

    Returns:
        The ids, as whole numbers if all of them are, else as text; and for each column the index of
        each of its values in them.
    """
    known = [_numbers_or_texts(column) for column in columns]
    if not any(isinstance(column, list) for column in known):
        labels: Labels = np.unique(np.concatenate(known))
        return labels, [np.searchsorted(labels, column) for column in known]
    texts = [column if isinstance(column, list) else list(map(str, column)) for column in known]
    ordered = sorted(set().union(*texts))
    index = {text: position for position, text in enumerate(ordered)}
    return np.array(ordered, dtype=object), [
        np.array([index[text] for text in column], dtype=np.int64) for column in texts
    ]


def refuse_unrelated(known: Ids, asked: Ids, where: Sequence[str]) -> None:
    """Refuse ids that have nothing in common with those that are known, where it is an accident.

    Only new users, or only new items, are accepted. It is an accident if there is neither a known
    user nor a known item, or if ids are written differently, see `refuse_other_writing`.

    Args:
        known: the ids of the training ratings.
        asked: the ids of test ratings or of pairs.
        where: what `known` and what `asked` are the ids of, for error messages.

    Raises:
        GlocalkError: it is an accident.
    """
    new = []
    for kind, field in _FIELDS.items():
        labels, wanted = getattr(known, field), getattr(asked, field)
        refuse_other_writing(labels, wanted, kind, where[0], f" in {where[1]}")
        if len(wanted) and (_positions(labels, wanted, kind) < 0).all():
            new.append(f"{kind} '{shown(wanted[0])}', not '{shown(labels[0])}'")
    if len(new) == len(_FIELDS):
        raise GlocalkError(
            f"No user and no item in {where[1]} is in {where[0]} ({'; '.join(new)}): check the "
            "columns, and whether both are of one data set."
        )


def refuse_other_writing(
    known: Labels, asked: Labels, kind: Kind, title: str, place: str = ""
) -> None:
    """Refuse ids of which none is known, because they are written differently.

    They are, if one side has whole numbers only and the other none (`u1` or `00001` for 1), or if
    some differ in case, leading zeros or the Unicode form of a character only.

    Args:
        known: the ids of the training ratings.
        asked: the ids that are looked for.
        kind: for error messages.
        title: what `known` are the ids of.
        place: where `asked` come from, after a space; empty if this is obvious.

    Raises:
        GlocalkError: they are.
    """
    if not len(asked) or (_positions(known, asked, kind) >= 0).any():
        return
    pair = None
    if {_share_of_numbers(known), _share_of_numbers(asked)} == {0, 1}:
        pair = known[0], asked[0]
    else:
        alike = {_plain(label): label for label in known}
        pairs = ((alike.get(_plain(label)), label) for label in asked)
        pair = next((pair for pair in pairs if pair[0] is not None), None)
    if pair is not None:
        raise GlocalkError(
            f"None of the {kind} ids{place} is in {title}: write them as they are there, "
            f"'{shown(pair[0])}' and not '{shown(pair[1])}'."
        )


def nearest(known: Labels, label: Any) -> Any | None:
    """The known id that another one is probably meant to be; None if there is none.

    It differs in case, leading zeros or the Unicode form of a character, or a text in a letter or
    two.
    """
    plain = _plain(label)
    alike = next((other for other in known if _plain(other) == plain), None)
    if alike is not None or is_whole(str(label)):
        return alike
    near = difflib.get_close_matches(str(label), known.astype(str), n=1, cutoff=0.8)
    return near[0] if near else None


def _share_of_numbers(labels: Labels) -> float:
    if labels.dtype.kind in "iu":
        return 1
    return float(np.mean([_NUMBER.fullmatch(text) is not None for text in labels]))


def _plain(label: Any) -> str:
    return unicodedata.normalize("NFKC", str(label)).casefold().lstrip("0")


def _numbers_or_texts(values: Labels | Sequence[str]) -> Labels | list[str]:
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return values
    texts = [canonical(text) for text in values]
    numbers = as_numbers(texts)
    return texts if numbers is None else numbers


def _same(one: Labels, other: Labels) -> bool:
    if one.dtype != other.dtype:  # whole numbers may be held as text
        one, other = one.astype(str), other.astype(str)
    return np.array_equal(one, other)


def _positions(known: Labels, values: ArrayLike | Sequence[Any], kind: Kind) -> Indices:
    wanted = as_labels(values, kind)
    if (known.dtype.kind == "i") == (wanted.dtype.kind == "i"):
        return _indices_in(known, wanted)
    if wanted.dtype.kind == "i":
        return _indices_in(known, wanted.astype(str).astype(object))
    # Compared as text, because a float would not be exact.
    codes, texts = pd.factorize(wanted)
    whole = np.array([is_whole(text) for text in texts])
    found = np.full(len(texts), -1)
    found[whole] = _indices_in(known, np.array([int(text) for text in texts[whole]], np.int64))
    return found[codes]


def _indices_in(known: Labels, wanted: Labels) -> Indices:
    return _index(known).get_indexer(_index(wanted)).astype(np.int64)


def _index(labels: Labels) -> pd.Index[Any]:
    return pd.Index(labels, dtype=labels.dtype)  # pandas is slow to convert text to its own type
