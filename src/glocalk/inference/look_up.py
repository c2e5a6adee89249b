"""Indices of the ids that predictions are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from glocalk.config import did_you_mean
from glocalk.data.ids import refuse_other_writing
from glocalk.data.labels import Kind, Labels, as_labels
from glocalk.data.rating_matrix import Indices
from glocalk.errors import GlocalkError, shown
from glocalk.inference.trained_on import TrainedOn

Unknown: TypeAlias = Literal["refuse", "mean"]
"""Handling of ids that are not in the training ratings: raise an error, or predict the mean of the
training ratings for their pairs."""


def look_up(
    known: TrainedOn,
    users: ArrayLike | Sequence[Any],
    items: ArrayLike | Sequence[Any],
    unknown: Unknown = "refuse",
    return_std: bool = False,
) -> tuple[Labels, Labels, Indices, Indices]:
    """Ids of users and items, [pairs] each, and their indices, −1 for unknown ids.

    Args:
        known: the training ratings.
        users: [pairs] user ids.
        items: [pairs] item ids.
        unknown: what is done about unknown ids.
        return_std: whether standard deviations are asked for, too.

    Raises:
        GlocalkError: as `Predictor.predict` does.
    """
    if unknown not in get_args(Unknown):
        nearest = did_you_mean(str(unknown), get_args(Unknown))
        raise GlocalkError(f"Unknown option unknown={unknown!r}: {nearest}")
    if return_std and unknown == "mean":
        raise GlocalkError(
            "Pairs with an unknown id have no standard deviation: leave out return_std or unknown."
        )
    user_ids, item_ids = asked(users, "user"), asked(items, "item")
    if len(user_ids) != len(item_ids):
        raise GlocalkError(
            f"Users and items must be two lists of the same length, not {len(user_ids)} and "
            f"{len(item_ids)}."
        )
    u = found(known, user_ids, "user", unknown)
    i = found(known, item_ids, "item", unknown)
    return user_ids, item_ids, u, i


def asked(values: ArrayLike | Sequence[Any], kind: Kind) -> Labels:
    """[n] the ids that are asked for; a single id is a list of one."""
    if np.isscalar(values) or values is None or getattr(values, "ndim", 1) == 0:
        values = [values]
    return as_labels(values, kind)


def found(known: TrainedOn, ids: Labels, kind: Kind, unknown: Unknown | None = None) -> Indices:
    """[n] the indices of the ids that are asked for, −1 for unknown ids.

    Args:
        known: the training ratings.
        ids: the ids.
        kind: that of the ids.
        unknown: as in `Predictor.predict`; None refuses where there is no choice.

    Raises:
        GlocalkError: an id is unknown and `unknown` is not `mean`, or all of them are and are
            written differently from those that are known.
    """
    everyone = known.ids
    labels, find = (
        (everyone.users, everyone.find_users)
        if kind == "user"
        else (everyone.items, everyone.find_items)
    )
    indices = find(ids)
    missing = indices < 0
    if missing.all():
        refuse_other_writing(labels, ids, kind, known.title)
    if missing.any() and unknown != "mean":
        label = shown(ids[np.argmax(missing)])
        # In words: Python, the command line and the service have an option each in their own form.
        mean = "set the option 'unknown' to 'mean' for the mean rating"
        other = "leave it out" if unknown is None else mean
        raise GlocalkError(
            f"The {kind} id '{label}' is not in {known.title}: correct it, or {other}."
        )
    return indices
