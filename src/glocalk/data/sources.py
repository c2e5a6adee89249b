"""What every data source has in common: its options, its files, the places they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glocalk.config import BaseConfig, build
from glocalk.data.fetch.files import FileSet
from glocalk.data.ids import Ids
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.data.splits import Split


class Source(ABC):
    """Gives a data set's split; a `conf/data/*.yaml` names the class and its options.

    Args:
        config: its options, an instance of `Config`.
    """

    Config: ClassVar[type[BaseConfig]]
    """The options and their bounds."""

    @abstractmethod
    def __init__(self, config: Any) -> None: ...

    @classmethod
    def file_sets(cls) -> tuple[FileSet, ...]:
        """The files that it reads, for who wants to know of them before; none by default."""
        return ()

    @abstractmethod
    def split(self, data_dir: Path) -> Split:
        """The data set, divided.

        Args:
            data_dir: folder that holds a folder of files for each data set.

        Raises:
            MissingDataError: a file is not there and cannot be had.
            GlocalkError: a file is damaged, or cannot be read.
        """


def divide(
    name: str,
    triples: tuple[Indices, Indices, Values],
    test: NDArray[np.bool_],
    shape: tuple[int, int],
    scale: tuple[float, float],
    ids: Ids | None = None,
) -> Split:
    """The split whose test ratings a mask marks; the others train.

    Args:
        name: of the split.
        triples: user indices, item indices and ratings, [n] each.
        test: [n] true for a test rating.
        shape: (number of users, number of items).
        scale: (lowest, highest) rating.
        ids: labels of users and items, where there are some.
    """
    users, items, ratings = triples

    def part(chosen: NDArray[np.bool_]) -> RatingMatrix:
        return RatingMatrix(users[chosen], items[chosen], ratings[chosen], shape, scale)

    return Split(name, part(~test), part(test), ids=ids)


def build_source(options: Mapping[str, Any]) -> Source:
    """The data source that a `conf/data/*.yaml` names.

    Args:
        options: `_target_`, the class, and the options of its `Config`.

    Raises:
        GlocalkError: there is no such class, or an option is wrong.
    """
    source: Source = build(options, "data", Source)
    return source
