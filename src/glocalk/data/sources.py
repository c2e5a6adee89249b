"""The contract of data sources: their options, their files, and the split they provide."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glocalk.config import BaseConfig, build
from glocalk.data.divisions import AtRandom, Division
from glocalk.data.fetch.files import FileSet
from glocalk.data.ids import Ids
from glocalk.data.rating_matrix import RatingMatrix, Values
from glocalk.data.side.information import Need, SideInformation
from glocalk.data.splits import Split


class Source(ABC):
    """Provides the split of a data set; a `conf/data/*.yaml` names the class and its options.

    Args:
        config: the options, an instance of `Config`.
    """

    Config: ClassVar[type[BaseConfig]]
    """The options, their bounds and their defaults."""

    @abstractmethod
    def __init__(self, config: Any) -> None: ...

    @classmethod
    def file_sets(cls) -> tuple[FileSet, ...]:
        """The files that it reads and can download; none by default."""
        return ()

    @classmethod
    def side_file_sets(cls) -> Mapping[Need, FileSet]:
        """The files of its side information, where they are others than those of the ratings."""
        return {}

    @abstractmethod
    def split(self, data_dir: Path) -> Split:
        """Read the data set and divide it into training and test ratings.

        Args:
            data_dir: the data folder, with a folder of files for each data set.

        Raises:
            MissingDataError: a file does not exist and could not be downloaded.
            GlocalkError: a file is damaged or cannot be read.
        """


def divide(
    name: str,
    triples: tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]], Values],
    test: NDArray[np.bool_],
    shape: tuple[int, int],
    scale: tuple[float, float],
    ids: Ids | None = None,
    notes: tuple[str, ...] = (),
    side: SideInformation | None = None,
    division: Division | None = None,
) -> Split:
    """Split ratings by a mask into test ratings and training ratings.

    Args:
        name: name of the split.
        triples: user indices, item indices and ratings, [n] each.
        test: [n] whether a rating is a test rating.
        shape: (number of users, number of items).
        scale: (lowest, highest) possible rating.
        ids: ids of users and items, if the data set has any.
        notes: how the files were read.
        side: side information of the data set.
        division: how validation ratings are chosen; None draws them.
    """
    users, items, ratings = triples

    def part(chosen: NDArray[np.bool_]) -> RatingMatrix:
        u, i = (index[chosen].astype(np.int64, copy=False) for index in (users, items))
        return RatingMatrix(u, i, ratings[chosen], shape, scale)

    return Split(
        name,
        part(~test),
        part(test),
        ids=ids,
        notes=notes,
        side=side or SideInformation(),
        division=division or AtRandom(),
    )


def build_source(options: Mapping[str, Any]) -> Source:
    """Create the data source that a `conf/data/*.yaml` names.

    Args:
        options: `_target_`, the class, and the options of its `Config`.

    Raises:
        GlocalkError: the class cannot be imported, or an option is unknown or invalid.
    """
    source: Source = build(options, "data", Source)
    return source
