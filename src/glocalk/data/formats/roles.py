"""The usual names of the columns of users, items, ratings, timestamps and predictions.

A name counts by its letters and digits: `User-ID`, `user_id` and RecBole's `user_id:token` are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import product

MEASURED = ("rating", "prediction")
"""Roles whose column holds numbers; a table is read for one of them at most."""

_USERS = (
    *("user", "viewer", "reviewer", "review profile", "customer", "cust", "consumer", "client"),
    *("profile", "member", "rater", "reader", "listener", "player", "buyer", "person", "account"),
    *("critic", "subscriber", "visitor"),
)
_ITEMS = (
    *("item", "movie", "film", "show", "anime", "manga", "video", "series", "product", "article"),
    *("book", "track", "song", "artist", "album", "business", "game", "app", "joke", "recipe"),
    *(
        "beer",
        "beer beer",
        "wine",
        "hotel",
        "restaurant",
        "venue",
        "poi",
        "course",
        "paper",
        "news",
    ),
)
_RATINGS = ("rating", "ratings", "star", "stars", "score")
_RATED = ("", "user", "review", "my", "star", "overall", "item", "movie", "film", "book", "product")


def _names(words: Iterable[str], endings: Iterable[str]) -> frozenset[str]:
    return frozenset(plain(word + ending) for word, ending in product(words, endings))


def plain(name: str) -> str:
    """A name without case, punctuation, and the type that RecBole appends."""
    return re.sub("[^a-z0-9]", "", name.casefold().split(":")[0])


# For each role the likelier names first: an id comes before a name or a title.
_USUAL: dict[str, tuple[frozenset[str], ...]] = {
    "user": (
        _names(_USERS, ("", "id", "no", "key", "idx", "md5")) | {"uid", "users"},
        _names(_USERS, ("name",)) | {"u"},
    ),
    "item": (
        _names(_ITEMS, ("", "id", "no", "key", "idx", "md5"))
        | {"iid", "mid", "asin", "isbn", "sku", "items", "placeid", "locationid"},
        _names(_ITEMS, ("name", "title")) | {"title", "parentasin", "i"},
    ),
    "rating": (
        _names(_RATED, _RATINGS) | {"overall", "reviewoverall"},
        frozenset({"label", "r"}),
    ),
    "timestamp": (
        frozenset(
            {
                "timestamp",
                "timestamps",
                "timestampms",
                "unixtime",
                "unixreviewtime",
                "unixtimestamp",
            }
            | {"ratingtimestamp", "reviewtimestamp", "ts"}
        ),
        frozenset(
            {"time", "datetime", "date", "reviewtime", "reviewdate", "ratingtime", "ratingdate"}
            | {"createdat", "updatedat", "t"}
        ),
    ),
}

# What libraries call a prediction. Apart from the others, because a table of ratings has none.
_PREDICTED = (
    _names(("", "rating", "predicted", "user", "item"), ("prediction", "predictions", "pred"))
    | _names(("predicted", "estimated", "pred"), ("", "rating", "ratings", "value"))
    | {"est", "estimate", "yhat", "ypred", "rhat"},
    frozenset({"score", "scores"}),
)


def usual(role: str, names: Sequence[str]) -> list[int]:
    """Positions of the likeliest names for a role; several if the names are ambiguous."""
    known = [plain(name) for name in names]
    for likely in _PREDICTED if role == "prediction" else _USUAL[role]:
        if positions := [at for at, name in enumerate(known) if name in likely]:
            return positions
    return []


def measured(roles: Iterable[str]) -> str | None:
    """The one of `MEASURED` that is among the roles, if any."""
    return next((role for role in roles if role in MEASURED), None)


def named_roles(names: Sequence[str]) -> list[str]:
    """The roles of a table of ratings for which there is a usual name."""
    return [role for role in _USUAL if usual(role, names)]
