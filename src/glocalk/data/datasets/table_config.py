"""Options of user-supplied files of ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from glocalk.config import ADDED, BaseConfig
from glocalk.data.formats.encodings import check_encoding
from glocalk.data.formats.options import Choice, Layout
from glocalk.data.formats.sizes import MAX_BYTES


class UserFileConfig(BaseConfig):
    """Options of every source that reads a user-supplied file."""

    path: Path = Field(
        description="the file; relative to the folder in which the command is started"
    )
    scale: tuple[float, float] | None = Field(
        default=None, description="[lowest, highest] rating; null reads it from the ratings"
    )
    max_bytes: int = Field(
        default=MAX_BYTES,
        gt=0,
        description="bytes that a compressed, parquet or MATLAB file may take unpacked",
    )

    @field_validator("path", mode="before")
    @classmethod
    def _is_given(cls, value: Any) -> Any:
        if value is None or value == "":
            raise ValueError("give the path of your ratings, data.path=…")
        return value

    @field_validator("scale")
    @classmethod
    def _ascends(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError("the lowest rating must be below the highest")
        return value


def _column(content: str) -> Any:
    return Field(
        default=None,
        description=f"column of the {content}: its name, or its position counted from 0; null "
        "finds it",
    )


class TableConfig(UserFileConfig):
    """Options of a table of ratings."""

    user: Choice = _column("users")
    item: Choice = _column("items")
    rating: Choice = _column("ratings")
    timestamp: Choice = _column("timestamps, read only with split=time or on_duplicate=last")
    layout: Layout | None = Field(
        default=None,
        description="table: one row per rating; matrix: one row per user and one column per item; "
        "null reads a table, and refuses what may be a matrix",
    )
    header: bool | None = Field(
        default=None,
        description="whether the first row names the columns; null decides by its cells",
    )
    encoding: str | None = Field(
        default=None,
        description="encoding of text, like cp1252; null: as a byte order mark says, else UTF-8",
    )
    decimal: Literal[".", ","] = Field(default=".", description="decimal separator of the ratings")
    missing: tuple[float, ...] = Field(
        default=(), description="ratings that mean that there is none, as in [-1,0]: left out"
    )
    split: Literal["ratio", "time"] = Field(
        default="ratio", description="test ratings: a random share, or the latest ones"
    )
    test_share: float = Field(
        default=0.1, gt=0, lt=1, description="share of the ratings held out as test ratings"
    )
    split_seed: int = Field(default=0, ge=0, description="seed of the random split")
    test_path: Path | None = Field(
        default=None, description="a file with the test ratings; all of `path` is then for training"
    )
    on_duplicate: Literal["error", "mean", "last"] = Field(
        default="error",
        description="several ratings of one (user, item) pair: refuse them, or take their mean or "
        "the last (by time if the file has timestamps, else by row)",
    )

    user_attributes: Annotated[Path | None, ADDED] = Field(
        default=None,
        description="a table of what is known of users: ids in its first column, then attributes",
    )
    item_attributes: Annotated[Path | None, ADDED] = Field(
        default=None, description="the same of items"
    )
    user_edges: Annotated[Path | None, ADDED] = Field(
        default=None,
        description="edges of a graph of users: two columns of ids, and a weight if there is a "
        "third",
    )
    item_edges: Annotated[Path | None, ADDED] = Field(default=None, description="the same of items")

    @field_validator("user", "item", "rating", "timestamp", mode="before")
    @classmethod
    def _is_a_column(cls, value: Any) -> Any:
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, str))):
            raise ValueError("give a column's name, or its position counted from 0")
        return value

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, value: str | None) -> str | None:
        return value if value is None else check_encoding(value)

    @field_validator("missing", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        if value is None:
            return ()
        return (value,) if isinstance(value, (int, float, str)) else value

    @field_validator("test_path")
    @classmethod
    def _is_the_only_split(cls, value: Path | None, info: Any) -> Path | None:
        if value is None:
            return value
        if info.data.get("split") == "time":
            raise ValueError("data.split=time takes the test ratings from data.path")
        for name in ("test_share", "split_seed"):
            if info.data.get(name) != cls.model_fields[name].default:
                raise ValueError(f"data.{name} divides data.path, which then is all for training")
        return value

    @model_validator(mode="after")
    def _is_possible_for_a_matrix(self) -> Self:
        if self.layout == "matrix":
            chosen = [self.item, self.rating, self.timestamp]
            if self.split == "time" or any(choice is not None for choice in chosen):
                raise ValueError(
                    "a matrix has users in rows and items in columns: data.item, data.rating, "
                    "data.timestamp and data.split=time go with data.layout=table"
                )
        return self
