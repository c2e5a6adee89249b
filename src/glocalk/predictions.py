"""Predictions out of a run: ratings of pairs and the best unseen items, under the data's own ids.

Whatever is asked for is made and written block by block: nothing of the size users × items.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from glocalk.data.ids import Labels
from glocalk.data.ratings import Indices, Values
from glocalk.errors import GlocalkError
from glocalk.files import replacing
from glocalk.model_file import MODEL_FILE, ModelFile

Unknown: TypeAlias = Literal["refuse", "mean"]

_CELLS = 1 << 20  # predictions in memory at a time
_ROWS = 1 << 16  # rows of a file of pairs at a time


class Model:
    """A run's fitted model, which predicts under the ids of its data.

    Args:
        path: of its model file.

    Raises:
        GlocalkError: the file is missing, damaged, or no model of this version.
    """

    def __init__(self, path: Path) -> None:
        file = ModelFile.read(path)
        self.data, self.config = file.data, file.model
        self.scale, self.clip, self.mean = file.scale, file.clip, file.mean
        self.ids = file.ids(path)
        self.completer = file.completer(path)
        self._trained_items = file.trained_items.numpy()
        counts = file.trained_counts.numpy()
        self._starts = np.concatenate([[0], np.cumsum(counts)])

    def predict(self, users: ArrayLike, items: ArrayLike, unknown: Unknown = "refuse") -> Values:
        """Predicted rating of each pair (users[k], items[k]).

        Args:
            users: [pairs] user ids.
            items: [pairs] item ids.
            unknown: what to make of a pair with an id that the data set does not have: an error,
                or the mean of the training ratings.

        Returns:
            [pairs] predictions, clipped to the scale where the run clips.

        Raises:
            GlocalkError: an unknown id.
        """
        users, items = self._labels(users, "user"), self._labels(items, "item")
        if len(users) != len(items):
            raise GlocalkError(
                f"Users and items must be two lists of one length, not {len(users)} and "
                f"{len(items)}."
            )
        u, i = self.ids.find_users(users), self.ids.find_items(items)
        if unknown == "refuse":
            _refuse_unknown(u, users, "user", self.data)
            _refuse_unknown(i, items, "item", self.data)
        known = (u >= 0) & (i >= 0)
        predicted = np.full(len(u), self.mean)
        predicted[known] = self._clipped(self.completer.predict(u[known], i[known]))
        return predicted

    def top(self, users: ArrayLike | None = None, n: int = 10) -> pd.DataFrame:
        """The `n` items with the highest predictions among those a user has no training rating of.

        Items are ordered by the prediction before it is clipped, equal ones as the data set
        orders them. A user with fewer such items gets them all.

        Args:
            users: user ids; None for every user.
            n: how many items a user, at least 1.

        Returns:
            Columns user, item, rank (1, 2, …) and rating; users in the order given.

        Raises:
            GlocalkError: an unknown user.
        """
        return pd.concat(self.top_blocks(users, n), ignore_index=True)

    def top_blocks(self, users: ArrayLike | None = None, n: int = 10) -> Iterator[pd.DataFrame]:
        """`top`, a block of users at a time; the first block may be empty."""
        if n < 1:
            raise GlocalkError(f"The number of items a user must be 1 or more, not {n}.")
        if users is None:
            indices = np.arange(len(self.ids.users))
        else:
            wanted = self._labels(users, "user")
            indices = self.ids.find_users(wanted)
            _refuse_unknown(indices, wanted, "user", self.data)
        size = max(1, _CELLS // len(self.ids.items))
        return (
            self._top_of(indices[start : start + size], n)
            for start in range(0, max(len(indices), 1), size)
        )

    def _top_of(self, users: Indices, n: int) -> pd.DataFrame:
        items = np.arange(len(self.ids.items))
        grid = self.completer.predict_grid(users, items)
        trained = [self._trained_items[self._starts[u] : self._starts[u + 1]] for u in users]
        for row, seen in zip(grid, trained, strict=True):
            row[seen] = -np.inf
        n = min(n, len(items))
        # Each row's n-th highest first: what lies below it need not be sorted.
        least = np.partition(grid, len(items) - n, axis=1)[:, [len(items) - n]]
        rows, columns = np.nonzero((grid >= least) & (grid > -np.inf))
        values = grid[rows, columns]
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, rows) + 1
        chosen = rank <= n
        return pd.DataFrame(
            {
                "user": self.ids.users[users[rows[chosen]]],
                "item": self.ids.items[columns[chosen]],
                "rank": rank[chosen],
                "rating": self._clipped(values[chosen]),
            }
        )

    def read_pairs(self, path: Path, unknown: Unknown = "refuse") -> Iterator[pd.DataFrame]:
        """Predictions of the pairs in a CSV file with the columns user and item, in its order.

        Yields:
            Blocks of the columns user, item and rating.

        Raises:
            GlocalkError: the file cannot be read, or holds an unknown id.
        """
        for block in _read_csv(path, ("user", "item")):
            users = self._labels(block["user"], "user")
            items = self._labels(block["item"], "item")
            rating = self.predict(users, items, unknown)
            yield pd.DataFrame({"user": users, "item": items, "rating": rating})

    def _labels(self, wanted: ArrayLike, kind: Literal["user", "item"]) -> Labels:
        """[n] `wanted` as labels of the kind that the data set has."""
        array = np.atleast_1d(np.asarray(wanted))
        known = self.ids.users if kind == "user" else self.ids.items
        if known.dtype.kind not in "iu":
            return array.astype(str).astype(object)
        if array.dtype.kind in "iu" or not len(array):
            return array.astype(np.int64)
        numbers = pd.to_numeric(pd.Series(array), errors="coerce").to_numpy()
        whole = (np.abs(numbers) < 2**63) & (numbers == np.floor(numbers))  # false for NaN
        if not whole.all():
            raise GlocalkError(
                f"The {kind} id '{array[np.argmin(whole)]}' is no whole number, as those of "
                f"{self.data} are."
            )
        labels: Labels = numbers.astype(np.int64)
        return labels

    def _clipped(self, predicted: Values) -> Values:
        return np.clip(predicted, *self.scale) if self.clip else predicted


def load(run: str | Path) -> Model:
    """The fitted model of a run.

    Args:
        run: its folder, `runs/<run>`, or its model file, wherever that lies.

    Raises:
        GlocalkError: there is no such run, it kept no model, or the model file is damaged.
    """
    folder = Path(run)
    path = folder if folder.is_file() else folder / MODEL_FILE
    if not path.exists():
        if not _is_run(folder):
            raise GlocalkError(f"Unknown run '{folder}': {_nearest_runs(folder)}")
        raise GlocalkError(
            f"The run '{folder}' has no '{MODEL_FILE}', for it failed or was made without "
            "save_model=true: run it again with force=true."
        )
    return Model(path)


def read_users(path: Path) -> Labels:
    """The user ids in a CSV file with the column user, as text, each once.

    Raises:
        GlocalkError: the file cannot be read.
    """
    blocks = [block["user"] for block in _read_csv(path, ("user",))]
    users: Labels = pd.concat(blocks).drop_duplicates().to_numpy(dtype=object)
    return users


def write_table(blocks: Iterable[pd.DataFrame], path: Path) -> int:
    """Write blocks of one table to a CSV or Parquet file, whole or not at all.

    Args:
        blocks: data frames of the same columns, at least one.
        path: ends in .csv or .parquet.

    Returns:
        The number of rows.

    Raises:
        GlocalkError: another suffix, no pyarrow for Parquet, or a folder that cannot be written
            to; whatever making the blocks raises.
    """
    check_suffix(path)
    kind = _parquet_file if path.suffix == ".parquet" else _csv_file
    rows = 0
    with replacing(path) as temporary, kind(temporary) as table:
        for block in blocks:
            table(block)
            rows += len(block)
    return rows


def check_suffix(path: Path) -> None:
    """Refuse a file that `write_table` could not write."""
    if path.suffix not in (".csv", ".parquet"):
        raise GlocalkError(f"'{path}' must end in .csv or .parquet.")
    if path.suffix == ".parquet":
        _pyarrow()


class _Table(Protocol):
    """Takes the blocks of a table."""

    def __call__(self, block: pd.DataFrame) -> None: ...


@contextmanager
def _csv_file(path: Path) -> Iterator[_Table]:
    with path.open("w", encoding="utf-8", newline="") as file:

        def write(block: pd.DataFrame) -> None:
            block.to_csv(
                file,
                header=not file.tell(),
                index=False,
                float_format="%.6f",
                lineterminator="\n",
            )

        yield write


@contextmanager
def _parquet_file(path: Path) -> Iterator[_Table]:
    arrow, parquet = _pyarrow()
    writer = None

    def kind(column: pd.Series[Any]) -> Any:
        numeric = column.dtype.kind in "iuf"
        return arrow.from_numpy_dtype(column.dtype) if numeric else arrow.string()

    def write(block: pd.DataFrame) -> None:
        nonlocal writer
        schema = arrow.schema((str(name), kind(column)) for name, column in block.items())
        if writer is None:
            writer = parquet.ParquetWriter(path, schema)
        writer.write_table(arrow.Table.from_pandas(block, schema=schema, preserve_index=False))

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise GlocalkError(
            "Parquet needs pyarrow, which is not installed: pip install pyarrow, or choose a file "
            "that ends in .csv."
        ) from error
    return pa, pq


def _read_csv(path: Path, columns: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    """Blocks of a CSV file's `columns`, as text; at least one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # As text, and `NA` or nothing as such: an id is what stands there.
            chunks = pd.read_csv(file, dtype=str, keep_default_na=False, chunksize=_ROWS)
            for block in chunks:
                for name in columns:
                    if name not in block:
                        raise GlocalkError(
                            f"'{path}' has no column '{name}': its first line must be "
                            f"{','.join(columns)}."
                        )
                yield block[list(columns)]
    except OSError as error:
        raise GlocalkError(f"'{path}' cannot be read: {error.strerror}.") from error
    except pd.errors.EmptyDataError as error:
        raise GlocalkError(
            f"'{path}' is empty: its first line must be {','.join(columns)}."
        ) from error
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise GlocalkError(f"'{path}' is no CSV file ({reason}).") from error


def _refuse_unknown(
    indices: Indices, labels: NDArray[Any], kind: Literal["user", "item"], data: str
) -> None:
    if (indices < 0).any():
        label = labels[np.argmax(indices < 0)]
        raise GlocalkError(f"The {kind} id '{label}' is not in {data}.")


def _is_run(folder: Path) -> bool:
    return (folder / MODEL_FILE).exists() or (folder / "record.json").exists()


def _nearest_runs(folder: Path) -> str:
    """The end of an error sentence: the runs whose names come nearest to that of `folder`."""
    places = (folder, folder.parent, Path("runs"))
    found = {
        str(run): run.name
        for place in places
        if place.is_dir()
        for run in sorted(place.iterdir())
        if _is_run(run)
    }
    if not found:
        return f"there are no runs in '{folder.parent}'."
    near = difflib.get_close_matches(folder.name, found.values(), n=3, cutoff=0.3)
    nearest = [run for name in dict.fromkeys(near) for run in found if found[run] == name]
    quoted = [f"'{run}'" for run in nearest or list(found)[:3]]
    return f"did you mean {' or '.join(quoted)}?"
