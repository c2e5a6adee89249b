"""The answer to each request, from the bytes of its body."""

from __future__ import annotations

from dataclasses import dataclass

from glocalk.errors import GlocalkError
from glocalk.inference.predictor import Predictor
from glocalk.service.body import options_in
from glocalk.service.messages import BestItems, Pairs, Predictions, Users


@dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    Attributes:
        pairs: number of pairs.
        top: number of users times number of items for each.
        body: bytes of the body.
    """

    pairs: int = 10_000
    top: int = 10_000
    body: int = 1 << 20


def predictions(model: Predictor, limits: Limits, body: bytes) -> Predictions:
    """The predicted rating of each pair that a body asks for.

    Raises:
        GlocalkError: it cannot be read, asks for too much, or as `Predictor.predict` does.
    """
    asked = Pairs.check(options_in(body), "")
    most = max(len(asked.users), len(asked.items))
    if most > limits.pairs:
        raise GlocalkError(
            f"A request may have {limits.pairs:,} pairs, not {most:,}: send it in parts."
        )
    if asked.return_std:
        rating, std = model.predict(asked.users, asked.items, asked.unknown, return_std=True)
        return Predictions(rating=rating.tolist(), std=std.tolist())
    return Predictions(rating=model.predict(asked.users, asked.items, asked.unknown).tolist())


def best_items(model: Predictor, limits: Limits, body: bytes) -> BestItems:
    """The best unrated items of each user that a body asks for.

    Raises:
        GlocalkError: it cannot be read, asks for too much, or as `Predictor.top` does.
    """
    asked = Users.check(options_in(body), "")
    most = len(asked.users) * asked.n
    if most > limits.top:
        raise GlocalkError(
            f"A request may have {limits.top:,} users times n, not {len(asked.users):,} × "
            f"{asked.n:,}: send it in parts, or choose a smaller n."
        )
    table = model.top(asked.users, asked.n)
    return BestItems(**{str(name): column.tolist() for name, column in table.items()})
