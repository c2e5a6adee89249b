"""Options that divide the ratings of a data set in another way than its own split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from glocalk.config import ADDED, BaseConfig
from glocalk.data.divisions import (
    AtRandom,
    Division,
    LastOfUsers,
    Mask,
    Newest,
    Pairs,
    RatingOrder,
    drawn,
    in_fold,
)
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError


@dataclass(frozen=True)
class Chosen:
    """Which ratings are test ratings.

    Attributes:
        name: name of the split.
        test: [n] whether a rating is a test rating.
        division: how they were chosen.
        notes: what is to be said about it.
    """

    name: str
    test: Mask
    division: Division
    notes: tuple[str, ...] = ()


class DividedConfig(BaseConfig):
    """Options that all data sets have in common: folds, and the last ratings of each user."""

    own_folds: ClassVar[int | None] = None
    """Number of folds that the data set itself has."""

    folds: Annotated[int | None, ADDED] = Field(
        default=None,
        ge=2,
        description="number of folds, random parts of all ratings; fold `fold` tests",
    )
    fold: Annotated[int, ADDED] = Field(
        default=1, ge=0, description="which of the folds tests, counted from 1"
    )
    n: Annotated[int, ADDED] = Field(
        default=1, ge=1, description="how many ratings of each user test with split=leave_n_out"
    )
    split: Annotated[str | None, ADDED] = None
    test_share: Annotated[float, ADDED] = Field(
        default=0.1, gt=0, lt=1, description="share of the ratings that test"
    )
    split_seed: Annotated[int | None, ADDED] = Field(
        default=0, ge=0, description="seed of the draw of folds, or of n ratings of each user"
    )

    @field_validator("fold")
    @classmethod
    def _is_one_of_them(cls, value: int, info: ValidationInfo) -> int:
        folds = info.data.get("folds") or cls.own_folds
        if folds is not None and not 1 <= value <= folds:
            raise ValueError(f"there are {folds} folds, 1 to {folds}")
        return value

    @model_validator(mode="after")
    def _have_an_effect(self) -> Self:
        if self.folds is not None and self.split in ("time", "leave_n_out"):
            raise ValueError(f"choose either data.folds or data.split={self.split}, not both")
        if not self._has_folds and self._sets("fold"):
            raise ValueError("data.fold chooses one of data.folds=…: give their number")
        if self.split != "leave_n_out" and self._sets("n"):
            raise ValueError("data.n is an option of data.split=leave_n_out")
        if not self._has_share and self._sets("test_share"):
            raise ValueError("data.test_share has no effect on this split: leave it out")
        if not self._has_draw and self._sets("split_seed"):
            raise ValueError("data.split_seed has no effect on this split: leave it out")
        return self

    @property
    def asks(self) -> bool:
        """Whether an option chooses other test ratings than there are without it."""
        names = ("folds", "fold", "split", "n", "test_share", "split_seed")
        return any(self._sets(name) for name in names)

    def _sets(self, name: str) -> bool:
        """Whether an option has another value than its default."""
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @property
    def _has_folds(self) -> bool:
        return self.folds is not None or (self.own_folds is not None and self.split is None)

    @property
    def _has_share(self) -> bool:
        return self.split == "time"

    @property
    def _has_draw(self) -> bool:
        return self.folds is not None or self.split == "leave_n_out"

    def chosen(self, pairs: Pairs, order: RatingOrder | None) -> Chosen:
        """The test ratings that the options choose.

        Args:
            pairs: all ratings, in the order of the matrix.
            order: their order in time; None where this is unknown.

        Raises:
            GlocalkError: there are too few ratings, or there is no time.
        """
        seed, count = self.split_seed or 0, len(pairs.users)
        if self.folds is not None:
            test = in_fold(count, self.folds, self.fold, seed)
            return Chosen(
                f"fold {self.fold} of {self.folds} seed {seed}", test, AtRandom(instead=True)
            )
        if self.split == "time":
            if order is None:
                raise GlocalkError(
                    "data.split=time needs timestamps, which these ratings do not have: choose "
                    "data.split=leave_n_out, which then draws at random, or data.folds=5."
                )
            newest = Newest(order)
            test = newest.choose(pairs, self.test_share, seed)
            return Chosen(f"latest {100 * self.test_share:g} %", test, newest)
        if self.split == "leave_n_out":
            last = LastOfUsers(self.n, order)
            test, (short, users) = last.choose(pairs, 1, seed), last.short_users(pairs)
            of_each = f"{self.n} of each user"
            name = f"{of_each} seed {seed}" if order is None else f"last {of_each}"
            note = (
                f"{short:,} of {users:,} users have no more than {self.n} "
                f"rating{'' if self.n == 1 else 's'}: all of theirs are training ratings"
            )
            return Chosen(name, test, last, (note,) * bool(short))
        shares = f"{100 - 100 * self.test_share:g}:{100 * self.test_share:g}"
        return Chosen(
            f"{shares} seed {seed}", drawn(count, self.test_share, seed), AtRandom(self.asks)
        )


class DividedSetConfig(DividedConfig):
    """Options of a data set that has a split of its own."""

    split: Annotated[Literal["time", "leave_n_out"] | None, ADDED] = Field(
        default=None,
        description="time: the newest ratings test; leave_n_out: the last n of each user, by time "
        "if there are timestamps, else a random n; null: the data set's own split",
    )
    test_share: Annotated[float, ADDED] = Field(
        default=0.1, gt=0, lt=1, description="share of the ratings that test with split=time"
    )

    @property
    def divides(self) -> bool:
        """Whether the options ask for another split than the data set's own."""
        return self.folds is not None or self.split is not None

    def divided(self, split: Split, order: RatingOrder | None = None) -> Split:
        """The ratings of a data set, divided as the options say.

        Args:
            split: the data set with its own split.
            order: order of its ratings in time; None where this is unknown.

        Raises:
            GlocalkError: there are too few ratings, or there is no time.
        """
        if not self.divides:
            return replace(split, division=AtRandom(instead=True)) if self.asks else split
        chosen = self.chosen(split.ratings, order)
        return split.divided(chosen.name, chosen.test, chosen.division, chosen.notes)
