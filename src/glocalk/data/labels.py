"""What an id is, and which ids are the same; one rule for files, frames and arrays.

- An id is a whole number or text. The number 7, the float 7.0 and the text `7` are one id, and so
  is the text `7.0`: a column of whole numbers with gaps is written like this.
- Any other text is compared character by character: `007`, `+7`, `7e0` and `7` are four ids, and so
  are `Ann` and `ann`, or `é` written as one character and as two.
- White space around an id does not belong to it; white space inside it does.
- A float is an id if it is whole and small enough to be exact (below 2^53 in double precision).
- Missing or empty values, Booleans, bytes, dates and other objects are not ids.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from glocalk.errors import GlocalkError, one_line, shown

Labels: TypeAlias = NDArray[Any]
"""[n] ids: whole numbers (int64), or text (objects of type str)."""

Kind: TypeAlias = Literal["user", "item"]

Side: TypeAlias = Literal["users", "items"]
"""The users or the items of a rating matrix."""

_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)  # not `007`, which is another id than `7`
_WHOLE_FLOAT = re.compile(r"(0|-?[1-9]\d{0,15})\.0", re.ASCII)


def as_labels(values: ArrayLike | Sequence[Any], kind: Kind) -> Labels:
    """[n] ids as whole numbers if all of them are given as numbers, else as text.

    Args:
        values: [n] a list, NumPy array, Series or tensor.
        kind: for error messages.

    Raises:
        GlocalkError: `values` is not one-dimensional, or an id is missing or is neither a whole
            number nor text.
    """
    array = as_array(values, f"{kind} ids")
    if array.ndim == 0:
        raise GlocalkError(
            f"The {kind} ids must be a list, an array or a Series, not {type(values).__name__}."
        )
    if array.ndim != 1:
        hint = ": pass one column, as in df['user']" if isinstance(values, pd.DataFrame) else ""
        raise GlocalkError(
            f"The {kind} ids must be one-dimensional, not of shape {array.shape}{hint}."
        )
    if array.dtype.kind in "biufcUS" and not hasattr(values, "dtype"):
        array = np.array(values, dtype=object)  # NumPy turns NaN into 'nan' and True into 1
    missing = np.atleast_1d(pd.isna(array))
    if missing.any():
        raise _missing(missing, kind)
    held = pd.api.types.infer_dtype(array, skipna=False)
    if not len(array) or (held == "integer" and _fits(array)):
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "f":
        refused = (np.abs(array) >= _exact(array.dtype)) | (array != np.floor(array))
        if refused.any():
            raise _refused(float(array[np.argmax(refused)]), kind)
        return array.astype(np.int64)
    if held == "string":
        codes, distinct = pd.factorize(array.astype(object))
        labels = np.array([canonical(text) for text in distinct], dtype=object)[codes]
    else:
        labels = np.array([as_text(value, kind) for value in array], dtype=object)
    if (labels == "").any():
        raise _missing(labels == "", kind)
    if held != "string" and not any(isinstance(value, str) for value in array):
        numbers = as_numbers(labels)
        labels = labels if numbers is None else numbers
    return labels


def as_array(values: ArrayLike | Sequence[Any], what: str) -> NDArray[Any]:
    """`values` as an array, a tensor on any device included; what is masked becomes None.

    Raises:
        GlocalkError: NumPy cannot convert them.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        array: NDArray[Any] = values.data.astype(object)
        array[values.mask] = None
        return array
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = one_line(error).rstrip(".")
        raise GlocalkError(f"The {what} cannot be converted to an array ({reason}).") from error


def canonical(text: str) -> str:
    """The text of an id, the same for all texts of one id.

    Example:
        >>> [canonical(text) for text in ("7.0", " 7 ", "007", "7.50", "new  york")]
        ['7', '7', '007', '7.50', 'new  york']
    """
    text = text.strip()
    whole = _WHOLE_FLOAT.fullmatch(text) if text.endswith(".0") else None
    return whole[1] if whole and abs(int(whole[1])) < 2**53 else text


def as_text(value: Any, kind: str) -> str:
    """The text of an id, from a value of any type.

    Args:
        value: the id.
        kind: `user` or `item`, for error messages.

    Raises:
        GlocalkError: it is neither a whole number nor text.
    """
    if isinstance(value, str):
        return canonical(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        if abs(float(value)) < _exact(np.dtype(type(value))) and float(value).is_integer():
            return str(int(value))
    elif isinstance(value, Decimal):
        if value.is_finite() and value == value.to_integral_value():
            return str(int(value))
    elif getattr(value, "shape", None) == () and not isinstance(value, np.generic):
        return as_text(value.item(), kind)  # an array or a tensor of one value
    raise _refused(value, kind)


def is_whole(text: str) -> bool:
    """Whether a text is a whole number of 64 bits in its only canonical form."""
    return _WHOLE.fullmatch(text) is not None and -(2**63) <= int(text) < 2**63


def as_numbers(texts: Sequence[str] | Labels) -> Labels | None:
    """[n] the ids as whole numbers of 64 bits; None unless all of them are."""
    whole = all(is_whole(text) for text in texts)
    return np.array([int(text) for text in texts], dtype=np.int64) if whole else None


def _fits(numbers: NDArray[Any]) -> bool:
    return int(numbers.min()) >= -(2**63) and int(numbers.max()) < 2**63


def _exact(dtype: np.dtype[Any]) -> int:
    """The size below which every whole number has a float of its own, which no other rounds to."""
    mantissa: int = np.finfo(dtype).nmant
    return 1 << min(mantissa + 1, 53)


def _missing(where: NDArray[np.bool_], kind: Kind) -> GlocalkError:
    return GlocalkError(
        f"The {kind} id at position {int(np.argmax(where))} is missing: remove its row, or give it "
        "an id."
    )


def _refused(value: Any, kind: str) -> GlocalkError:
    if isinstance(value, (float, np.floating)) and np.isfinite(value) and value == np.floor(value):
        return GlocalkError(
            f"The {kind} id {shown(value)} is a float too large to be exact: read the ids as whole "
            "numbers or as text."
        )
    return GlocalkError(
        f"The {kind} id {shown(value)} is neither a whole number nor text: convert the ids to one "
        "of them."
    )
