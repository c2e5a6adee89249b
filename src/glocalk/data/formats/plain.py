"""Fast parsing of plain delimited text by pandas' C engine.

pandas reads more than it should: it takes rows of any width where columns are chosen, `007` for 7,
and text after a closing quote. A piece of text is *plain* if none of this occurs in it, which the
positions of its separators and quotes show. What is not plain is left to the caller.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glocalk.data.formats.cells import is_number
from glocalk.data.formats.columns import Piece, Texts
from glocalk.data.formats.roles import MEASURED, measured
from glocalk.data.rating_matrix import Indices, Values

_NEWLINE, _QUOTE = ord("\n"), ord('"')
_NONE: Values = np.empty(0)
_POWERS = [10**exponent for exponent in range(1, 19)]


class PlainParser:
    """Parses pieces of one file; remembers which columns hold text.

    Args:
        separator: one ASCII character.
        width: number of columns.
        positions: column of each role.
        decimal: decimal separator of the ratings.
    """

    def __init__(
        self, separator: str, width: int, positions: Mapping[str, int], decimal: str = "."
    ) -> None:
        self._separator = separator
        self._width = width
        self._positions = positions
        self._decimal = decimal
        self._types: dict[str, Any] = dict.fromkeys(positions, np.int64)
        if role := measured(positions):
            self._types[role] = np.float64 if decimal == "." else object

    def parse(self, piece: bytes) -> Piece | None:
        """The columns of `piece`; None if the piece is not plain.

        Args:
            piece: UTF-8 text of whole rows, without a header.
        """
        separator = self._separator.encode()
        piece = self._cleaned(piece, separator)
        characters = np.frombuffer(piece, dtype=np.uint8)
        bounds = _bounds(characters, separator[0], self._width)
        if bounds is None:
            return None
        try:
            parts = self._numbers(self._frame(piece, self._types), characters, bounds)
        except (ValueError, OverflowError):  # a cell is not a number
            parts = None
        if parts is None:
            parts = self._texts(self._frame(piece, dict.fromkeys(self._types, object)))
        return parts

    @staticmethod
    def _cleaned(piece: bytes, separator: bytes) -> bytes:
        """The piece with newlines at the ends of its rows only, and without leading spaces."""
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not piece.endswith(b"\n") or piece.endswith(b"\n\n"):
            piece = piece.rstrip(b"\n") + b"\n"
        # A single byte is found many times faster than two.
        if separator != b" " and b" " in piece and b'"' not in piece:
            while separator + b" " in piece:
                piece = piece.replace(separator + b" ", separator)
        return piece

    def _frame(self, piece: bytes, types: Mapping[str, Any]) -> pd.DataFrame:
        with np.errstate(invalid="ignore"):  # of numbers that do not fit an integer
            return pd.read_csv(
                io.BytesIO(piece),
                sep=self._separator,
                header=None,
                names=range(self._width),
                usecols=list(self._positions.values()),
                dtype={position: types[role] for role, position in self._positions.items()},
                index_col=False,
                na_filter=False,
                skip_blank_lines=False,
                low_memory=False,
            )

    def _numbers(
        self, frame: pd.DataFrame, characters: NDArray[np.uint8], bounds: Indices
    ) -> Piece | None:
        """The columns as `_types` says; None if a number does not say all that its cell does."""
        by_role: dict[str, Indices | Texts] = {}
        for role, position in self._positions.items():
            values = frame[position].to_numpy()
            # The separators before and after the cell.
            before, after = bounds[:, position], bounds[:, position + 1]
            if role in MEASURED and values.dtype == object:
                return None
            if role in MEASURED:
                cell = characters[before[0] + 1 : after[0]].tobytes().decode()
                # pandas reads a column of `true` and `false` as 1 and 0.
                if not is_number(cell.strip(' "')) or not _is_exact(values, before, after):
                    return None
            elif self._types[role] is object:
                by_role[role] = texts = _texts(values)
                if "" in texts.texts:
                    return None
            else:
                by_role[role] = values
                quoted = 2 * np.count_nonzero(characters[before + 1] == _QUOTE)
                length = int(after.sum() - before.sum()) - len(values) - quoted
                if values.dtype != np.int64 or _canonical_length(values) != length:
                    return None
        role_of_numbers = measured(self._positions)
        ratings = frame[self._positions[role_of_numbers]].to_numpy() if role_of_numbers else _NONE
        return Piece(by_role, ratings)

    def _texts(self, frame: pd.DataFrame) -> Piece | None:
        """The columns, read as text; None if an id is empty, or maybe the row."""
        by_role: dict[str, Indices | Texts] = {}
        ratings = _NONE
        for role, position in self._positions.items():
            texts = _texts(frame[position].to_numpy())
            if role in MEASURED:
                ratings = texts.values(self._decimal)
            elif "" in texts.texts:
                return None
            elif (whole := texts.whole()) is not None:
                by_role[role] = whole
            else:
                by_role[role] = texts
                self._types[role] = object
        return Piece(by_role, ratings)


def _bounds(characters: NDArray[np.uint8], separator: int, width: int) -> Indices | None:
    """[rows, width + 1] positions of what separates the cells; None if the text is not plain."""
    is_newline = characters == _NEWLINE
    outside = is_newline | (characters == separator)
    ends = np.flatnonzero(outside)
    is_quote = characters == _QUOTE
    if is_quote.any():
        quotes = np.flatnonzero(is_quote)
        # Plain quotes surround whole cells, and there are none inside.
        if len(quotes) % 2:
            return None
        opening, closing = quotes[::2], quotes[1::2]
        if not ((opening == 0) | outside[opening - 1]).all() or not outside[closing + 1].all():
            return None
        quoted = np.searchsorted(quotes, ends) % 2 == 1
        if is_newline[ends[quoted]].any():
            return None
        ends = ends[~quoted]
    rows = np.count_nonzero(is_newline)
    if len(ends) != rows * width:
        return None
    bounds = np.empty((rows, width + 1), dtype=np.int64)
    bounds[:, 1:] = ends.reshape(rows, width)
    bounds[0, 0] = -1
    bounds[1:, 0] = bounds[:-1, -1]
    return bounds if is_newline[bounds[:, -1]].all() else None


def _texts(cells: NDArray[Any]) -> Texts:
    codes, texts = pd.factorize(cells)
    return Texts.of(codes, texts)


def _canonical_length(values: Indices) -> int:
    """Number of characters of all values, written without leading zeros or plus signs.

    Any other way to write a whole number is longer.
    """
    lowest, highest = int(values.min()), int(values.max())
    length = len(values)
    for power in _POWERS:
        if power <= highest:
            length += int(np.count_nonzero(values >= power))
        if -power >= lowest:
            length += int(np.count_nonzero(values <= -power))
    return length + int(np.count_nonzero(values < 0))


def _is_exact(values: Values, before: Indices, after: Indices) -> bool:
    """Whether pandas has read these numbers to the last bit, as Python's `float` does.

    It multiplies or divides the digits by a power of ten, which is exact up to 15 digits and
    10^22.

    Args:
        values: [n] the numbers.
        before: [n] position before each of their cells.
        after: [n] position after each of their cells.
    """
    sizes = np.abs(values)
    in_range = ((sizes >= 1e-7) & (sizes <= 1e22)) | (sizes == 0)  # false for NaN
    return bool((after - before).max() <= 16 and in_range.all())
