"""Completers fitted on a small planted matrix, and their predictions computed pair by pair."""

from dataclasses import replace

import numpy as np

from glocalk.completers.registry import build_completer
from glocalk.data.ids import Ids
from glocalk.data.ratings import Ratings
from planted import planted

TRAIN, TEST = planted()
NUM_USERS, NUM_ITEMS = TRAIN.shape
BIAS = {
    "_target_": "glocalk.completers.baselines.Bias",
    "item_damping": 0.5,
    "user_damping": 0.25,
}
MEAN = {"_target_": "glocalk.completers.baselines.GlobalMean"}

# Ids as they occur in files: text that looks like numbers or missing values, or needs CSV quotes.
ODD = ["007", "7", "NA", "a,b", 'say "x"', "ünï 🙂", "nan", "two  spaces", "1e5", "None"]
TEXT_IDS = Ids(
    np.array([*ODD, *(f"u{k}" for k in range(NUM_USERS - len(ODD)))], dtype=object),
    np.array([f"item {k}" for k in range(NUM_ITEMS)], dtype=object),
)
NUMBER_IDS = Ids(np.arange(NUM_USERS)[::-1] * 10 + 5, np.arange(NUM_ITEMS) * 3 + 2**60)


def expected_bias(train, item_damping, user_damping):
    """[users, items] of Koren's formula, by a loop over the ratings."""
    triples = list(
        zip(train.users.tolist(), train.items.tolist(), train.ratings.tolist(), strict=True)
    )
    mean = sum(r for _, _, r in triples) / len(triples)
    b_item, b_user = {}, {}
    for item in range(train.num_items):
        rest = [r - mean for _, i, r in triples if i == item]
        b_item[item] = sum(rest) / (item_damping + len(rest))
    for user in range(train.num_users):
        rest = [r - mean - b_item[i] for u, i, r in triples if u == user]
        b_user[user] = sum(rest) / (user_damping + len(rest))
    return np.array(
        [
            [mean + b_item[i] + b_user[u] for i in range(train.num_items)]
            for u in range(train.num_users)
        ]
    )


EXPECTED = expected_bias(TRAIN, 0.5, 0.25)
SEEN = set(zip(TRAIN.users.tolist(), TRAIN.items.tolist(), strict=True))


def expected_top(n, users):
    """(user, item, rank, rating) of the n best unrated items, by sorting all items of each user."""
    rows = []
    for user in users:
        unseen = [item for item in range(NUM_ITEMS) if (user, item) not in SEEN]
        best = sorted(unseen, key=lambda item: (-EXPECTED[user, item], item))[:n]
        for rank, item in enumerate(best, start=1):
            rows.append((user, item, rank, min(max(EXPECTED[user, item], 1), 5)))
    return rows


def fitted(config=BIAS, ids=TEXT_IDS, train=TRAIN, clip=True):
    """A completer, fitted on ratings that are called tiny."""
    completer = build_completer(config).fit(train if ids is None else Ratings.of(train, ids))
    completer.trained_on = replace(completer.trained_on, title="tiny")
    completer.clip = clip
    return completer


def keep(folder, config=BIAS, ids=TEXT_IDS, train=TRAIN, clip=True):
    """The folder, with the model file of a fitted completer in it, as that of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    fitted(config, ids, train, clip).save(folder / "model.pt")
    return folder
