"""Splits: which ratings are for training, which for validation, which for testing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from glocalk.data.divisions import AtRandom, Division, Mask, OfWhole, drawn
from glocalk.data.ids import Ids
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.ratings import Ratings
from glocalk.data.side.information import Need, SideInformation
from glocalk.errors import GlocalkError
from glocalk.records.identity import data_key


@dataclass(frozen=True, eq=False)
class Split:
    """A data set divided into training ratings, test ratings and optional validation ratings.

    The parts are `Ratings` with the same ids, or become so.

    Attributes:
        name: how the ratings are divided, as shown in tables: `u1`, `90:10 seed 1234`, `monti`.
        train: the ratings that a completer is fitted on.
        test: the ratings that it is evaluated on.
        valid: training ratings held out to choose an epoch; None if there are none.
        ids: ids of users and items. None takes those of the parts, or the indices if these have
            none.
        notes: how the files were read, where this was found out: the column of each role, ratings
            left out, and warnings.
        side: what is known of users and items beside the ratings.
        division: how `hold_out` chooses validation ratings: as the test ratings were chosen, if
            the user asked for this, else at random.

    Raises:
        GlocalkError: a part is empty, the parts differ in shape, scale or ids, or two of them have
            a (user, item) pair in common.

    Example:
        >>> import numpy as np
        >>> from glocalk.data import RatingMatrix, Split
        >>> ratings = RatingMatrix(
        ...     np.arange(6), np.zeros(6, int), np.ones(6), shape=(6, 1), scale=(1, 5)
        ... )
        >>> split = Split("by hand", ratings.select(range(4)), ratings.select([4, 5]))
        >>> held_out = split.hold_out(0.25, seed=0)
        >>> len(held_out.train), len(held_out.valid), len(held_out.test)
        (3, 1, 2)
    """

    name: str
    train: RatingMatrix
    test: RatingMatrix
    valid: RatingMatrix | None = None
    ids: Ids | None = None
    notes: tuple[str, ...] = ()
    side: SideInformation = field(default_factory=SideInformation)
    division: Division = field(default_factory=AtRandom)

    def __post_init__(self) -> None:
        parts = {"train": self.train, "test": self.test, "valid": self.valid}
        present = {name: part for name, part in parts.items() if part is not None}
        for name, part in present.items():
            if not len(part):
                title = {"train": "training", "valid": "validation"}.get(name, name)
                raise GlocalkError(f"The {title} set of split '{self.name}' has no ratings.")
        if len({(part.shape, part.scale) for part in present.values()}) > 1:
            raise GlocalkError(f"The parts of split '{self.name}' differ in shape or scale.")
        cells = [part.users * part.num_items + part.items for part in present.values()]
        if (np.diff(np.sort(np.concatenate(cells))) == 0).any():
            raise GlocalkError(
                f"Two parts of split '{self.name}' have a (user, item) pair in common: a test "
                "rating must not be used for training."
            )
        self._share_ids(present)

    def _share_ids(self, parts: Mapping[str, RatingMatrix]) -> None:
        """Give all parts the ids of the split, and the split those of its parts."""
        own = [part.ids for part in parts.values() if isinstance(part, Ratings)]
        ids = self.ids or (own[0] if own else Ids.numbered(self.train.shape))
        if not all(ids.equals(other) for other in own):
            raise GlocalkError(
                f"The parts of split '{self.name}' have different ids: create them by dividing one "
                "set of ratings, with select."
            )
        object.__setattr__(self, "ids", ids)
        for name, part in parts.items():
            if not isinstance(part, Ratings):
                object.__setattr__(self, name, Ratings.of(part, ids))

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over the parts' checksums, and over what decides the validation ratings."""
        parts = (self.train, self.test, self.valid)
        checksums = [part.checksum if part else "-" for part in parts]
        if self.division.checksum:
            checksums.append(self.division.checksum)
        return hashlib.sha256(" ".join(checksums).encode()).hexdigest()

    def checksum_with(self, needs: Collection[Need]) -> str:
        """SHA-256 over the parts, and over what a completer needs beside them."""
        return data_key(self.checksum, self.side.checksum(needs) if needs else "")

    def keep(self, share: float, seed: int) -> Split:
        """The split with a random `share` of its training ratings, as in the paper's Fig. 2."""
        if share == 1:
            return self
        return replace(self, train=self.train.select(drawn(len(self.train), share, seed)))

    def hold_out(self, share: float, seed: int) -> Split:
        """The split with some of its training ratings moved to validation.

        They are chosen by `division`: a random `share`; of a split by time, the newest `share`; of
        a cold start, all ratings of a random `share` of the users or items. Where the last ratings
        of each user test, the last remaining ones are held out, and where validation ratings are
        given, these, whatever the share.
        """
        chosen = self.division.choose(self.train, share, seed)
        return replace(self, train=self.train.select(~chosen), valid=self.train.select(chosen))

    @property
    def ratings(self) -> RatingMatrix:
        """The ratings of all parts together."""
        parts = [part for part in (self.train, self.test, self.valid) if part is not None]
        users, items, values = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("users", "items", "ratings")
        )
        return RatingMatrix(users, items, values, self.train.shape, self.train.scale)

    def divided(
        self, name: str, test: Mask, division: Division, notes: tuple[str, ...] = ()
    ) -> Split:
        """A split of the same ratings into others for training and testing.

        Args:
            name: its name.
            test: [n] which of `ratings` are test ratings.
            division: how they were chosen.
            notes: what is to be said beside the notes of this split.
        """
        ratings = self.ratings
        return replace(
            self,
            name=name,
            train=ratings.select(~test),
            test=ratings.select(test),
            valid=None,
            notes=(*self.notes, *notes),
            division=division,
        )

    def cold_start(self, whole: Side, share: float, seed: int) -> Split:
        """A split of the same ratings in which a random `share` of users or items is new.

        The ratings of the training and test parts are divided again: all ratings of the drawn users
        or items are test ratings, all others training ratings.

        Args:
            whole: which are drawn, `users` or `items`.
            share: how many of those with ratings are drawn.
            seed: seed of the draw.

        Raises:
            GlocalkError: there are validation ratings, the split is one that the user asked for,
                or there are too few users or items.
        """
        if self.valid is not None:
            raise GlocalkError(f"Split '{self.name}' already has validation ratings.")
        if self.division.asked_for:
            raise GlocalkError(
                f"A cold start divides all ratings anew, so that split '{self.name}' would have no "
                "effect: leave out protocol.cold_start, or the options of data that choose a split."
            )
        division = OfWhole(whole)
        test = division.choose(self.ratings, share, seed)
        return self.divided(f"{100 * share:g} % of {whole} seed {seed}", test, division)
