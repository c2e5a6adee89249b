"""Held-out users or items of which some ratings are revealed: to train on, or to fold in."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from glocalk.completers.base import Completer
from glocalk.data.divisions import AfterRevealed, random_ranks
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.run.monitor import Monitor
from glocalk.training.context import PredictPairs

MOST_REVEALED = 10
"""Ratings of each held-out user or item that may be revealed; the others are the test ratings."""


@dataclass(frozen=True, eq=False)
class RevealedSplit(Split):
    """A cold start whose held-out users or items reveal some ratings after the training.

    Attributes:
        whole: which of them are held out, `users` or `items`.
        count: ratings revealed of each.
        to_fold_in: the revealed ratings.
    """

    whole: Side = "users"
    count: int = 0
    to_fold_in: RatingMatrix | None = None

    def check(self, completer: Completer, who: str) -> None:
        """Refuse a completer that cannot fold them in.

        Args:
            completer: the completer.
            who: what is refused, for the error message.

        Raises:
            GlocalkError: it cannot.
        """
        if self.whole not in completer.folds_in:
            raise GlocalkError(
                f"{who} does not fold in new {self.whole}: set protocol.fold_in=false to train on "
                "the revealed ratings."
            )

    def evaluate(self, completer: Completer, monitor: Monitor) -> None:
        """Fold the revealed ratings in after the last epoch, and evaluate.

        Revealed ratings of an item (by a user) without training ratings say nothing about a new
        user (item), and are left out.
        """
        revealed, other = self.to_fold_in, "items" if self.whole == "users" else "users"
        assert revealed is not None

        def fold_in() -> PredictPairs:
            with_others = np.isin(getattr(revealed, other), getattr(self.train, other))
            usable = revealed.select(with_others)
            return (completer.fold_in(usable) if len(usable) else completer).predict_pairs

        last = list(completer.schedule.items())[-1] if completer.has_epochs else ("fit", None)
        monitor.observe_folded_in(self.test, fold_in, *last)


def reveal(split: Split, whole: Side, count: int, seed: int, *, fold_in: bool) -> Split:
    """The split of a cold start with `count` ratings of each held-out user (item) revealed.

    The ratings of each are put in a random order, which the seed determines. The first `count` are
    revealed, those after the first ten are the test ratings: the same ones for every count. Users
    (items) with fewer than eleven ratings are left out of both. Validation ratings are those of
    others, after as many that stay among the training ratings.

    Args:
        split: the cold start.
        whole: which are held out, `users` or `items`.
        count: 0 to 10.
        seed: seed of the order.
        fold_in: whether the revealed ratings are folded in after the training, and not trained on.

    Raises:
        GlocalkError: no user (item) that is held out has eleven ratings.
    """
    test = split.test
    own = test.users if whole == "users" else test.items
    rank = random_ranks(own, seed)
    enough = np.bincount(own)[own] > MOST_REVEALED
    if not enough.any():
        raise GlocalkError(
            f"No held-out one of the {whole} has more than {MOST_REVEALED} ratings: nothing "
            "would be left to test on."
        )
    revealed = test.select(enough & (rank < count))
    rest = test.select(enough & (rank >= MOST_REVEALED))
    if fold_in:
        parts = {part.name: getattr(split, part.name) for part in fields(Split)}
        return RevealedSplit(
            **{**parts, "test": rest}, whole=whole, count=count, to_fold_in=revealed
        )
    users, items, ratings = (
        np.concatenate([getattr(split.train, part), getattr(revealed, part)])
        for part in ("users", "items", "ratings")
    )
    train = RatingMatrix(users, items, ratings, test.shape, test.scale)
    division = AfterRevealed(whole, count, np.unique(own)) if count else split.division
    return replace(split, train=train, test=rest, division=division)
