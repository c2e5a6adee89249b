"""GraphRec with attributes; `test_graphrec.py` has everything that both have in common."""

import doctest

import numpy as np
import pytest
import torch

import glocalk
import glocalk.completers.graphrec.extra as room
from glocalk.completers.graphrec.extra import GraphRecExtra
from glocalk.completers.graphrec.features import GraphFeatures
from glocalk.completers.graphrec.graphrec import GraphRec
from glocalk.data.side import Attributes, SideInformation
from glocalk.data.side.encode import encode
from glocalk.errors import GlocalkError
from planted import planted

TRAIN, _ = planted(num_users=12, num_items=9, density=0.6)
QUICK = {"rank": 4, "batch_size": 10, "epochs": 2, "learning_rate": 0.01}
SIDE = SideInformation(
    {
        "user attributes": Attributes("user", {"age": range(12), "gender": list("MF" * 6)}),
        "item attributes": Attributes("item", {"tags": [["x"], ["y", "x"], []] * 3}),
    }
)


def full(features):
    dense = np.zeros(features.shape)
    matrix = features.matrix
    for row in range(features.shape[0]):
        for k in range(matrix.starts[row], matrix.stops[row]):
            dense[row, matrix.columns[k]] += matrix.values[k]
    return dense


def test_attributes_stand_behind_the_features_of_the_graph():
    users, items, strengths = np.array([0, 0, 1]), np.array([0, 2, 2]), np.array([1, 0.4, 0.8])
    extra = np.array([[0.5, 0.0, 1.0], [0.0, 1.0, 0.0]])
    made = GraphFeatures(users, items, strengths, (2, 3), torch.float64, extra)
    assert full(made).tolist() == [
        [1, 0, 1, 0, 0.4, 1, 0.5, 0, 1],
        [0, 1, 0, 0, 0.8, 0.5, 0, 1, 0],
    ]


def test_without_attributes_it_is_graph_rec_bit_for_bit():
    plain = GraphRec(**QUICK).fit(TRAIN, seed=0)
    none = GraphRecExtra(user_features=[], item_features=[], **QUICK)
    assert none.needs == ()
    state = none.fit(TRAIN, seed=0).state()
    assert all(torch.equal(tensor, state[name]) for name, tensor in plain.state().items())


def test_it_needs_what_its_options_name():
    assert GraphRecExtra().needs == ("user attributes", "item attributes")
    assert GraphRecExtra(user_features=[]).needs == ("item attributes",)
    named = GraphRecExtra(item_features=[{"attribute": "tags", "encoding": "multi_hot"}])
    assert named.needs == ("user attributes", "item attributes")
    with pytest.raises(GlocalkError, match="no attribute 'tag': did you mean 'tags'"):
        GraphRecExtra(
            user_features=[], item_features=[{"attribute": "tag", "encoding": "one_hot"}], **QUICK
        ).fit(TRAIN, side=SIDE)


def test_its_parameters_grow_with_the_columns_of_the_attributes():
    plain = GraphRec(**QUICK).fit(TRAIN, seed=0).num_parameters
    every = GraphRecExtra(**QUICK).fit(TRAIN, side=SIDE, seed=0).num_parameters
    # age and two genders, two tags; a weight for each of the rank's 4 units
    assert every - plain == (3 + 2) * 4


@pytest.mark.data("ml-100k")
def test_the_features_of_ml_100k_are_those_of_the_official_code():
    split = glocalk.load_split("ml_100k")
    config = glocalk.make_completer("graphrec_extra", data="ml_100k").config
    users = encode(split.side.attributes("user"), config.user_features)
    items = encode(split.side.attributes("item"), config.item_features)
    # 61 ages, 2 genders, 21 occupations; 19 genres and a year: the widths that the code prints
    assert 943 + 1682 + 1 + users.matrix.shape[1] == 2710
    assert 1682 + 943 + 1 + items.matrix.shape[1] == 2646
    assert (users.matrix.sum(axis=1) == 3).all()
    # Toy Story of 1995: Animation, Children's, Comedy
    assert items.matrix[0, -1] == pytest.approx((1995 - 1922) / 76)
    assert {items.names[at] for at in np.flatnonzero(items.matrix[0, :-1])} == {
        *("genres=Animation", "genres=Children's", "genres=Comedy")
    }
    assert items.matrix[266].tolist() == [float(name == "genres=unknown") for name in items.names]


@pytest.mark.data("ml-1m")
def test_the_features_of_ml_1m_are_those_of_the_official_code():
    split = glocalk.load_split("ml_1m")
    config = glocalk.make_completer("graphrec_extra", data="ml_1m").config
    assert encode(split.side.attributes("user"), config.user_features).matrix.shape[1] == 30
    assert encode(split.side.attributes("item"), config.item_features).matrix.shape[1] == 18


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
