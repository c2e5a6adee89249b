"""Side information for the matrices that completers are tried with."""

import numpy as np

from glocalk.data.side import Attributes, RatingDates, SideInformation


def side_of(shape, seed=0):
    """Every part, drawn at random for a matrix of this shape.

    Users and items have `number` (some unknown), `group` (one of four) and `tags` (some of three,
    or none), about two edges each, and a date for each pair.
    """
    rng = np.random.default_rng(seed)
    parts = {}
    for kind, size in zip(("user", "item"), shape, strict=True):
        number = np.where(rng.random(size) < 0.1, np.nan, rng.normal(size=size))
        tags = [[tag for tag in "xyz" if chosen < 0.4] for chosen in rng.random((size, 3)).min(1)]
        columns = {"number": number, "group": list(rng.choice(list("abcd"), size)), "tags": tags}
        parts[f"{kind} attributes"] = Attributes(kind, columns)
        edges = np.triu(rng.random((size, size)) < 2 / max(size, 2), 1)
        parts[f"{kind} graph"] = (edges | edges.T).astype(float)
    pairs = shape[0] * shape[1]
    parts["rating dates"] = RatingDates(np.arange(pairs), rng.uniform(0, 365, pairs), shape[1])
    return SideInformation(parts)
