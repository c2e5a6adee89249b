"""The design by dense rows built pair by pair, and the library on it."""

import warnings

import numpy as np
from scipy import sparse

from glocalk.data.side import Attributes, RatingDates, SideInformation
from planted import planted

TRAIN, TEST = planted(num_users=14, num_items=11)
USERS, ITEMS = TRAIN.shape
ALL_USERS, ALL_ITEMS = np.indices(TRAIN.shape).reshape(2, -1)
DAYS = 4


def _side():
    rng = np.random.default_rng(5)
    parts = {}
    for kind, size in zip(("user", "item"), TRAIN.shape, strict=True):
        columns = {
            "job": list(rng.choice(["cook", "nurse", "pilot"], size)),
            "tags": [[tag for tag in "abc" if rng.random() < 0.5] for _ in range(size)],
            "size": rng.normal(size=size),
        }
        parts[f"{kind} attributes"] = Attributes(kind, columns)
    cells = np.arange(USERS * ITEMS)
    parts["rating dates"] = RatingDates(cells, rng.uniform(0, DAYS, len(cells)), ITEMS)
    return SideInformation(parts)


SIDE = _side()
FEATURES = (
    {"attribute": "job", "encoding": "one_hot"},
    {"attribute": "tags", "encoding": "multi_hot"},
    {"attribute": "size", "encoding": "scaled"},
)


def features_of(kind, index, train=TRAIN):
    """Groups of features of one user or item, as lists of numbers."""
    attributes = SIDE.attributes(kind)
    ids = [float(k == index) for k in range(USERS if kind == "user" else ITEMS)]
    job, tags = attributes.column("job")[index], attributes.column("tags")[index]
    jobs = [float(job == name) for name in sorted(set(attributes.column("job")))]
    hot = np.array([float(tag in tags) for tag in "abc"]) / max(len(tags), 1) ** 0.5
    own, others = (train.users, train.items) if kind == "user" else (train.items, train.users)
    rated = {other for one, other in zip(own, others, strict=True) if one == index}
    size = ITEMS if kind == "user" else USERS
    implicit = np.array([float(k in rated) for k in range(size)]) / max(len(rated), 1) ** 0.5
    return [ids, jobs, list(hot), [attributes.column("size")[index]], list(implicit)]


def dense_row(user, item, train=TRAIN):
    """(groups of features) of a pair: date, those of the user, those of the item."""
    day = int(SIDE.dates.of(np.array([user]), np.array([item]))[0])
    date = [0.0, *(float(day == k) for k in range(DAYS))]
    return [date, *features_of("user", user, train), *features_of("item", item, train)]


def design_of(users, items, train=TRAIN):
    """[pairs, features], and the size of each group."""
    rows = [dense_row(user, item, train) for user, item in zip(users, items, strict=True)]
    sizes = [len(group) for group in rows[0]]
    return np.array([np.concatenate(row) for row in rows]), sizes


def library():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "pkg_resources is deprecated")  # myfm imports it
        import myfm
    return myfm


def myfm_fit(kind, targets, iterations, seed, rank, kept=None, train=TRAIN):
    """The library fitted on the dense design of `train`; `kind` names its class."""
    features, sizes = design_of(train.users, train.items, train)
    machine = getattr(library(), kind)(rank, random_seed=seed)
    return machine.fit(
        sparse.csr_matrix(features),
        targets,
        n_iter=iterations,
        n_kept_samples=kept or iterations,
        group_shapes=sizes,
        callback=lambda *_: (False, None),  # it would report its progress
    )
