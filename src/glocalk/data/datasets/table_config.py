"""Options of user-supplied files of ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from glocalk.config import ADDED, BaseConfig
from glocalk.data.divided import DividedConfig
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


class TableConfig(DividedConfig, UserFileConfig):
    """Options of a table of ratings."""

    user: Choice = _column("users")
    item: Choice = _column("items")
    rating: Choice = _column("ratings")
    timestamp: Choice = _column(
        "timestamps, read only with split=time, split=leave_n_out or on_duplicate=last"
    )
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
    fold: Annotated[int, ADDED] = Field(
        default=1,
        ge=0,
        description="which of the folds tests, counted from 1, or which number in split_column",
    )
    split: Literal["ratio", "time", "leave_n_out"] = Field(
        default="ratio",
        description="test ratings: a random share; the latest ones; the last n of each user, by "
        "time if there are timestamps, else a random n",
    )
    test_share: float = Field(
        default=0.1, gt=0, lt=1, description="share of the ratings held out as test ratings"
    )
    split_seed: int = Field(default=0, ge=0, description="seed of every random draw of ratings")
    test_path: Path | None = Field(
        default=None, description="a file with the test ratings; all of `path` is then for training"
    )
    valid_path: Annotated[Path | None, ADDED] = Field(
        default=None,
        description="a file with the validation ratings, beside that of the test ratings",
    )
    split_column: Annotated[Choice, ADDED] = Field(
        default=None,
        description="column that divides the ratings: train, valid and test, or numbers of folds, "
        "of which `fold` tests",
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

    @field_validator("user", "item", "rating", "timestamp", "split_column", mode="before")
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
        if value is not None:
            if info.data.get("split") == "time":
                raise ValueError("data.split=time takes the test ratings from data.path")
            cls._refuse_others(info, "divides data.path, which then is all for training")
        return value

    @field_validator("valid_path")
    @classmethod
    def _is_beside_a_test_file(cls, value: Path | None, info: Any) -> Path | None:
        if value is not None and info.data.get("test_path", value) is None:
            raise ValueError("give the test ratings in a file too, with data.test_path=…")
        return value

    @field_validator("split_column")
    @classmethod
    def _is_no_other_split(cls, value: Choice, info: Any) -> Choice:
        if value is not None:
            cls._refuse_others(info, "divides the ratings in another way: leave it out")
            if info.data.get("test_path") is not None:
                raise ValueError("it takes the test ratings from data.path: leave out test_path")
        return value

    @classmethod
    def _refuse_others(cls, info: Any, why: str) -> None:
        for name in ("split", "folds", "test_share", "split_seed"):
            default = cls.model_fields[name].default
            if info.data.get(name, default) != default:
                raise ValueError(f"data.{name} {why}")

    @property
    def _has_folds(self) -> bool:
        return super()._has_folds or self.split_column is not None

    @property
    def _has_share(self) -> bool:
        return self.folds is None and self.split != "leave_n_out"

    @property
    def _has_draw(self) -> bool:
        return self.split != "time"

    @model_validator(mode="after")
    def _is_possible_for_a_matrix(self) -> Self:
        if self.layout == "matrix":
            chosen = [self.item, self.rating, self.timestamp, self.split_column]
            if self.split == "time" or any(choice is not None for choice in chosen):
                raise ValueError(
                    "a matrix has users in rows and items in columns: data.item, data.rating, "
                    "data.timestamp, data.split_column and data.split=time go with "
                    "data.layout=table"
                )
        return self
