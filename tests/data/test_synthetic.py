from pathlib import Path

import numpy as np
import pytest

from glocalk.data.synthetic import Synthetic, SyntheticSettings
from glocalk.errors import GlocalkError

NOWHERE = Path("/nowhere")


def split(**options):
    return Synthetic(SyntheticSettings(**options)).split(NOWHERE)


def test_has_the_size_asked_for():
    made = split(num_users=120, num_items=80, num_ratings=2000, test_share=0.2)
    assert len(made.train) + len(made.test) == 2000
    assert made.train.shape == (120, 80)
    assert len(made.test) == pytest.approx(400, abs=80)
    assert set(np.unique(made.train.ratings)) == {1, 2, 3, 4, 5}


def test_the_seed_makes_it():
    assert split().checksum == split().checksum
    assert split().checksum != split(seed=1).checksum


def test_there_is_something_to_learn():
    made = split(num_ratings=15_000, noise=0.1)
    train, test = made.train, made.test
    offsets = np.bincount(train.items, train.ratings - train.ratings.mean(), train.num_items)
    offsets /= np.maximum(np.bincount(train.items, minlength=train.num_items), 1)
    plain = np.std(test.ratings - train.ratings.mean())
    assert np.std(test.ratings - offsets[test.items]) < 0.97 * plain


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"num_users": 1}, "'data.num_users' cannot be 1"),
        ({"num_ratings": 60_000}, "three quarters of the matrix empty"),
        ({"noise": -1}, "'data.noise' cannot be -1"),
        ({"test_share": 1.0}, "'data.test_share' cannot be 1.0"),
    ],
)
def test_impossible_sizes_end_in_one_sentence(options, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        SyntheticSettings.check(options, "data")
