"""What the service is asked and what it answers: the JSON of each request and response.

Options have the names, the defaults and the meaning that they have in `Predictor.predict` and
`Predictor.top`; answers have the columns of the tables that `glocalk predict` writes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field, WithJsonSchema

from glocalk.config import BaseConfig
from glocalk.inference.look_up import Unknown

_ID = {"anyOf": [{"type": "integer"}, {"type": "string"}]}

Asked: TypeAlias = Annotated[list[Any], WithJsonSchema({"type": "array", "items": _ID})]
"""Ids in a request; `glocalk.data.labels` checks them, as it does wherever ids are given."""


class Pairs(BaseConfig):
    """The pairs (users[k], items[k]) whose ratings are asked for."""

    users: Asked = Field(description="user ids [pairs]: whole numbers or text")
    items: Asked = Field(description="item ids [pairs], as many as users")
    unknown: Unknown = Field(
        default="refuse",
        description="for an unknown id: refuse the request, or the mean of the training ratings",
    )
    return_std: bool = Field(
        default=False,
        strict=True,
        description="also the standard deviation of each rating, of models that give a "
        "distribution",
    )


class Users(BaseConfig):
    """The users whose best unrated items are asked for."""

    users: Asked = Field(description="user ids: whole numbers or text")
    n: int = Field(default=10, ge=1, strict=True, description="number of items for each user")


class Predictions(BaseModel):
    """The prediction for each pair, in the order of the request."""

    rating: list[float] = Field(description="predicted ratings [pairs], clipped as in the run")
    std: list[float] | None = Field(
        default=None, description="standard deviations [pairs], with return_std"
    )


class BestItems(BaseModel):
    """A row for each item, as columns of the same length; users in the order of the request."""

    user: list[int | str] = Field(description="user ids")
    item: list[int | str] = Field(description="item ids")
    rank: list[int] = Field(description="1 for the item with the highest prediction of a user")
    rating: list[float] = Field(description="predicted ratings, clipped as in the run")


class Health(BaseModel):
    """That the service is up, and with what."""

    status: Literal["ok"] = "ok"
    model: str = Field(description="class of the completer")
    data: str = Field(description="data set of the training ratings")
    users: int = Field(description="number of known users")
    items: int = Field(description="number of known items")
    scale: tuple[float, float] = Field(description="lowest and highest rating")
    gives_distribution: bool = Field(description="whether return_std is possible")
    version: str = Field(description="version of glocalk")
    commit: str | None = Field(description="commit of glocalk; null outside a checkout")
    dirty: bool = Field(description="whether its code differs from this commit")
    loaded: str = Field(description="when the model was loaded, in UTC")


class Refusal(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="one sentence")
