"""Attributes as columns of numbers: scaled, flags, one-hot, multi-hot and binned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from glocalk.config import ADDED, BaseConfig, did_you_mean
from glocalk.data.side.attributes import Attributes, Column, Form
from glocalk.errors import GlocalkError, shown

_OF_ENCODING = {
    "scaled": {"center", "divide_by"},
    "flag": {"value"},
    "one_hot": {"without", "first"},
    "multi_hot": {"without"},
    "binned": {"bins"},
}


class FeatureConfig(BaseConfig):
    """One attribute, and how it becomes columns of numbers.

    | encoding | columns | value |
    |---|---|---|
    | `scaled` | one | (x − center) / divide_by; 0 where x is unknown |
    | `flag` | one | 1 where the attribute is `value` |
    | `one_hot` | one for each value, ascending | 1 where the attribute is this value |
    | `multi_hot` | one for each value, ascending | 1 where the value is among the attribute's |
    | `binned` | one for each of `bins` intervals | 1 where the number is in the interval |

    The intervals of `binned` end at percentiles of the known numbers, the end included; those that
    end at the same number are one.
    """

    attribute: str = Field(description="name of the attribute")
    encoding: Literal["scaled", "flag", "one_hot", "multi_hot", "binned"] = Field(
        description="encoding"
    )
    center: float = Field(default=0.0, description="scaled: what is subtracted")
    divide_by: float = Field(default=1.0, gt=0, description="scaled: what is then divided by")
    value: str | None = Field(default=None, description="flag: the value that is 1")
    without: tuple[str, ...] = Field(
        default=(), description="one_hot, multi_hot: values that get no column"
    )
    first: Annotated[int | None, ADDED] = Field(
        default=None, ge=1, description="one_hot: number of characters of a value that count"
    )
    bins: Annotated[int, ADDED] = Field(default=11, ge=2, description="binned: number of intervals")

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        # Not `model_fields_set`: a config that was dumped and is read again names every option.
        defaults = type(self).defaults()
        given = {name for name, default in defaults.items() if getattr(self, name) != default}
        if others := sorted(given - _OF_ENCODING[self.encoding]):
            raise ValueError(f"'{others[0]}' does not go with encoding {self.encoding}")
        if self.encoding == "flag" and self.value is None:
            raise ValueError("encoding flag needs a value")
        return self


@dataclass(frozen=True)
class Features:
    """Features of all users or of all items.

    Attributes:
        matrix: [n, f] float64.
        names: what each column stands for: `age`, `gender=F`.
    """

    matrix: NDArray[np.float64]
    names: tuple[str, ...]


def default_features(attributes: Attributes) -> list[FeatureConfig]:
    """Every attribute, encoded by its form.

    A number is scaled to mean 0 and standard deviation 1, a text is one-hot, several are multi-hot.
    """
    made = []
    for name, column in attributes.columns.items():
        form = attributes.form(name)
        if form != "number":
            encoding = "one_hot" if form == "text" else "multi_hot"
            made.append(FeatureConfig.check({"attribute": name, "encoding": encoding}, ""))
            continue
        known = column[~np.isnan(column)]
        scale = {"center": float(known.mean()) if len(known) else 0.0}
        scale["divide_by"] = float(known.std()) or 1.0 if len(known) else 1.0
        options = {"attribute": name, "encoding": "scaled", **scale}
        made.append(FeatureConfig.check(options, ""))
    return made


def encode(attributes: Attributes, features: Sequence[FeatureConfig] | None) -> Features:
    """The features of all users, or of all items, side by side in the order given.

    Args:
        attributes: what is known of them.
        features: which attributes, and how; None takes `default_features`.

    Raises:
        GlocalkError: there is no such attribute, it has another form than the encoding is for, or
            a value of `value` or `without` does not occur.
    """
    if features is None:
        features = default_features(attributes)
    if not features:
        raise GlocalkError(f"No feature of the {attributes.kind}s is named.")
    matrices, names = [], []
    for feature in features:
        column = attributes.column(feature.attribute)
        forms = _FORMS[feature.encoding]
        form = attributes.form(feature.attribute)
        if form not in forms:
            raise GlocalkError(
                f"The attribute '{feature.attribute}' is a {_IN_WORDS[form]}, which encoding "
                f"{feature.encoding} is not for: choose {_FITTING[form]}."
            )
        made, titles = _ENCODINGS[feature.encoding](column, feature)
        matrices.append(made)
        names += titles
    return Features(np.concatenate(matrices, axis=1), tuple(names))


_FORMS: dict[str, set[Form]] = {
    "scaled": {"number"},
    "flag": {"number", "text"},
    "one_hot": {"number", "text"},
    "multi_hot": {"several"},
    "binned": {"number"},
}
_IN_WORDS: dict[Form, str] = {"number": "number", "text": "text", "several": "list of texts"}
_FITTING: dict[Form, str] = {
    "number": "scaled, flag, one_hot or binned",
    "text": "flag or one_hot",
    "several": "multi_hot",
}

_Encoded = tuple[NDArray[np.float64], list[str]]


def _scaled(column: Column, feature: FeatureConfig) -> _Encoded:
    scaled = (column - feature.center) / feature.divide_by
    return np.where(np.isnan(column), 0.0, scaled)[:, None], [feature.attribute]


def _flag(column: Column, feature: FeatureConfig) -> _Encoded:
    assert feature.value is not None
    values = _several(column)
    _check_occurs([feature.value], values, feature)
    flags = np.array([feature.value in several for several in values], dtype=np.float64)
    return flags[:, None], [f"{feature.attribute}={feature.value}"]


def _hot(column: Column, feature: FeatureConfig) -> _Encoded:
    values = _several(column)
    if feature.first is not None:
        values = [tuple(text[: feature.first] for text in several) for several in values]
    _check_occurs(feature.without, values, feature)
    occurring = {text for several in values for text in several} - set(feature.without)
    numbers = column.dtype.kind == "f" and feature.first is None
    ascending = sorted(occurring, key=float if numbers else None)
    at = {text: position for position, text in enumerate(ascending)}
    matrix = np.zeros((len(values), len(ascending)))
    for row, several in enumerate(values):
        for text in several:
            if text in at:
                matrix[row, at[text]] = 1
    return matrix, [f"{feature.attribute}={text}" for text in ascending]


def _binned(column: Column, feature: FeatureConfig) -> _Encoded:
    known = ~np.isnan(column)
    if not known.any():
        return np.zeros((len(column), 0)), []
    inner = np.linspace(0, 100, feature.bins + 1)[1:-1]
    ends = np.unique(np.percentile(column[known], inner))
    matrix = np.zeros((len(column), len(ends) + 1))
    matrix[known, np.searchsorted(ends, column[known])] = 1
    names = [f"{feature.attribute}<={end:g}" for end in ends]
    return matrix, [*names, f"{feature.attribute}>{ends[-1]:g}"]


def _several(column: Column) -> list[tuple[str, ...]]:
    """The values of each user or item as texts; none where it is unknown."""
    if column.dtype.kind == "f":
        return [() if np.isnan(number) else (f"{number:g}",) for number in column]
    return [
        value if isinstance(value, tuple) else () if value is None else (value,) for value in column
    ]


def _check_occurs(
    wanted: Sequence[str], values: Sequence[tuple[str, ...]], feature: FeatureConfig
) -> None:
    occurring = {text for several in values for text in several}
    for value in wanted:
        if value not in occurring:
            raise GlocalkError(
                f"The attribute '{feature.attribute}' has no value '{shown(value)}': "
                f"{did_you_mean(value, occurring)}"
            )


_ENCODINGS: dict[str, Callable[[Column, FeatureConfig], _Encoded]] = {
    "scaled": _scaled,
    "flag": _flag,
    "one_hot": _hot,
    "multi_hot": _hot,
    "binned": _binned,
}
