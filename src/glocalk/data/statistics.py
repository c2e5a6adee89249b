"""Statistics of a data set: counts, density, rating scale, distribution of the ratings."""

from __future__ import annotations

import itertools

import numpy as np

from glocalk.data.rating_matrix import Indices, Values
from glocalk.data.splits import Split

_MOST_VALUES = 20  # with more, the histogram has a line for each bin
_BINS = 10
_BAR = 40  # characters of the longest bar


def statistics_lines(split: Split, title: str) -> list[str]:
    """The statistics of a split, training and test ratings together, as lines of text.

    Args:
        split: the ratings.
        title: the data set's name.
    """
    train, test = split.train, split.test
    count = len(train) + len(test)
    users, items = train.shape
    ratings = np.concatenate([train.ratings, test.ratings])
    lowest, highest = train.scale
    known = {
        "users": f"{users:,}",
        "items": f"{items:,}",
        "ratings": f"{count:,}",
        "training": f"{len(train):,} ({len(train) / count:.1%})",
        "test": f"{len(test):,} ({len(test) / count:.1%})",
        "density": f"{count / (users * items):.4f}",
        "scale": f"{lowest:g} … {highest:g}",
        "mean rating": f"{ratings.mean():.4f}",
        "standard deviation": f"{ratings.std():.4f}",
        "cold users": f"{_cold(train.users, test.users):,} with test ratings only",
        "cold items": f"{_cold(train.items, test.items):,} with test ratings only",
    }
    width = max(map(len, known))
    lines = [f"{title}, split {split.name}", *split.notes, ""]
    lines += [f"{name:<{width}}  {value}" for name, value in known.items()]
    lines += ["", "Ratings", *_histogram(ratings)]
    header = f"{'Ratings per':<11}" + "".join(f"{name:>10}" for name in _SPREAD)
    lines += ["", header]
    for name, indices, size in (
        ("user", (train.users, test.users), users),
        ("item", (train.items, test.items), items),
    ):
        lines.append(f"{name:<11}" + _spread(np.bincount(np.concatenate(indices), minlength=size)))
    return lines


_SPREAD = ("min", "25 %", "50 %", "75 %", "max", "mean")


def _spread(counts: Indices) -> str:
    """Minimum, quartiles (interpolated between counts), maximum and mean."""
    values = [*np.percentile(counts, [0, 25, 50, 75, 100])]
    return "".join(f"{value:>10,.10g}" for value in values) + f"{counts.mean():>10,.1f}"


def _cold(train: Indices, test: Indices) -> int:
    return len(np.setdiff1d(test, train))


def _histogram(ratings: Values) -> list[str]:
    """A line for each value, or for each tenth of the range if there are many values."""
    values, counts = np.unique(ratings, return_counts=True)
    if len(values) <= _MOST_VALUES:
        names = [f"{value:g}" for value in values]
    else:
        counts, edges = np.histogram(ratings, _BINS)
        # A value on an edge belongs to the bin above it, the maximum to the last bin.
        names = [f"{low:g} – {high:g}" for low, high in itertools.pairwise(edges)]
    name_width, count_width = max(map(len, names)), len(f"{counts.max():,}")
    return [
        f"{name:>{name_width}}  {count:>{count_width},}  {count / len(ratings):>6.1%}  "
        f"{'█' * round(_BAR * count / counts.max())}".rstrip()
        for name, count in zip(names, counts, strict=True)
    ]
